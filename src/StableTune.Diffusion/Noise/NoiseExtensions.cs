using StableTune.Diffusion;

namespace StableTune;

/// <summary>Noise and timesteps for any builder that has a place for them. The order of the calls does not matter.</summary>
public static class NoiseExtensions
{
    /// <summary>Adds a common offset to the noise of each channel; see <see cref="OffsetNoise"/>.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="offset">The strength; 0.05 to 0.1 is customary.</param>
    /// <param name="adaptiveScale">How much stronger it is where a channel's mean is far from 0; null for the same everywhere.</param>
    /// <param name="randomStrength">Whether each batch draws its strength between 0 and the offset.</param>
    public static TBuilder WithNoiseOffset<TBuilder>(
        this TBuilder builder, double offset = 0.1, double? adaptiveScale = null, bool randomStrength = false)
        where TBuilder : INoiseSocket<TBuilder> => builder.WithNoiseLayer(
            new OffsetNoise { Offset = offset, AdaptiveScale = adaptiveScale, RandomStrength = randomStrength });

    /// <summary>Adds coarser and coarser noise; see <see cref="MultiResolutionNoise"/>.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="iterations">Levels; 6 to 10 is customary.</param>
    /// <param name="discount">How strong each level is in parts of the one before.</param>
    public static TBuilder WithMultiResolutionNoise<TBuilder>(this TBuilder builder, int iterations = 6, double discount = 0.3)
        where TBuilder : INoiseSocket<TBuilder> => builder.WithNoiseLayer(
            new MultiResolutionNoise { Iterations = iterations, Discount = discount });

    /// <summary>Adds more noise to the latents than the prediction is compared with; see <see cref="InputPerturbation"/>.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="gamma">The strength; 0.1 is customary.</param>
    /// <param name="randomStrength">Whether each batch draws its strength between 0 and gamma.</param>
    public static TBuilder WithInputPerturbation<TBuilder>(this TBuilder builder, double gamma = 0.1, bool randomStrength = false)
        where TBuilder : INoiseSocket<TBuilder> => builder.WithNoiseLayer(
            new InputPerturbation { Gamma = gamma, RandomStrength = randomStrength });

    /// <summary>Trains on timesteps of [min, max) only: low ones carry little noise and favour detail, high ones favour layout.</summary>
    public static TBuilder WithTimestepRange<TBuilder>(this TBuilder builder, int min, int max)
        where TBuilder : INoiseSocket<TBuilder> => builder.WithTimesteps(new UniformTimesteps { Min = min, Max = max });

    /// <summary>
    /// Trains on a share of the timesteps (sd-trainer: <c>step_range</c>): 0 to 0.5 are those of little noise, which favour style, 0.5 to 1
    /// those of much, which favour layout.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="from">Where the share begins, 0 to 1.</param>
    /// <param name="to">Where it ends, above <paramref name="from"/>, to 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The two are no share.</exception>
    public static TBuilder WithTimestepShare<TBuilder>(this TBuilder builder, double from, double to)
        where TBuilder : INoiseSocket<TBuilder>
    {
        var (min, max) = TimestepShare(from, to);
        return builder.WithTimesteps(new UniformTimesteps { Min = min, Max = max });
    }

    /// <summary>The timesteps of a share of all.</summary>
    internal static (int Min, int Max) TimestepShare(double from, double to)
    {
        if (!(from >= 0 && from < to && to <= 1))
            throw new ArgumentOutOfRangeException(nameof(to), to,
                $"{from} to {to} is no share of the timesteps: give 0 to 1, the first lower.");
        var min = (int)(from * TimestepDistribution.Count);
        return (min, Math.Max(min + 1, (int)(to * TimestepDistribution.Count)));
    }
}
