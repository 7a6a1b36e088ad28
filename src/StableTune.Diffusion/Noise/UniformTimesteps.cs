using StableTune.Diffusion;

namespace StableTune;

/// <summary>Every timestep of a range is equally likely; each sample draws its own.</summary>
public sealed record UniformTimesteps : OptionsBase, ITimestepSource
{
    /// <summary>The first timestep, included. Default 0.</summary>
    public int Min { get; init; }

    /// <summary>The end of the range, excluded. Default 1000, all timesteps of Stable Diffusion.</summary>
    public int Max { get; init; } = 1000;

    /// <inheritdoc/>
    /// <remarks>sd-scripts lets Max equal Min and then uses that one timestep; here that is [t, t + 1).</remarks>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Min < 0) yield return Problem(Min, "timesteps start at 0", "give 0 or more");
        if (Max <= Min)
            yield return Problem(Max, $"the end of the range, which is excluded, must lie above Min ({Min})",
                "give 1000 for all timesteps");
    }

    /// <inheritdoc/>
    public Tensor Draw(int count, Generator generator) =>
        randint(Min, Max, [count], dtype: ScalarType.Int64, device: generator.device, generator: generator);
}

/// <summary>Noise and timesteps for any builder that has a place for them.</summary>
public static class NoiseExtensions
{
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
        if (!(from >= 0 && from < to && to <= 1))
            throw new ArgumentOutOfRangeException(nameof(to), to,
                $"{from} to {to} is no share of the timesteps: give 0 to 1, the first lower.");
        const int all = 1000;
        var min = (int)(from * all);
        return builder.WithTimesteps(new UniformTimesteps { Min = min, Max = Math.Max(min + 1, (int)(to * all)) });
    }
}
