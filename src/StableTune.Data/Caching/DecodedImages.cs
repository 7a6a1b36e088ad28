namespace StableTune.Data;

/// <summary>Images of one size, read; or what is wrong with them.</summary>
internal sealed class DecodedImages : IDisposable
{
    private DecodedImages(IReadOnlyList<TrainingSample> samples, Tensor? pixels, IReadOnlyList<OptionProblem> problems) =>
        (Samples, Pixels, Problems) = (samples, pixels, problems);

    internal IReadOnlyList<TrainingSample> Samples { get; }

    /// <summary>[B, 3, H, W], float32 in [-1, 1]; null when an image is bad.</summary>
    internal Tensor? Pixels { get; }

    /// <summary>One for each bad image.</summary>
    internal IReadOnlyList<OptionProblem> Problems { get; }

    internal static DecodedImages Read(IReadOnlyList<TrainingSample> samples, CancellationToken cancellationToken)
    {
        try
        {
            return new(samples, ImagePreparation.LoadPixels(samples, cancellationToken).DetachFromDisposeScope(), []);
        }
        catch (InvalidFileException)
        {
            return new(samples, null, [.. samples.Select(ImageCheck.Problem).OfType<OptionProblem>()]);      // all of them, not only the first
        }
    }

    /// <summary>Frees the pixels.</summary>
    public void Dispose() => Pixels?.Dispose();
}
