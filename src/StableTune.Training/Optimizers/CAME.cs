using System.Buffers;
using static StableTune.Optimizers.HostVectors;

namespace StableTune.Optimizers;

/// <summary>
/// AdaFactor with momentum that is trusted as far as updates agree with it: both mean squares are remembered by rows and columns, so that a
/// matrix takes little more than its momentum. As <c>pytorch_optimizer.CAME</c>.
/// </summary>
/// <remarks>Luo et al.: CAME: Confidence-guided Adaptive Memory Efficient Optimization, arXiv:2307.02047.</remarks>
public sealed record CAMEOptions : OptimizerOptions
{
    /// <summary>β₁, the decay of the mean of updates, in [0, 1). Default 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, the decay of the mean of squared gradients, in [0, 1). Default 0.999.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>β₃, the decay of the mean of how far updates lie from their mean, in [0, 1). Default 0.9999.</summary>
    public double Beta3 { get; init; } = 0.9999;

    /// <summary>What is added to squared gradients, and to squared distances of updates; positive. Default 1e-30 and 1e-16.</summary>
    public (double Squares, double Distances) Epsilon { get; init; } = (1e-30, 1e-16);

    /// <summary>The largest root of an update's mean square; positive. Default 1.</summary>
    public double ClipThreshold { get; init; } = 1;

    /// <summary>Weight decay per unit of learning rate, not negative. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("pytorch_optimizer.optimizer.came.CAME",
    [
        ("weight_decay", WeightDecay, 0.0), ("betas", (Beta1, Beta2, Beta3), (0.9, 0.999, 0.9999)),
        ("eps", Epsilon, (1e-30, 1e-16)), ("clip_threshold", ClipThreshold, 1.0),
    ]);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. Share(Beta1, "0.9"), .. Share(Beta2, "0.999"), .. Share(Beta3, "0.9999"),
        .. Epsilon is (> 0 and < double.PositiveInfinity, > 0 and < double.PositiveInfinity) ? []
            : new[] { Problem(Epsilon, "both must be positive", "(1e-30, 1e-16) is customary") },
        .. Positive(ClipThreshold, "1"), .. NotNegative(WeightDecay, "0 turns it off"),
    ];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new CAME(this, groups);
}

/// <summary>
/// u = g/√v, v the mean of g² + ε₁ by rows and columns; u ← u/max(1, RMS(u)/threshold); m ← β₁m + (1 − β₁)u; c the mean of
/// (u − m)² + ε₂ by rows and columns; θ ← θ(1 − lr·wd) − lr·m/√c. A parameter with one dimension has a whole v, and no c.
/// </summary>
internal sealed class CAME(CAMEOptions options, IReadOnlyList<ParameterGroup> groups) : ShapedOptimizer(options, groups,
    Zeros(Mean), Zeros(Whole, shape => shape.Length < 2 ? shape : null),
    Zeros(Rows, FactoredSquares.Rows), Zeros(Columns, FactoredSquares.Columns),
    Zeros(DistanceRows, FactoredSquares.Rows), Zeros(DistanceColumns, FactoredSquares.Columns))
{
    private const string Mean = "m", Whole = "v", Rows = "rows", Columns = "columns", DistanceRows = "distance.rows",
        DistanceColumns = "distance.columns";

    protected override void Update(ShapeBatch batch)
    {
        var (w, g, m) = (batch.Weights, batch.Gradients, batch[Mean]);
        var squares = (g * g).add_(options.Epsilon.Squares);
        Tensor u;
        if (batch.Rank < 2) u = g / batch[Whole].mul_(options.Beta2).add_(squares, alpha: 1 - options.Beta2).sqrt();
        else
        {
            FactoredSquares.Take(batch[Rows], batch[Columns], squares, options.Beta2);
            u = FactoredSquares.InverseRoot(batch[Rows], batch[Columns]).mul_(g);
        }

        u.div_((ShapeBatch.RootMeanSquare(u) / options.ClipThreshold).clamp_min_(1));
        m.mul_(options.Beta1).add_(u, alpha: 1 - options.Beta1);
        var direction = m;
        if (batch.Rank >= 2)
        {
            var distances = (u - m).pow_(2).add_(options.Epsilon.Distances);
            FactoredSquares.Take(batch[DistanceRows], batch[DistanceColumns], distances, options.Beta3);
            direction = FactoredSquares.InverseRoot(batch[DistanceRows], batch[DistanceColumns]).mul_(m);
        }

        w.mul_(1 - (batch.LearningRate * (batch.Group.WeightDecay ?? options.WeightDecay)));
        w.add_(direction, alpha: -batch.LearningRate);
    }

    protected override bool WorksOnHost(long[] shape) => true;

    protected override unsafe void Update(HostTensor at)
    {
        var scratch = ArrayPool<float>.Shared.Rent((int)at.Count);
        try
        {
            fixed (float* u = scratch)
            {
                var square = at.Rank < 2 ? at.Divide(options.Epsilon.Squares, options.Beta2, Whole, u)
                    : at.Divide(at.Gradient, options.Epsilon.Squares, options.Beta2, Rows, Columns, at.Gradient, u);
                var mean = at[Mean];
                TakeMean(at.Count, u, (float)(1 / Math.Max(1, Math.Sqrt(square) / options.ClipThreshold)), mean);
                var direction = mean;
                if (at.Rank >= 2)
                    at.Divide(u, options.Epsilon.Distances, options.Beta3, DistanceRows, DistanceColumns, mean, direction = u);
                Move(at, direction);
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(scratch);
        }
    }

    /// <summary>m ← β₁m + (1 − β₁)·u·factor; u ← u·factor − m.</summary>
    private unsafe void TakeMean(long count, float* u, float factor, float* mean)
    {
        var (beta, rest) = ((float)options.Beta1, (float)(1 - options.Beta1));
        var i = 0L;
        for (; i + Width <= count; i += Width)
        {
            var clipped = Get(u + i) * factor;
            var taken = (Get(mean + i) * beta) + (clipped * rest);
            Put(mean + i, taken);
            Put(u + i, clipped - taken);
        }

        for (; i < count; i++)
        {
            var clipped = u[i] * factor;
            mean[i] = (mean[i] * beta) + (clipped * rest);
            u[i] = clipped - mean[i];
        }
    }

    private unsafe void Move(HostTensor at, float* direction)
    {
        var kept = (float)(1 - (at.LearningRate * (at.Group.WeightDecay ?? options.WeightDecay)));
        var (rate, i) = ((float)at.LearningRate, 0L);
        for (; i + Width <= at.Count; i += Width)
            Put(at.Weight + i, (Get(at.Weight + i) * kept) - (Get(direction + i) * rate));
        for (; i < at.Count; i++) at.Weight[i] = (at.Weight[i] * kept) - (direction[i] * rate);
    }
}
