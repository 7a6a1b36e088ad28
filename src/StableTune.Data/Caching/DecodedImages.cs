namespace StableTune.Data;

/// <summary>Images of one size, read; or what is wrong with them.</summary>
internal sealed class DecodedImages : IDisposable
{
    private DecodedImages(IReadOnlyList<TrainingSample> samples, PreparedImages? images, IReadOnlyList<OptionProblem> problems) =>
        (Samples, Pixels, Masks, Problems) = (
            samples, images?.Pixels?.DetachFromDisposeScope(), images?.Masks?.DetachFromDisposeScope(), problems);

    internal IReadOnlyList<TrainingSample> Samples { get; }

    /// <summary>[B, 3, H, W], float32 in [-1, 1]; null when an image is bad.</summary>
    internal Tensor? Pixels { get; }

    /// <summary>[B, 1, H/8, W/8], float32 in [0, 1]; null when no image has a mask.</summary>
    internal Tensor? Masks { get; }

    /// <summary>One for each bad image.</summary>
    internal IReadOnlyList<OptionProblem> Problems { get; }

    internal static DecodedImages Read(IReadOnlyList<TrainingSample> samples, CancellationToken cancellationToken)
    {
        try
        {
            using var scope = NewDisposeScope();
            var plain = PreparedImages.Load(samples, [.. samples.Select(ImageDraw.Plain)], cancellationToken);
            plain.Conditioning?.Dispose();
            return new(samples, plain, []);
        }
        catch (InvalidFileException)
        {
            // all of them, not only the first
            return new(samples, null, [.. samples.Select(sample => SampleFiles.Read(sample).Fault).OfType<OptionProblem>()]);
        }
    }

    /// <summary>Frees the pixels and masks.</summary>
    public void Dispose()
    {
        Pixels?.Dispose();
        Masks?.Dispose();
    }
}
