using System.Buffers;

namespace StableTune.Optimizers;

/// <summary>
/// Each number has a learning rate of its own, which grows as long as its updates keep their sign and falls when they change it; updates
/// are AdaFactor's. As <c>Automagic</c> of ai-toolkit. The run's learning rate is where the rates begin: about 1e-6.
/// </summary>
/// <remarks>
/// There is no paper: this follows what ai-toolkit's version with <c>lr_bump</c> does. It remembers rates in eight bits; they are float32
/// here. A schedule multiplies the rates, which the reference leaves alone.
/// </remarks>
public sealed record AutomagicOptions : OptimizerOptions
{
    /// <summary>The lowest rate of a number; positive. Default 1e-7.</summary>
    public double MinLr { get; init; } = 1e-7;

    /// <summary>The highest rate of a number, at least the lowest. Default 1e-3.</summary>
    public double MaxLr { get; init; } = 1e-3;

    /// <summary>By how much a rate grows or falls in a step; positive. Default 1e-6.</summary>
    public double LrBump { get; init; } = 1e-6;

    /// <summary>β₂, the decay of the mean of squared gradients, in [0, 1). Default 0.999.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>ε, added to squared gradients; positive. Default 1e-30.</summary>
    public double Epsilon { get; init; } = 1e-30;

    /// <summary>The largest root of an update's mean square; positive. Default 1.</summary>
    public double ClipThreshold { get; init; } = 1;

    /// <summary>Weight decay per unit of learning rate, not negative. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("toolkit.optimizers.automagic.Automagic",
    [
        ("min_lr", MinLr, 1e-7), ("max_lr", MaxLr, 1e-3), ("lr_bump", LrBump, 1e-6), ("eps", Epsilon, 1e-30),
        ("clip_threshold", ClipThreshold, 1.0), ("beta2", Beta2, 0.999), ("weight_decay", WeightDecay, 0.0),
    ]);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. Positive(MinLr, "1e-7"),
        .. MaxLr >= MinLr && double.IsFinite(MaxLr) ? []
            : new[] { Problem(MaxLr, "the highest rate must not be below MinLr", "1e-3 is customary") },
        .. Positive(LrBump, "1e-6"), .. Share(Beta2, "0.999"), .. Positive(Epsilon, "1e-30"), .. Positive(ClipThreshold, "1"),
        .. NotNegative(WeightDecay, "0 turns it off"),
    ];

    /// <inheritdoc/>
    public override IEnumerable<string> RateWarnings(IReadOnlyList<ParameterGroup> groups)
    {
        ArgumentNullException.ThrowIfNull(groups);
        foreach (var group in groups.Where(group => group.LearningRate > MaxLr))
            yield return FormattableString.Invariant(
                $"The learning rate of \"{group.Name}\" is {group.LearningRate}: AutomagicOptions.MaxLr holds it to {MaxLr} from the ")
                + "first step on. Give about 1e-6, where rates begin.";
    }

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new Automagic(this, groups);
}

/// <summary>
/// u = g/√v, v the mean of g² + ε, of matrices by rows and columns; u ← u/max(1, RMS(u)/threshold); each number's rate rises by the bump
/// where u > 0 as in the step before (or not, as then), else it falls, within [min, max]; θ ← θ − rate·(u + wd·θ).
/// </summary>
internal sealed class Automagic(AutomagicOptions options, IReadOnlyList<ParameterGroup> groups) : ShapedOptimizer(options, groups,
    Zeros(Rates), new OptimizerSlot(Signs, weight => zeros(weight.shape, ScalarType.Bool, weight.device)),
    Zeros(Whole, shape => shape.Length < 2 ? shape : null), Zeros(Rows, FactoredSquares.Rows), Zeros(Columns, FactoredSquares.Columns))
{
    private const string Rates = "rates", Signs = "signs", Whole = "v", Rows = "rows", Columns = "columns";

    protected override void Update(ShapeBatch batch)
    {
        if (batch.LearningRate == 0) return;
        var (w, g, rates, signs) = (batch.Weights, batch.Gradients, batch[Rates], batch[Signs]);
        var squares = (g * g).add_(options.Epsilon);
        Tensor u;
        if (batch.Rank < 2) u = batch[Whole].mul_(options.Beta2).add_(squares, alpha: 1 - options.Beta2).rsqrt() * g;
        else
        {
            FactoredSquares.Take(batch[Rows], batch[Columns], squares, options.Beta2);
            u = FactoredSquares.InverseRoot(batch[Rows], batch[Columns]).mul_(g);
        }

        u.div_((ShapeBatch.RootMeanSquare(u) / options.ClipThreshold).clamp_min_(1));
        var present = u > 0;
        // A rate is never 0 once it has begun.
        var before = where(rates > 0, rates, full_like(rates, batch.Group.LearningRate));
        var bump = present.eq(signs).to(ScalarType.Float32).mul_(2).sub_(1).mul_(options.LrBump);
        rates.copy_((before + bump).clamp_(options.MinLr, options.MaxLr));
        signs.copy_(present);
        var scheduled = rates * (batch.LearningRate / batch.Group.LearningRate);
        w.sub_((u + (w * (batch.Group.WeightDecay ?? options.WeightDecay))).mul_(scheduled));
    }

    protected override bool WorksOnHost(long[] shape) => true;

    protected override unsafe void Update(HostTensor at)
    {
        if (at.LearningRate == 0) return;
        var scratch = ArrayPool<float>.Shared.Rent((int)at.Count);
        try
        {
            fixed (float* u = scratch)
            {
                var square = at.Rank < 2 ? at.Divide(options.Epsilon, options.Beta2, Whole, u)
                    : at.Divide(at.Gradient, options.Epsilon, options.Beta2, Rows, Columns, at.Gradient, u);
                Move(at, u, (float)(1 / Math.Max(1, Math.Sqrt(square) / options.ClipThreshold)));
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(scratch);
        }
    }

    private unsafe void Move(HostTensor at, float* u, float factor)
    {
        var rates = at[Rates];
        var signs = at.Bytes(Signs);
        var (first, bump) = ((float)at.Group.LearningRate, (float)options.LrBump);
        var scheduled = (float)(at.LearningRate / at.Group.LearningRate);
        var (least, most, decay) = ((float)options.MinLr, (float)options.MaxLr, (float)(at.Group.WeightDecay ?? options.WeightDecay));
        for (var i = 0L; i < at.Count; i++)
        {
            var present = u[i] > 0 ? (byte)1 : (byte)0;
            // A rate is never 0 once it has begun.
            var rate = (rates[i] > 0 ? rates[i] : first) + (present == signs[i] ? bump : -bump);
            (rates[i], signs[i]) = (rate = MathF.Min(MathF.Max(rate, least), most), present);
            at.Weight[i] -= ((u[i] * factor) + (at.Weight[i] * decay)) * (rate * scheduled);
        }
    }
}
