using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>
/// Shows the images of a list to a model, several at once, and does something with each answer. Images are decoded ahead on other
/// threads: no more than two batches of
/// them (or two for each thread) are in memory. A bad file is left out, and the rest goes on.
/// </summary>
/// <typeparam name="T">What the model answers for an image.</typeparam>
/// <param name="Files">The images.</param>
/// <param name="Stage">What progress calls it.</param>
internal sealed record PictureWork<T>(IReadOnlyList<string> Files, string Stage)
{
    /// <summary>Images that the model is shown at once, at least 1.</summary>
    internal int BatchSize { get; init; } = 1;

    /// <summary>Threads that decode; with 0 the calling thread does.</summary>
    internal int Workers { get; init; }

    /// <summary>Whether photographs are turned as their EXIF orientation says.</summary>
    internal bool ApplyExifOrientation { get; init; } = true;

    /// <summary>Makes of a decoded image, which is RGB, what the model is shown; on the threads that decode. Null shows it as it
    /// is.</summary>
    internal Func<PixelImage, PixelImage>? Prepare { get; init; }

    /// <summary>Asks the model, on the calling thread, with images that are RGB; one answer for each.</summary>
    internal required Func<IReadOnlyList<PixelImage>, CancellationToken, IReadOnlyList<T>> Ask { get; init; }

    /// <summary>Does something with an answer, on the calling thread; says what it left out.</summary>
    internal required Func<ShownImage, T, IEnumerable<SkippedFile>> Keep { get; init; }

    /// <summary>Does the work.</summary>
    /// <param name="progress">Counts images, on the calling thread.</param>
    /// <param name="cancellationToken">Ends the work between batches; what was kept stays.</param>
    internal PreparationReport Run(IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        var skipped = new IReadOnlyList<SkippedFile>[Files.Count];
        var (batch, seen, done) = (new List<Picture>(BatchSize), 0, 0);
        using var pictures = new OrderedPrefetch<Picture>(Files.Count, Workers, Math.Max(BatchSize, 2 * Workers), (index, _) =>
            Load(index), _ => { });
        while (pictures.Next(cancellationToken) is { } picture)
        {
            seen++;
            if (picture.Shown is null) Finish(picture.Index, [picture.Fault!]);
            else batch.Add(picture);
            if (batch.Count == 0 || (batch.Count < BatchSize && seen < Files.Count)) continue;
            Answer(batch, Finish, cancellationToken);
            batch.Clear();
        }

        return new(skipped.Count(list => list.Count == 0), [.. skipped.SelectMany(list => list)]);

        void Finish(int index, IReadOnlyList<SkippedFile> leftOut)
        {
            skipped[index] = leftOut;
            progress?.Report(new() { Stage = Stage, Done = ++done, Total = Files.Count });
        }
    }

    private Picture Load(int index)
    {
        try
        {
            var image = ImageFile.Load(Files[index], new() { KeepAlpha = true, ApplyExifOrientation = ApplyExifOrientation });
            var opaque = image.Over(PixelColor.White);
            return new(index, new(Files[index], Prepare is null ? opaque : Prepare(opaque), opaque.Size), null);
        }
        catch (Exception e) when (FileProblems.IsAboutFiles(e))
        {
            return new(index, null, new(Files[index], FileProblems.Reason(e)));
        }
    }

    private void Answer(IReadOnlyList<Picture> batch, Action<int, IReadOnlyList<SkippedFile>> finish, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        IReadOnlyList<T> answers;
        try
        {
            answers = Ask([.. batch.Select(picture => picture.Shown!.Image)], cancellationToken);
        }
        catch (Exception e) when (FileProblems.IsAboutFiles(e))
        {
            if (batch.Count == 1) finish(batch[0].Index, [new(Files[batch[0].Index], FileProblems.Reason(e))]);
            // one of them may have spoiled it for the others
            else foreach (var picture in batch) Answer([picture], finish, cancellationToken);
            return;
        }

        if (answers?.Count != batch.Count)
            throw new InvalidOperationException(
                $"{Stage}: {batch.Count} image(s) were shown and {answers?.Count ?? 0} answer(s) given. Give one answer for each image, "
                    + $"in their order.");
        for (var i = 0; i < batch.Count; i++) finish(batch[i].Index, Kept(batch[i].Shown!, answers[i]));
    }

    private IReadOnlyList<SkippedFile> Kept(ShownImage shown, T answer)
    {
        try
        {
            return [.. Keep(shown, answer)];
        }
        catch (Exception e) when (FileProblems.IsAboutFiles(e))
        {
            return [new(shown.Path, FileProblems.Reason(e))];
        }
    }

    /// <summary>A decoded image, or why it is none.</summary>
    private sealed record Picture(int Index, ShownImage? Shown, SkippedFile? Fault);
}

/// <summary>An image that a model was shown.</summary>
/// <param name="Path">Its file.</param>
/// <param name="Image">As the model saw it.</param>
/// <param name="Size">The size that it has in the file, upright.</param>
internal sealed record ShownImage(string Path, PixelImage Image, PixelSize Size);
