using StableTune.Data;

namespace StableTune.Preparation;

/// <summary>What happens to an image that has a text already.</summary>
public enum ExistingText
{
    /// <summary>The work does not begin where images have texts already; the problem tells how many. The default.</summary>
    Refuse,

    /// <summary>The image is left out, and not even read; the report tells it.</summary>
    Skip,

    /// <summary>The new text takes its place.</summary>
    Overwrite,

    /// <summary>The new text is added to it.</summary>
    Append,
}

/// <summary>A text about an image.</summary>
/// <param name="Path">The image's file.</param>
/// <param name="Text">Its text as it was written, without the line end.</param>
public sealed record ImageText(string Path, string Text);

/// <summary>How texts about the images of a folder are made and where they go: what captions and tags have in common.</summary>
public abstract record ImageTextOptions : OptionsBase
{
    /// <summary>The folder of the images; required.</summary>
    public string? ImageFolder { get; init; }

    /// <summary>Whether folders inside are searched too. Default false.</summary>
    public bool Recursive { get; init; }

    /// <summary>
    /// A metadata file to write all texts into, <c>.json</c> or <c>.jsonl</c>, by path and with the size of each image. What else it says
    /// stays. It is written after every 256 images and at the end, also where the work is cancelled. Null, the default, writes a text file
    /// beside each image.
    /// </summary>
    public string? Output { get; init; }

    /// <summary>The extension of text files beside images, with or without its dot; null takes the customary one.</summary>
    public string? Extension { get; init; }

    /// <summary>
    /// What happens to images that have a text already. Default <see cref="ExistingText.Refuse"/>: it is said before the work begins.
    /// </summary>
    public ExistingText Existing { get; init; }

    /// <summary>Images that the model is shown at once. Twice as many are in memory. Default 1.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>Threads that read images ahead of the model. Default one less than the processors.</summary>
    public int Workers { get; init; } = new BatchLoaderOptions().Workers;

    /// <summary>Whether photographs are turned as their EXIF orientation says. Default true.</summary>
    public bool ApplyExifOrientation { get; init; } = true;

    /// <summary>Told of each text after it was written, on the calling thread; null tells nobody.</summary>
    public IProgress<ImageText>? Written { get; init; }

    /// <summary>Which of the texts of a metadata file this is.</summary>
    internal abstract MergedText Kind { get; }

    /// <summary>The extension in force, with its dot.</summary>
    internal string TextExtension => Extension is { } extension ? "." + extension.Trim().TrimStart('.') : Kind == MergedText.Captions
        ? ".caption" : ".txt";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in FolderRules.OfImages($"{GetType().Name}.{nameof(ImageFolder)}", ImageFolder)) yield return problem;
        if (Output is not null)
            foreach (var problem in MetadataFile.OfOutput($"{GetType().Name}.{nameof(Output)}", Output, Output, overwrite: false))
                yield return problem;
        if (Output is not null && Extension is not null)
            yield return Problem(Extension, $"all texts go into one file ({Output})", "set one of the two");
        if (Extension is not null && (Extension.Trim('.', ' ').Length == 0 || Extension.AsSpan().ContainsAny('/', '\\', '\0')))
            yield return Problem(Extension, "this is no extension of text files", "give for instance .txt");
        else if (ImageFiles.Extensions.Contains(TextExtension, StringComparer.OrdinalIgnoreCase))
            yield return Problem(Extension, "texts would replace the images", "give for instance .txt");
        if (!Enum.IsDefined(Existing)) yield return Problem(Existing, "there is no such way", "use ExistingText.Skip");
        if (BatchSize < 1) yield return Problem(BatchSize, "at least 1 image is shown at once", "1 always works");
        if (Workers < 0)
            yield return Problem(Workers, "the number of threads must not be negative", "0 reads images in the calling thread");
    }
}

/// <summary>How the images of a folder are captioned.</summary>
public sealed record CaptioningOptions : ImageTextOptions
{
    /// <summary>
    /// What stands between a text that is there and the caption that <see cref="ExistingText.Append"/> adds to it. Default a comma and a
    /// blank.
    /// </summary>
    public string Separator { get; init; } = ", ";

    internal override MergedText Kind => MergedText.Captions;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (string.IsNullOrEmpty(Separator))
            yield return Problem(Separator, "texts must be told apart", "a comma and a blank are customary");
    }
}

/// <summary>How the images of a folder are tagged.</summary>
public sealed record TaggingOptions : ImageTextOptions
{
    /// <summary>Which tags are written, and in which order.</summary>
    public TagSelection Selection { get; init; } = new();

    internal override MergedText Kind => MergedText.Tags;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() => base.Validate().Concat(Selection.Validate());
}
