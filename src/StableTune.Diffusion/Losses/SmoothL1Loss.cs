using StableTune.Diffusion;

namespace StableTune;

/// <summary>The smooth absolute error 2(√((p - y)² + c²) - c): the Huber loss divided by its threshold.</summary>
public sealed record SmoothL1Loss : PseudoHuberLoss
{
    /// <inheritdoc/>
    public override string Name => "smooth_l1";

    private protected override Tensor Scaled(Tensor excess, Tensor c) => excess * 2;
}

/// <summary>The smooth absolute error for any builder that has a place for a loss.</summary>
public static class SmoothL1LossExtensions
{
    /// <summary>Trains on the smooth absolute error.</summary>
    public static TBuilder WithSmoothL1Loss<TBuilder>(this TBuilder builder, SmoothL1Loss? loss = null)
        where TBuilder : ILossSocket<TBuilder> => builder.WithLoss(loss ?? new SmoothL1Loss());
}
