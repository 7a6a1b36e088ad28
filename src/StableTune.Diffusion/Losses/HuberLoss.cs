using StableTune.Diffusion;

namespace StableTune;

/// <summary>The pseudo-Huber loss 2c(√((p - y)² + c²) - c): squared for small errors, 2c|p - y| for large ones.</summary>
public sealed record HuberLoss : OptionsBase, ILoss
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
        return (PseudoHuber.Excess(predicted, target, ref c) * (2 * c)).MoveToOuterDisposeScope();
    }
}

/// <summary>What the two Huber losses share.</summary>
internal static class PseudoHuber
{
    /// <summary>√((p - y)² + c²) - c, [B, C, h, w], for c [B], which comes back as [B, 1, 1, 1].</summary>
    internal static Tensor Excess(Tensor predicted, Tensor target, ref Tensor c)
    {
        var shape = new long[predicted.dim()];
        Array.Fill(shape, 1);
        shape[0] = -1;
        c = c.reshape(shape);
        return ((predicted.to(ScalarType.Float32) - target.to(ScalarType.Float32)).pow(2) + c.pow(2)).sqrt() - c;
    }
}

/// <summary>The Huber loss for any builder that has a place for a loss.</summary>
public static class HuberLossExtensions
{
    /// <summary>Trains on the pseudo-Huber loss, which minds outliers less than the squared error.</summary>
    public static TBuilder WithHuberLoss<TBuilder>(this TBuilder builder, HuberLoss? loss = null)
        where TBuilder : ILossSocket<TBuilder> => builder.WithLoss(loss ?? new HuberLoss());
}
