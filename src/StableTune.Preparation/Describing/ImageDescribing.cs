using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>What captioning and tagging of a folder have in common.</summary>
internal static class ImageDescribing
{
    /// <summary>Shows the images to a model and keeps what it says.</summary>
    /// <param name="options">Which images, and where the texts go; valid.</param>
    /// <param name="model">The model.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work; texts that were made stay.</param>
    internal static PreparationReport Run<T>(ImageTextOptions options, ImageModel<T> model, IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken)
    {
        var places = ImageTexts.Open(options);
        var search = ImageSearch.In(options.ImageFolder!, options.Recursive);
        var images = search.Images.Select(image => new ImageToDescribe(image.Path, image.Key)).ToList();
        var byPath = images.ToDictionary(image => image.Path, StringComparer.Ordinal);
        var doubles = options.Output is null ? ImageFiles.Doubles(images.Select(image => image.Path)) : new HashSet<string>();
        if (options.Existing == ExistingText.Refuse) ThrowIfAny(options, [.. images.Where(image => places.WhatIsThere(image) is not null)]);
        var leftOut = images.Select(LeftOut).OfType<SkippedFile>().ToList();
        var work = new PictureWork<T>(
            [.. images.Select(image => image.Path).Except(leftOut.Select(file => file.Path), StringComparer.Ordinal)], model.Stage)
        {
            BatchSize = options.BatchSize,
            Workers = options.Workers,
            ApplyExifOrientation = options.ApplyExifOrientation,
            Prepare = model.Prepare,
            Ask = model.Ask,
            Keep = Keep,
        };
        try
        {
            return work.Run(progress, cancellationToken).And([.. search.LeftOut, .. ImageFiles.LeftOut(options.ImageFolder!), .. leftOut]);
        }
        finally
        {
            places.Complete();                                              // hours of work may be in it, also when something ended them
        }

        SkippedFile? LeftOut(ImageToDescribe image) => doubles.Contains(image.Path) ? ImageFiles.Double(image.Path)
            : options.Existing == ExistingText.Skip && places.WhatIsThere(image) is { } reason ? new(image.Path, reason) : null;

        IEnumerable<SkippedFile> Keep(ShownImage shown, T answer)
        {
            var image = byPath[shown.Path];
            if (model.Text(options.Existing == ExistingText.Append ? places.Read(image) : "", answer) is not { } kept)
                return [new(shown.Path, "nothing was said about it")];
            places.Write(image, shown.Size, kept);
            options.Written?.Report(new(shown.Path, kept));
            return [];
        }
    }

    private static void ThrowIfAny(ImageTextOptions options, List<ImageToDescribe> there)
    {
        if (there.Count == 0) return;
        throw new InvalidOptionsException([new($"{options.GetType().Name}.{nameof(options.Existing)}", options.Existing,
            $"{there.Count} image(s) have a text already: {ImageFiles.Names([.. there.Select(image => image.Path)])}",
            "set ExistingText.Overwrite to replace the texts, Append to add to them, or Skip to leave the images out")]);
    }
}

/// <summary>A model that says something about images.</summary>
/// <param name="Stage">What progress calls the work.</param>
/// <param name="Prepare">Makes of an image what the model is shown, on several threads.</param>
/// <param name="Ask">Asks the model.</param>
/// <param name="Text">From the text that is there (empty where it has none, or does not count) and an answer to the text to keep; null
/// leaves the image out.</param>
internal sealed record ImageModel<T>(
    string Stage, Func<PixelImage, PixelImage> Prepare, Func<IReadOnlyList<PixelImage>, CancellationToken, IReadOnlyList<T>> Ask,
    Func<string, T, string?> Text);
