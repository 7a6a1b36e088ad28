using StableTune.Diffusion;

namespace StableTune;

/// <summary>What the two Huber losses share: √((p - y)² + c²) - c times a factor, and a threshold c that depends on the timestep.</summary>
public abstract record PseudoHuberLoss : OptionsBase, ILoss
{
    private protected PseudoHuberLoss()
    {
    }

    /// <inheritdoc/>
    public abstract string Name { get; }

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
        var shape = new long[predicted.dim()];
        Array.Fill(shape, 1);
        shape[0] = -1;
        var c = Schedule.Threshold(schedule, timesteps, C, Scale).reshape(shape);   // [B, 1, 1, 1]
        var excess = ((predicted.to(ScalarType.Float32) - target.to(ScalarType.Float32)).pow(2) + c.pow(2)).sqrt() - c;
        return Scaled(excess, c).MoveToOuterDisposeScope();
    }

    /// <summary>The loss.</summary>
    /// <param name="excess">√((p - y)² + c²) - c, [B, C, h, w].</param>
    /// <param name="c">The threshold, [B, 1, 1, 1].</param>
    private protected abstract Tensor Scaled(Tensor excess, Tensor c);
}
