using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>One file of each image of a folder, made with a model: for <c>cat.jpg</c> a <c>cat.png</c> or <c>cat.npz</c>.</summary>
/// <typeparam name="T">What the model answers for an image.</typeparam>
/// <param name="Options">Where from, where to, and how; valid.</param>
/// <param name="Stage">What progress calls it.</param>
/// <param name="Extension">The extension of the results, with its dot.</param>
internal sealed record ModelFolderWork<T>(ModelFolderOptions Options, string Stage, string Extension)
{
    /// <summary>Asks the model, on the calling thread; one answer for each image.</summary>
    internal required Func<IReadOnlyList<PixelImage>, CancellationToken, IReadOnlyList<T>> Ask { get; init; }

    /// <summary>Done to each image before the model is shown it, on other threads; null does nothing.</summary>
    internal Func<PixelImage, PixelImage>? Prepare { get; init; }

    /// <summary>Writes a result to the path given; says why it did not, or null.</summary>
    internal required Func<string, ShownImage, T, string?> Write { get; init; }

    /// <summary>Does the work.</summary>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work between batches; complete files stay.</param>
    internal PreparationReport Run(IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        var images = ImageFiles.In(Options.Source!);
        var doubles = ImageFiles.Doubles(images);
        ExistingResults.ThrowIfAny($"{Options.GetType().Name}.Destination", Options.Destination!, images.Select(Target), Options.Overwrite,
            Options.KeepExisting);
        var leftOut = new List<SkippedFile>();
        var rest = new List<string>(images.Length);
        foreach (var path in images)
        {
            if (LeftOut(path) is { } file) leftOut.Add(file);
            else rest.Add(path);
        }

        return new PictureWork<T>(rest, Stage)
        {
            BatchSize = Options.BatchSize,
            Workers = Options.Workers,
            ApplyExifOrientation = Options.ApplyExifOrientation,
            Ask = Ask,
            Prepare = Prepare,
            Keep = (shown, answer) => Write(Target(shown.Path), shown, answer) is { } reason ? [new(shown.Path, reason)] : [],
        }.Run(progress, cancellationToken).And([.. ImageFiles.LeftOut(Options.Source!), .. leftOut]);

        SkippedFile? LeftOut(string path) => doubles.Contains(path) ? ImageFiles.Double(path) : !Options.Overwrite
            && File.Exists(Target(path)) ? SkippedFile.There(Target(path)) : null;
    }

    private string Target(string path) => Path.Combine(Options.Destination!, Path.GetFileNameWithoutExtension(path) + Extension);
}
