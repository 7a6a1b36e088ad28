using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>How bad something is.</summary>
public enum FindingSeverity
{
    /// <summary>Training works; the result may suffer.</summary>
    Warning,

    /// <summary>Training would stop there.</summary>
    Error,
}

/// <summary>What was found.</summary>
public enum FindingKind
{
    /// <summary>
    /// The file, its second image, its mask or its features are damaged or cut short; or the image changed since the data set was built.
    /// </summary>
    Unreadable,

    /// <summary>The image is smaller than its training size, or has less than a fourth of the pixels of the resolution.</summary>
    TooSmall,

    /// <summary>The image is very long or very tall.</summary>
    OddShape,

    /// <summary>Much of the picture is cut away.</summary>
    CropLoss,

    /// <summary>There is neither a caption nor class tokens: the image is trained without text.</summary>
    NoCaption,

    /// <summary>The caption has more tokens than the text encoder sees.</summary>
    LongCaption,

    /// <summary>Captions or their parts are always dropped.</summary>
    NeverUsed,

    /// <summary>A file, or one that looks the same, is there twice.</summary>
    Duplicate,

    /// <summary>The image is far larger than anything that is trained: reading it takes time and memory in every epoch.</summary>
    TooLarge,

    /// <summary>Parts of the image are transparent, and the colours that are stored there unseen are trained.</summary>
    Transparent,

    /// <summary>The image has 16 bits a channel, of which 8 are trained; or grey values that are clipped.</summary>
    SixteenBit,

    /// <summary>The file is an animation or has several pages, of which the first is trained.</summary>
    SeveralPictures,
}

/// <summary>Something that is wrong or odd about an image of a data set.</summary>
/// <param name="Severity">How bad it is.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Path">The image, or the folder where it concerns all of one.</param>
/// <param name="Message">What it is in words, beginning in lower case, without a full stop.</param>
public sealed record DatasetFinding(FindingSeverity Severity, FindingKind Kind, string Path, string Message)
{
    /// <summary>The training size at which it is so; null where the size does not matter. One image may be trained at several.</summary>
    public PixelSize? Size { get; init; }
}

/// <summary>Everything that was found in one pass over a data set.</summary>
/// <param name="ImageCount">Images that were looked at.</param>
/// <param name="Findings">Errors first, then by kind, then in the order of the images.</param>
public sealed record DatasetCheckReport(int ImageCount, IReadOnlyList<DatasetFinding> Findings)
{
    private const int Shown = 5;

    /// <summary>Findings at which training would stop.</summary>
    public int ErrorCount => Findings.Count(finding => finding.Severity == FindingSeverity.Error);

    /// <summary>Findings that training survives.</summary>
    public int WarningCount => Findings.Count - ErrorCount;

    /// <summary>Throws when there are errors; the message lists every one.</summary>
    /// <returns>This report.</returns>
    /// <exception cref="InvalidOptionsException">There are errors.</exception>
    public DatasetCheckReport ThrowIfErrors()
    {
        InvalidOptionsException.ThrowIfAny(Findings.Where(finding => finding.Severity == FindingSeverity.Error)
            .Select(finding => new OptionProblem("DatasetItem.Path", finding.Path, finding.Message,
                "mend or remove the file, or let OnBadImage skip it")));
        return this;
    }

    /// <summary>The findings in lines for people: each kind with its number and the first images.</summary>
    public override string ToString()
    {
        var lines = new List<string> { $"{ImageCount} images: {ErrorCount} errors, {WarningCount} warnings." };
        foreach (var kind in Findings.GroupBy(finding => (finding.Severity, finding.Kind)))
        {
            lines.Add($"{kind.Key.Severity}, {kind.Key.Kind}: {kind.Count()}");
            lines.AddRange(kind.Take(Shown).Select(finding => $"  {finding.Path}: {finding.Message}"));
            if (kind.Count() > Shown) lines.Add($"  ... and {kind.Count() - Shown} more");
        }

        return string.Join('\n', lines);
    }
}
