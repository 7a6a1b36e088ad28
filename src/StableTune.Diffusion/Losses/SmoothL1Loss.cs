using StableTune.Diffusion;

namespace StableTune;

/// <summary>The smooth absolute error 2(√((p - y)² + c²) - c): the Huber loss divided by its threshold.</summary>
public sealed record SmoothL1Loss : OptionsBase, ILoss
{
    /// <summary>The threshold c that the schedule starts from. Default 0.1.</summary>
    public double C { get; init; } = 0.1;

    /// <summary>A factor of the threshold; not used by the schedule <see cref="HuberSchedule.Snr"/>. Default 1.</summary>
    public double Scale { get; init; } = 1;

    /// <summary>How the threshold depends on the timestep. Default <see cref="HuberSchedule.Snr"/>.</summary>
    public HuberSchedule Schedule { get; init; } = HuberSchedule.Snr;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(C > 0 && double.IsFinite(C))) yield return Problem(C, "the threshold must be positive", "0.1 is customary");
        if (!(Scale > 0 && double.IsFinite(Scale))) yield return Problem(Scale, "the scale must be positive", "1 leaves the threshold as it is");
    }

    /// <inheritdoc/>
    public Tensor PerElement(Tensor predicted, Tensor target, NoiseSchedule schedule, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        var c = Schedule.Threshold(schedule, timesteps, C, Scale);
        return (PseudoHuber.Excess(predicted, target, ref c) * 2).MoveToOuterDisposeScope();
    }
}

/// <summary>The smooth absolute error for any builder that has a place for a loss.</summary>
public static class SmoothL1LossExtensions
{
    /// <summary>Trains on the smooth absolute error.</summary>
    public static TBuilder WithSmoothL1Loss<TBuilder>(this TBuilder builder, SmoothL1Loss? loss = null)
        where TBuilder : ILossSocket<TBuilder> => builder.WithLoss(loss ?? new SmoothL1Loss());
}
