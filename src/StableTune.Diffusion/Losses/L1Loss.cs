using StableTune.Diffusion;

namespace StableTune;

/// <summary>The absolute error |p - y| ("l1").</summary>
public sealed record L1Loss : OptionsBase, ILoss
{
    /// <inheritdoc/>
    public string Name => "l1";

    /// <inheritdoc/>
    public Tensor PerElement(Tensor predicted, Tensor target, NoiseSchedule schedule, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        return (predicted.to(ScalarType.Float32) - target.to(ScalarType.Float32)).abs().MoveToOuterDisposeScope();
    }
}

/// <summary>The absolute error for any builder that has a place for a loss.</summary>
public static class L1LossExtensions
{
    /// <summary>Trains on the absolute instead of the squared error.</summary>
    public static TBuilder WithL1Loss<TBuilder>(this TBuilder builder) where TBuilder : ILossSocket<TBuilder> =>
        builder.WithLoss(new L1Loss());
}
