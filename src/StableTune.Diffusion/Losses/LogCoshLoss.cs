using StableTune.Diffusion;
using StableTune.Losses;

namespace StableTune.Losses
{
    /// <summary>log cosh(p - y): half the square for small errors, |p - y| - log 2 for large ones.</summary>
    public sealed record LogCoshLoss : OptionsBase, ILoss
    {
        /// <inheritdoc/>
        public string Name => "log_cosh";

        /// <inheritdoc/>
        /// <remarks>|d| + log(1 + exp(-2|d|)) - log 2 does not overflow; the derivative is tanh d.</remarks>
        public Tensor PerElement(Tensor predicted, Tensor target, NoiseSchedule schedule, Tensor timesteps)
        {
            using var scope = NewDisposeScope();
            var size = (predicted.to(ScalarType.Float32) - target.to(ScalarType.Float32)).abs();
            return (size + (size * -2).exp().log1p() - Math.Log(2)).MoveToOuterDisposeScope();
        }
    }
}

// One using of StableTune is enough to build a run: what extends builders stays there.
namespace StableTune
{
    /// <summary>The logarithmic loss for any builder that has a place for a loss.</summary>
    public static class LogCoshLossExtensions
    {
        /// <summary>Trains on log cosh of the error: squared for small errors, absolute for large ones.</summary>
        public static TBuilder WithLogCoshLoss<TBuilder>(this TBuilder builder)
            where TBuilder : ILossSocket<TBuilder> => builder.WithLoss(new LogCoshLoss());
    }
}
