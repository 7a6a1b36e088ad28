using static TorchSharp.torch;

namespace StableTune.FullSize;

/// <summary>Optimizers with factored squares as a loop over matrices.</summary>
internal static class FactoredLoops
{
    private const double Rate = 1e-4;

    public static Action CAME(Tensor[] weights)
    {
        Means[] squares = [.. weights.Select(weight => new Means(weight))], distances = [.. weights.Select(weight => new Means(weight))];
        Tensor[] means = [.. weights.Select(weight => zeros(weight.shape))];
        return OptimizerLoops.Each(weights, (weight, gradient, i, _) =>
        {
            var u = squares[i].Divide(gradient.square().add_(1e-30), gradient, 0.999);
            u.div_(u.square().mean().sqrt_().clamp_min_(1));
            means[i].mul_(0.9).add_(u, 0.1);
            weight.sub_(distances[i].Divide((u - means[i]).square().add_(1e-16), means[i], 0.9999).mul_(Rate));
        });
    }

    public static Action Automagic(Tensor[] weights)
    {
        Means[] squares = [.. weights.Select(weight => new Means(weight))];
        Tensor[] rates = [.. weights.Select(weight => full(weight.shape, 1e-6f))];
        Tensor[] signs = [.. weights.Select(weight => zeros(weight.shape, ScalarType.Bool))];
        return OptimizerLoops.Each(weights, (weight, gradient, i, _) =>
        {
            var u = squares[i].Divide(gradient.square().add_(1e-30), gradient, 0.999);
            u.div_(u.square().mean().sqrt_().clamp_min_(1));
            var present = u > 0;
            rates[i].add_(present.eq(signs[i]).to(ScalarType.Float32).mul_(2e-6).sub_(1e-6)).clamp_(1e-7, 1e-3);
            signs[i].copy_(present);
            weight.sub_(u.mul_(rates[i]));
        });
    }

    /// <summary>Means of squares by rows and columns.</summary>
    private sealed class Means(Tensor weight)
    {
        private readonly Tensor _rows = zeros(weight.shape[0]), _columns = zeros(weight.shape[1]);

        public Tensor Divide(Tensor squares, Tensor values, double beta)
        {
            _rows.mul_(beta).add_(squares.mean([-1]), 1 - beta);
            _columns.mul_(beta).add_(squares.mean([-2]), 1 - beta);
            return ((_rows / _rows.mean()).rsqrt_().unsqueeze(-1) * values).mul_(_columns.rsqrt().unsqueeze(-2));
        }
    }
}
