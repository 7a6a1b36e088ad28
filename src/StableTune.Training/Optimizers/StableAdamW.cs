using System.Numerics;
using static StableTune.Optimizers.HostVectors;

namespace StableTune.Optimizers;

/// <summary>
/// AdamW whose rate falls for a parameter whose gradients are larger than its second moment knows: spikes of the loss do less harm, and
/// gradients need not be clipped. As <c>pytorch_optimizer.StableAdamW</c>.
/// </summary>
/// <remarks>Wortsman et al.: Stable and low-precision training for large-scale vision-language models, arXiv:2304.13013, algorithm
/// 2.</remarks>
public sealed record StableAdamWOptions : OptimizerOptions
{
    /// <summary>β₁, the decay of the mean of gradients, in [0, 1). Default 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, the decay of the mean of squared gradients, in [0, 1). Default 0.99.</summary>
    public double Beta2 { get; init; } = 0.99;

    /// <summary>ε, added to the root of the second moment; positive. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Weight decay per unit of learning rate, not negative. Default 0.01.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("pytorch_optimizer.optimizer.adamw.StableAdamW",
        [("weight_decay", WeightDecay, 0.01), ("betas", (Beta1, Beta2), (0.9, 0.99)), ("eps", Epsilon, 1e-8)]);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. Share(Beta1, "0.9"), .. Share(Beta2, "0.99"), .. Positive(Epsilon, "1e-8"), .. NotNegative(WeightDecay, "0 turns it off"),
    ];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new StableAdamW(this, groups);
}

/// <summary>
/// β̂ = β(1 − βᵗ⁻¹)/(1 − βᵗ). m ← β̂₁m + (1 − β̂₁)g; v ← β̂₂v + (1 − β̂₂)g²; η = lr/max(1, √mean(g²/max(v, ε²))), the mean over a
/// parameter; θ ← θ(1 − η·wd) − ηm/(√v + ε).
/// </summary>
internal sealed class StableAdamW(StableAdamWOptions options, IReadOnlyList<ParameterGroup> groups)
    : ShapedOptimizer(options, groups, Zeros(First), Zeros(Second))
{
    private const string First = "m", Second = "v";

    protected override void Update(ShapeBatch batch)
    {
        var (w, g, m, v) = (batch.Weights, batch.Gradients, batch[First], batch[Second]);
        var (beta1, beta2) = (Corrected(options.Beta1, batch.Step), Corrected(options.Beta2, batch.Step));
        m.mul_(beta1).add_(g, alpha: 1 - beta1);
        v.mul_(beta2).addcmul_(g, g, 1 - beta2);
        var surprise = ShapeBatch.RootMeanSquare(g / v.clamp_min(options.Epsilon * options.Epsilon).sqrt_());
        var rate = batch.LearningRate / surprise.clamp_min(1);                     // [K, 1, ...]
        w.mul_(1 - (rate * (batch.Group.WeightDecay ?? options.WeightDecay)));
        w.sub_(m / v.sqrt().add_(options.Epsilon) * rate);
    }

    protected override bool WorksOnHost(long[] shape) => true;

    protected override unsafe void Update(HostTensor at)
    {
        var (beta1, beta2) = ((float)Corrected(options.Beta1, at.Step), (float)Corrected(options.Beta2, at.Step));
        float* first = at[First], second = at[Second];
        var (rest1, rest2) = (1 - beta1, 1 - beta2);
        var least = (float)(options.Epsilon * options.Epsilon);
        var surprise = 0.0;
        for (var start = 0L; start < at.Count; start += NumbersAtOnce)
        {
            var (sum, i, end) = (Vector<float>.Zero, start, Math.Min(at.Count, start + NumbersAtOnce));
            for (; i + Width <= end; i += Width)
            {
                var g = Get(at.Gradient + i);
                var square = (Get(second + i) * beta2) + (g * g * rest2);
                Put(first + i, (Get(first + i) * beta1) + (g * rest1));
                Put(second + i, square);
                sum += g * g / Vector.Max(square, new Vector<float>(least));
            }

            surprise += Vector.Sum(sum);
            for (; i < end; i++)
            {
                var g = at.Gradient[i];
                first[i] = (first[i] * beta1) + (g * rest1);
                second[i] = (second[i] * beta2) + (g * g * rest2);
                surprise += g * g / MathF.Max(second[i], least);
            }
        }

        Move(at, first, second, at.LearningRate / Math.Max(1, Math.Sqrt(surprise / at.Count)));
    }

    private unsafe void Move(HostTensor at, float* first, float* second, double rate)
    {
        var kept = (float)(1 - (rate * (at.Group.WeightDecay ?? options.WeightDecay)));
        var (step, epsilon) = ((float)rate, (float)options.Epsilon);
        var i = 0L;
        for (; i + Width <= at.Count; i += Width)
        {
            var change = Get(first + i) / (Vector.SquareRoot(Get(second + i)) + new Vector<float>(epsilon)) * step;
            Put(at.Weight + i, (Get(at.Weight + i) * kept) - change);
        }

        for (; i < at.Count; i++) at.Weight[i] = (at.Weight[i] * kept) - (first[i] / (MathF.Sqrt(second[i]) + epsilon) * step);
    }

    private static double Corrected(double beta, int step) => beta * (1 - Math.Pow(beta, step - 1)) / (1 - Math.Pow(beta, step));
}
