namespace StableTune.Data;

/// <summary>A file that a preparation tool had to leave out.</summary>
/// <param name="Path">The file.</param>
/// <param name="Reason">Why, as a sentence without its full stop.</param>
public sealed record SkippedFile(string Path, string Reason)
{
    /// <summary>A result that is there already and is kept.</summary>
    internal static SkippedFile There(string path) =>
        new(path, "it is there already and is kept (KeepExisting); set Overwrite to write it again");
}

/// <summary>How many images have a training size.</summary>
/// <param name="Size">The training size.</param>
/// <param name="Images">Its images.</param>
public sealed record BucketCount(Imaging.PixelSize Size, int Images);

/// <summary>What a preparation tool did: it goes on after a bad file, and tells all of them here.</summary>
/// <param name="Done">Files that were dealt with.</param>
/// <param name="Skipped">Files that were left out, and why.</param>
public sealed record PreparationReport(int Done, IReadOnlyList<SkippedFile> Skipped)
{
    /// <summary>Of tools that choose training sizes: how many images have each, smallest width first. Otherwise empty.</summary>
    public IReadOnlyList<BucketCount> Buckets { get; init; } = [];

    /// <summary>
    /// Of tools that choose training sizes: the mean difference between the aspect ratio (width / height) of an image and that of its
    /// training size. Null otherwise.
    /// </summary>
    public double? MeanAspectError { get; init; }

    /// <summary>The report with training sizes.</summary>
    internal PreparationReport With(IEnumerable<(Imaging.PixelSize Image, Imaging.PixelSize Chosen)> sizes)
    {
        var all = sizes.ToList();
        return all.Count == 0 ? this : this with
        {
            Buckets = [.. all.GroupBy(size => size.Chosen, (size, images) => new BucketCount(size, images.Count()))
                .OrderBy(bucket => bucket.Size.Width).ThenBy(bucket => bucket.Size.Height)],
            MeanAspectError = all.Average(size => Math.Abs(size.Chosen.AspectRatio - size.Image.AspectRatio)),
        };
    }

    /// <summary>The report with files that were left out before.</summary>
    internal PreparationReport And(IEnumerable<SkippedFile> before) => this with { Skipped = [.. before, .. Skipped] };

    /// <summary>The report in a few lines for people.</summary>
    public override string ToString() => string.Join('\n', Lines());

    private IEnumerable<string> Lines()
    {
        yield return Skipped.Count == 0 ? $"{Done} done." : $"{Done} done, {Skipped.Count} left out:";
        foreach (var file in Skipped) yield return $"  {file.Path}: {file.Reason}";
        foreach (var bucket in Buckets) yield return $"size {bucket.Size}: {bucket.Images} images";
        if (MeanAspectError is { } error) yield return FormattableString.Invariant($"mean aspect error: {error:0.####}");
    }
}
