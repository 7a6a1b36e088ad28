using StableTune.Diffusion;

namespace StableTune;

/// <summary>The pseudo-Huber loss 2c(√((p - y)² + c²) - c): squared for small errors, 2c|p - y| for large ones.</summary>
public sealed record HuberLoss : PseudoHuberLoss
{
    /// <inheritdoc/>
    public override string Name => "huber";

    private protected override Tensor Scaled(Tensor excess, Tensor c) => excess * (2 * c);
}

/// <summary>The Huber loss for any builder that has a place for a loss.</summary>
public static class HuberLossExtensions
{
    /// <summary>Trains on the pseudo-Huber loss, which minds outliers less than the squared error.</summary>
    public static TBuilder WithHuberLoss<TBuilder>(this TBuilder builder, HuberLoss? loss = null)
        where TBuilder : ILossSocket<TBuilder> => builder.WithLoss(loss ?? new HuberLoss());
}
