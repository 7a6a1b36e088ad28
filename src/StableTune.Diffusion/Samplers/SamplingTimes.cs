namespace StableTune.Samplers;

/// <summary>The times a sampler walks through, from noise to image.</summary>
public sealed record SamplingTimes
{
    /// <summary>Times at which steps begin, [S], not increasing. Where noise levels lie close together two may be the same.</summary>
    public required IReadOnlyList<double> Timesteps { get; init; }

    /// <summary>
    /// Noise levels, decreasing, [S + 1]; the last one is 0 unless the sampler stops short of the image. Empty for samplers that work
    /// with ᾱ.
    /// </summary>
    public IReadOnlyList<float> Sigmas { get; init; } = [];

    /// <summary>The standard deviation of the noise that a walk over all steps starts from.</summary>
    public float InitialSigma { get; init; } = 1;
}
