namespace StableTune.Diffusion;

/// <summary>The times a sampler walks through, from noise to image.</summary>
public sealed record SamplingTimes
{
    /// <summary>Times at which steps begin, decreasing, [S].</summary>
    public required IReadOnlyList<double> Timesteps { get; init; }

    /// <summary>Noise levels, decreasing, the last one 0, [S + 1]; empty for samplers that work with ᾱ.</summary>
    public IReadOnlyList<float> Sigmas { get; init; } = [];

    /// <summary>The standard deviation of the noise that a walk over all steps starts from.</summary>
    public float InitialSigma { get; init; } = 1;
}
