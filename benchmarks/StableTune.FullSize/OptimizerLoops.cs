using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace StableTune.FullSize;

/// <summary>Optimizers as a loop over tensors, each formula in as few of TorchSharp's calls in place as it takes.</summary>
internal static class OptimizerLoops
{
    private const double Rate = 1e-4, Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8;

    /// <summary>By the catalogue's names; each gets weights with gradients, and gives a step.</summary>
    public static readonly Dictionary<string, Func<Tensor[], Action>> ByName = new(StringComparer.Ordinal)
    {
        ["Adam"] = weights => Loop(weights, 2, Adam),
        ["AdamW"] = weights => Loop(weights, 2, (weight, gradient, slots, step) =>
        {
            weight.mul_(1 - (Rate * 0.01));
            Adam(weight, gradient, slots, step);
        }),
        ["Lion"] = weights => Loop(weights, 1, (weight, gradient, slots, _) =>
        {
            weight.add_((slots[0] * Beta1).add_(gradient, 1 - Beta1).sign_(), -Rate);
            slots[0].mul_(0.99).add_(gradient, 0.01);
        }),
        ["SGD"] = weights => Loop(weights, 0, (weight, gradient, _, _) => weight.add_(gradient, -Rate)),
        ["SGDNesterov"] = weights => Loop(weights, 1, (weight, gradient, slots, _) =>
        {
            slots[0].mul_(0.9).add_(gradient);
            weight.add_(gradient.add(slots[0], 0.9), -Rate);
        }),
        ["Adagrad"] = weights => Loop(weights, 1, (weight, gradient, slots, _) =>
        {
            slots[0].addcmul_(gradient, gradient, 1);
            weight.addcdiv_(gradient, slots[0].sqrt().add_(1e-10), -Rate);
        }),
        ["RMSprop"] = weights => Loop(weights, 1, (weight, gradient, slots, _) =>
        {
            slots[0].mul_(0.99).addcmul_(gradient, gradient, 0.01);
            weight.addcdiv_(gradient, slots[0].sqrt().add_(Epsilon), -Rate);
        }),
        ["Adamax"] = weights => Loop(weights, 2, (weight, gradient, slots, step) =>
        {
            slots[0].mul_(Beta1).add_(gradient, 1 - Beta1);
            slots[1].mul_(Beta2);
            slots[1].copy_(slots[1].maximum(gradient.abs().add_(Epsilon)));
            weight.addcdiv_(slots[0], slots[1], -Rate / (1 - Math.Pow(Beta1, step)));
        }),
        ["NAdam"] = weights => Loop(weights, 2, (weight, gradient, slots, step) =>
        {
            Moments(gradient, slots);
            var root = slots[1].sqrt().mul_(1 / Math.Sqrt(1 - Math.Pow(Beta2, step))).add_(Epsilon);
            weight.addcdiv_(gradient, root, -Rate * 0.1);
            weight.addcdiv_(slots[0], root, -Rate * 0.9);
        }),
        ["RAdam"] = weights => Loop(weights, 2, Adam),
        ["AdamWScheduleFree"] = weights => Loop(weights, 2, (weight, gradient, slots, step) =>
        {
            slots[1].mul_(Beta2).addcmul_(gradient, gradient, 1 - Beta2);
            var direction = gradient / (slots[1] / (1 - Math.Pow(Beta2, step))).sqrt_().add_(Epsilon);
            using var share = tensor(1f / step);
            weight.lerp_(slots[0], share).add_(direction, Rate * ((Beta1 * (1 - (1.0 / step))) - 1));
            slots[0].add_(direction, -Rate);
        }),
        ["Rprop"] = weights => Loop(weights, 2, (weight, gradient, slots, step) =>
        {
            if (step == 1) slots[1].fill_(Rate);
            var agreement = slots[0] * gradient;
            var (rises, falls) = (agreement > 0, agreement < 0);
            slots[1].mul_((rises.to(ScalarType.Float32) * 0.2).add_(1)).mul_((falls.to(ScalarType.Float32) * -0.5).add_(1))
                .clamp_(1e-6, 50);
            slots[0].copy_(gradient).masked_fill_(falls, 0);
            weight.addcmul_(slots[0].sign(), slots[1], -1);
        }),
        ["StableAdamW"] = weights => Loop(weights, 2, (weight, gradient, slots, step) =>
        {
            Moments(gradient, slots);
            var surprise = gradient.square().div_(slots[1].clamp_min(Epsilon * Epsilon)).mean().sqrt_().clamp_min_(1);
            var rate = surprise.reciprocal_().mul_(Rate);
            weight.mul_((rate * -0.01).add_(1));
            weight.sub_(slots[0] / slots[1].sqrt().add_(Epsilon) * rate);
        }),
        ["CAME"] = FactoredLoops.CAME,
        ["Automagic"] = FactoredLoops.Automagic,
        ["Muon"] = weights => Loop(weights, 1, (weight, gradient, slots, _) =>
        {
            weight.mul_(1 - (Rate * 0.1));
            slots[0].mul_(0.95).add_(gradient, 0.05);
            var x = (slots[0] * 0.95).add_(gradient, 0.05);
            var isTall = x.shape[0] > x.shape[1];
            if (isTall) x = x.t();
            x /= x.square().sum().sqrt_().add_(1e-7);
            for (var i = 0; i < 5; i++)
            {
                var product = x.matmul(x.t());
                x = (x * 3.4445).add_((product * -4.7750).add_(product.matmul(product), 2.0315).matmul(x));
            }

            weight.add_(isTall ? x.t() : x, -Rate * 0.2 * Math.Sqrt(weight.shape.Max()));
        }),
        ["AdamW8bit"] = EightBitLoops.AdamW,
        ["Lion8bit"] = EightBitLoops.Lion,
        ["AdaFactor"] = AdaFactor,
        ["Prodigy"] = Prodigy,
    };

    /// <summary>TorchSharp's own, by the catalogue's names.</summary>
    public static readonly Dictionary<string, Func<IEnumerable<Parameter>, optim.Optimizer>> Own = new(StringComparer.Ordinal)
    {
        ["Adam"] = parameters => optim.Adam(parameters, Rate),
        ["AdamW"] = parameters => optim.AdamW(parameters, Rate, weight_decay: 0.01),
        ["SGD"] = parameters => optim.SGD(parameters, Rate),
        ["SGDNesterov"] = parameters => optim.SGD(parameters, Rate, momentum: 0.9, nesterov: true),
        ["Adagrad"] = parameters => optim.Adagrad(parameters, Rate),
        ["RMSprop"] = parameters => optim.RMSProp(parameters, Rate),
        ["NAdam"] = parameters => optim.NAdam(parameters, Rate),
        ["RAdam"] = parameters => optim.RAdam(parameters, Rate),
        ["Adamax"] = parameters => optim.Adamax(parameters, Rate),
        ["ASGD"] = parameters => optim.ASGD(parameters, Rate),
        ["Rprop"] = parameters => optim.Rprop(parameters, Rate),
    };

    private static void Moments(Tensor gradient, Tensor[] slots)
    {
        slots[0].mul_(Beta1).add_(gradient, 1 - Beta1);
        slots[1].mul_(Beta2).addcmul_(gradient, gradient, 1 - Beta2);
    }

    private static void Adam(Tensor weight, Tensor gradient, Tensor[] slots, int step)
    {
        Moments(gradient, slots);
        var root = (slots[1].sqrt() / Math.Sqrt(1 - Math.Pow(Beta2, step))).add_(Epsilon);
        weight.addcdiv_(slots[0], root, -Rate / (1 - Math.Pow(Beta1, step)));
    }

    private static Action AdaFactor(Tensor[] weights)
    {
        Tensor[] rows = [.. weights.Select(weight => zeros(weight.shape[0]))];
        Tensor[] columns = [.. weights.Select(weight => zeros(weight.shape[1]))];
        return Each(weights, (weight, gradient, i, step) =>
        {
            var beta = 1 - Math.Pow(step, -0.8);
            var rate = weight.square().mean().sqrt_().clamp_min_(1e-3).mul_(1e-2);
            var squares = gradient.square().add_(1e-30);
            rows[i].mul_(beta).add_(squares.mean([-1]), 1 - beta);
            columns[i].mul_(beta).add_(squares.mean([-2]), 1 - beta);
            var change = (rows[i] / rows[i].mean()).rsqrt_().unsqueeze(-1) * gradient;
            change.mul_(columns[i].rsqrt().unsqueeze(-2));
            change.mul_(rate / change.square().mean().sqrt_().clamp_min_(1));
            weight.sub_(change);
        });
    }

    /// <summary>With d on the device, as ours.</summary>
    private static Action Prodigy(Tensor[] weights)
    {
        Tensor[][] remembered = [.. weights.Select(weight => new[] { zeros(weight.shape), zeros(weight.shape), zeros(weight.shape),
            weight.detach().clone() })];
        var (beta3, first) = (Math.Sqrt(Beta2), 1e-6);
        Tensor distance = tensor(first), numerator = tensor(0f);
        return () =>
        {
            using var frozen = no_grad();
            using var step = NewDisposeScope();
            var (inner, length) = (tensor(0f), tensor(0f));
            for (var i = 0; i < weights.Length; i++)
            {
                using var scope = NewDisposeScope();
                var (weight, gradient, m, v, s, start) = (weights[i], weights[i].grad!, remembered[i][0], remembered[i][1],
                    remembered[i][2], remembered[i][3]);
                inner.add_((gradient * (start - weight)).sum());
                m.mul_(Beta1).addcmul_(gradient, distance, 1 - Beta1);
                v.mul_(Beta2).addcmul_(gradient, gradient * distance * distance, 1 - Beta2);
                s.mul_(beta3).addcmul_(gradient, distance * distance / first, 1);
                length.add_(s.abs().sum());
            }

            numerator.mul_(beta3).add_(inner * distance * distance / first);
            distance.copy_(distance.maximum(numerator / length));
            for (var i = 0; i < weights.Length; i++)
            {
                using var scope = NewDisposeScope();
                weights[i].sub_((remembered[i][0] / (remembered[i][1].sqrt() + (distance * Epsilon))).mul_(distance));
            }
        };
    }

    /// <summary>A step that changes one tensor after the other.</summary>
    /// <param name="weights">The tensors, with gradients.</param>
    /// <param name="update">Takes weight, gradient, the tensor's place, and the number of the step, from 1.</param>
    internal static Action Each(Tensor[] weights, Action<Tensor, Tensor, int, int> update)
    {
        var step = 0;
        return () =>
        {
            step++;
            using var frozen = no_grad();
            for (var i = 0; i < weights.Length; i++)
            {
                using var scope = NewDisposeScope();
                update(weights[i], weights[i].grad!, i, step);
            }
        };
    }

    private static Action Loop(Tensor[] weights, int slots, Action<Tensor, Tensor, Tensor[], int> update)
    {
        Tensor[][] remembered = [.. weights.Select(weight => Enumerable.Range(0, slots).Select(_ => zeros(weight.shape)).ToArray())];
        return Each(weights, (weight, gradient, i, step) => update(weight, gradient, remembered[i], step));
    }
}
