using StableTune.Schedules;

namespace StableTune.Optimizers;

/// <summary>
/// AdaFactor: of a matrix only the means of squared gradients by row and by column are remembered, next to nothing, and steps can be sized
/// by the weights themselves, without a learning rate (Shazeer, Stern: Adafactor: Adaptive Learning Rates with Sublinear Memory Cost,
/// arXiv:1804.04235). As <c>transformers.optimization.Adafactor</c>.
/// </summary>
public sealed record AdaFactorOptions : OptimizerOptions
{
    /// <summary>What is added to squared gradients, and the least size that weights are taken to have. Default 1e-30 and 1e-3.</summary>
    public (double Squares, double Scale) Epsilon { get; init; } = (1e-30, 1e-3);

    /// <summary>The largest root mean square of a tensor's step before it is sized; positive. Default 1.</summary>
    public double ClipThreshold { get; init; } = 1;

    /// <summary>The power by which means of squared gradients come to look further back: β₂ = 1 − t^DecayRate; below 0. Default
    /// -0.8.</summary>
    public double DecayRate { get; init; } = -0.8;

    /// <summary>β₁, the decay of a mean of steps, in [0, 1), which takes 4 bytes for each weight; null, the default, keeps none.</summary>
    public double? Beta1 { get; init; }

    /// <summary>Weight decay per unit of the rate in force, not negative. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Whether steps are in proportion to the root mean square of a tensor's weights. Default true.</summary>
    public bool ScaleParameter { get; init; } = true;

    /// <summary>
    /// Whether AdaFactor finds its rate itself: min(0.01, 1/√t), or less with <see cref="WarmupInit"/>. The rates of the run, its parts and
    /// its schedule are then not looked at. Default true, as with sd-scripts.
    /// </summary>
    public bool RelativeStep { get; init; } = true;

    /// <summary>Whether a relative step begins with a millionth of t instead of 0.01. Null, the default, does so with
    /// <see cref="RelativeStep"/>, without which there is nothing to warm up.</summary>
    public bool? WarmupInit { get; init; }

    internal bool WarmsUp => WarmupInit ?? RelativeStep;

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("transformers.optimization.Adafactor",
        ("eps", Epsilon, (1e-30, 1e-3)), ("clip_threshold", ClipThreshold, 1.0), ("decay_rate", DecayRate, -0.8), ("beta1", Beta1, null),
        ("weight_decay", WeightDecay, 0.0), ("scale_parameter", ScaleParameter, true), ("warmup_init", WarmsUp, false),
        ("relative_step", RelativeStep, null));

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(Epsilon is { Squares: > 0, Scale: > 0 } && double.IsFinite(Epsilon.Squares + Epsilon.Scale)))
            yield return Problem(Epsilon, "both must be positive", "(1e-30, 1e-3) is customary");
        foreach (var problem in Positive(ClipThreshold, "1").Concat(NotNegative(WeightDecay, "0 turns it off"))) yield return problem;
        if (!(DecayRate < 0 && double.IsFinite(DecayRate)))
            yield return Problem(DecayRate, "it must be below 0", "-0.8 is customary");
        if (Beta1 is not (null or (>= 0 and < 1))) yield return Problem(Beta1, "beta 1 must lie in [0, 1)", "use null for none");
        if (WarmupInit == true && !RelativeStep)
            yield return Problem(WarmupInit, "it needs RelativeStep", "set RelativeStep to true, or leave WarmupInit unset");
    }

    /// <inheritdoc/>
    /// <remarks>With a relative step the <c>adafactor</c> schedule, which tells AdaFactor's own rate.</remarks>
    public override LrScheduleOptions ScheduleOf(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return RelativeStep && plan.Schedule is not AdaFactorScheduleOptions
            ? new AdaFactorScheduleOptions { InitialRate = plan.LearningRate * plan.LearningRateScale } : plan.Schedule;
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Warnings(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return RelativeStep ? RelativeWarnings(plan) : FixedWarnings(plan);
    }

    private IEnumerable<string> RelativeWarnings(TrainingPlan plan)
    {
        yield return FormattableString.Invariant(
            $"AdaFactorOptions.RelativeStep is True: AdaFactor finds its own rate, with ScaleParameter {ScaleParameter} and WarmupInit ")
            + FormattableString.Invariant($"{WarmsUp}. TrainingPlan.LearningRate, {plan.LearningRate}, is told ")
            + "before the first step only.";
        foreach (var (name, rate) in new[]
        {
            (nameof(plan.UNetLearningRate), plan.UNetLearningRate), (nameof(plan.TextEncoderLearningRate), plan.TextEncoderLearningRate),
            (nameof(plan.SecondTextEncoderLearningRate), plan.SecondTextEncoderLearningRate),
        })
            if (rate > 0)
                yield return FormattableString.Invariant($"TrainingPlan.{name} is {rate}: it is not looked at, because ")
                    + "AdaFactorOptions.RelativeStep is True. Set RelativeStep to false to choose rates.";
        if (plan.Schedule is not (AdaFactorScheduleOptions or ConstantScheduleOptions))
            yield return $"TrainingPlan.Schedule is {plan.Schedule.Name}: it is not followed, because AdaFactorOptions.RelativeStep is "
                + "True. Set RelativeStep to false to follow it.";
    }

    private IEnumerable<string> FixedWarnings(TrainingPlan plan)
    {
        if (plan.Schedule is not ConstantWithWarmupScheduleOptions)
            yield return $"TrainingPlan.Schedule is {plan.Schedule.Name}: with AdaFactorOptions.RelativeStep False "
                + "constant_with_warmup is advised.";
        if (plan is { Gradients: null, MaxGradientNorm: { } norm })
            yield return FormattableString.Invariant($"TrainingPlan.MaxGradientNorm is {norm}: AdaFactor limits its steps itself. ")
                + "Set it to null with AdaFactorOptions.RelativeStep False.";
        if (ClipThreshold != 1)
            yield return FormattableString.Invariant($"AdaFactorOptions.ClipThreshold is {ClipThreshold}: 1 is advised.");
    }

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new AdaFactor(this, groups);
}
