using StableTune.Diffusion;

namespace StableTune;

/// <summary>Every timestep of a range is equally likely; each sample draws its own.</summary>
public sealed record UniformTimesteps : OptionsBase, ITimestepSource
{
    /// <summary>The first timestep, included. Default 0.</summary>
    public int Min { get; init; }

    /// <summary>The end of the range, excluded. Default 1000, all timesteps of Stable Diffusion.</summary>
    public int Max { get; init; } = TimestepDistribution.Count;

    (int Min, int Max)? ITimestepSource.Range => (Min, Max);

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
