namespace StableTune.Optimizers;

/// <summary>Stochastic gradient descent without a schedule, as <c>schedulefree.SGDScheduleFree</c>.</summary>
/// <remarks>Defazio et al., The Road Less Scheduled, arXiv:2405.15682.</remarks>
public sealed record SGDScheduleFreeOptions : ScheduleFreeOptions
{
    /// <summary>How near the weights at which gradients are taken lie to the average, in (0, 1). Default 0.9.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Steps in which the rate rises linearly. Default 0.</summary>
    public int WarmupSteps { get; init; }

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("schedulefree.sgd_schedulefree.SGDScheduleFree",
        [("momentum", Momentum, 0.9), ("warmup_steps", WarmupSteps, 0), .. AverageArguments]);

    internal override double Interpolation => Momentum;

    internal override double RateOf(double rate, int step) => WarmupSteps > 0 ? rate * Math.Min(1, (double)step / WarmupSteps) : rate;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
        [.. base.Validate(), .. Between(Momentum, nameof(Momentum)), .. Steps(WarmupSteps, nameof(WarmupSteps))];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new SGDScheduleFree(this, groups);
}

/// <summary>d = g.</summary>
internal sealed class SGDScheduleFree(SGDScheduleFreeOptions options, IReadOnlyList<ParameterGroup> groups) : ScheduleFree(options, groups)
{
    protected override ScheduleFreeDirection DirectionOf(int step) => default;
}
