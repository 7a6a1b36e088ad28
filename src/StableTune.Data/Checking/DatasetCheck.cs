using System.Globalization;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>Looks at every image of a data set once, and tells all that is wrong or odd.</summary>
internal static class DatasetCheck
{
    private const string TransparencyOptions = "DatasetOptions.Background, or LossMask.Alpha";

    /// <summary>One image with what the pass over the files found.</summary>
    /// <param name="Sample">The image.</param>
    /// <param name="Fault">Why it cannot be read; null when it can.</param>
    /// <param name="Print">What tells it from others; null when it was not read.</param>
    /// <param name="Transparency">The share of its pixels that are transparent.</param>
    internal sealed record Looked(TrainingSample Sample, string? Fault, Fingerprint? Print, double Transparency)
    {
        internal static Looked At(SampleFiles files) => new(files.Sample, files.FaultText, files switch
        {
            { Image: null } => null,
            { Sample.Item.Image: null } => Fingerprint.Of(files.Sample.Path, files.Image),
            _ => Fingerprint.Of(files.Image),
        }, files.Image is null ? 0 : PictureSurprises.Transparency(files.Sample));
    }

    internal static DatasetCheckReport Run(TrainingDataset dataset, DatasetCheckOptions options, IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken)
    {
        InvalidOptionsException.ThrowIfAny(options.Validate());
        // The same image may be trained at several sizes.
        return Run(dataset, options, !options.ReadPixels ? [] : SampleFiles.ReadAll(dataset.AllSamples, "checking the data set", Looked.At,
            progress, cancellationToken));
    }

    /// <param name="dataset">The data set.</param>
    /// <param name="options">Where odd begins.</param>
    /// <param name="looked">What reading found, in the order of the images; empty where they were not read.</param>
    internal static DatasetCheckReport Run(TrainingDataset dataset, DatasetCheckOptions options, IReadOnlyList<Looked> looked)
    {
        var samples = dataset.AllSamples;
        var findings = new List<DatasetFinding>();
        foreach (var image in looked.Where(image => image.Fault is not null).DistinctBy(image => image.Sample.Path))
            findings.Add(new(FindingSeverity.Error, FindingKind.Unreadable, image.Sample.Path, image.Fault!));
        findings.AddRange(samples.SelectMany(sample => Shapes(sample, options)));
        findings.AddRange(samples.DistinctBy(sample => sample.Path).SelectMany(sample => Files(sample, options)));
        foreach (var image in looked.Where(image => image.Transparency > options.LargestTransparency)
            .DistinctBy(image => image.Sample.Path))
            findings.Add(Odd(FindingKind.Transparent, image.Sample.Path,
                $"{image.Transparency:P0} of it are transparent, whose colours are trained: set {TransparencyOptions}"));
        findings.AddRange(samples.DistinctBy(sample => (sample.Path, sample.Caption)).SelectMany(sample => Captions(sample, options)));
        findings.AddRange(dataset.Folders.SelectMany(Unused));
        findings.AddRange(Doubles(looked));
        return new(samples.DistinctBy(sample => sample.Path).Count(),
            [.. findings.Distinct().OrderByDescending(finding => finding.Severity).ThenBy(finding => finding.Kind)]);
    }

    private static IEnumerable<DatasetFinding> Shapes(TrainingSample sample, DatasetCheckOptions options)
    {
        var (image, framing) = (sample.ImageSize, sample.Framing);
        var enlarged = Math.Max((double)framing.Resized.Width / image.Width, (double)framing.Resized.Height / image.Height);
        if (enlarged > options.LargestEnlargement)
            yield return Odd(FindingKind.TooSmall, sample.Path,
                $"it is {image} and will be enlarged {enlarged:0.##} times for {framing.Size}") with { Size = framing.Size };
        else if (sample.Item.PreparedFrom is null && sample.Dataset.Resolution is { } wanted && 4 * image.Area < wanted.Area)
            yield return Odd(FindingKind.TooSmall, sample.Path,
                $"it is {image}, less than a fourth of {wanted}: it shows the model little (MinimumImageArea leaves such images out)");
        var aspect = Math.Max(image.AspectRatio, 1 / image.AspectRatio);
        if (aspect > options.LargestAspect)
            yield return Odd(FindingKind.OddShape, sample.Path, $"it is {image}, {aspect:0.#} times as long as wide");
        var lost = 1 - ((double)framing.Size.Area / framing.Resized.Area);
        if (lost > options.LargestCropLoss)
            yield return Odd(FindingKind.CropLoss, sample.Path,
                $"{lost:P0} of it are cut away for {framing.Size}") with { Size = framing.Size };
    }

    private static IEnumerable<DatasetFinding> Files(TrainingSample sample, DatasetCheckOptions options)
    {
        if (sample.Item is { PreparedFrom: null, IsCachedOnly: false } && sample.ImageSize.Area > options.LargestImagePixels)
            yield return Odd(FindingKind.TooLarge, sample.Path,
                $"it is {sample.ImageSize}: reading it takes time and memory again and again; shrink it once with ImageResizing");
        foreach (var (kind, message) in PictureSurprises.OfHeader(sample)) yield return Odd(kind, sample.Path, $"{message}");
    }

    private static IEnumerable<DatasetFinding> Captions(TrainingSample sample, DatasetCheckOptions options)
    {
        if (sample.Item.TextOutputsPath is not null) yield break;             // the caption is not encoded
        if (sample.Caption.Trim().Length == 0)
            yield return Odd(FindingKind.NoCaption, sample.Path, $"it has no caption and no class tokens");
        else if (options.CountTokens is { } count && sample.Caption.Split('\n').Max(count) is var tokens
            && tokens > options.EffectiveMaxTokens)
            yield return Odd(FindingKind.LongCaption, sample.Path,
                $"its caption has {tokens} tokens, {options.EffectiveMaxTokens} are used");
    }

    private static IEnumerable<DatasetFinding> Unused(DatasetFolder folder)
    {
        var captions = folder.Options.Captions;
        if (captions.DropoutRate >= 1 || captions.DropoutEveryNEpochs == 1)
            yield return Odd(FindingKind.NeverUsed, folder.Name, $"its captions are always dropped");
        else if (captions.TagDropoutRate >= 1)
            yield return Odd(FindingKind.NeverUsed, folder.Name, $"all parts of its captions but those kept in place are always dropped");
    }

    private static IEnumerable<DatasetFinding> Doubles(IReadOnlyList<Looked> looked)
    {
        var prints = looked.Where(image => image.Print is not null).DistinctBy(image => image.Sample.Path)
            .Select(image => (image.Sample.Path, image.Print!.Value)).ToList();
        foreach (var group in DuplicateFinder.Group(prints))
            foreach (var path in group.Paths.Skip(1))
                yield return Odd(FindingKind.Duplicate, path, group.Identical ? $"it is the same file as {group.Paths[0]}"
                    : (FormattableString)$"it looks like {group.Paths[0]}");
    }

    private static DatasetFinding Odd(FindingKind kind, string path, FormattableString message) =>
        new(FindingSeverity.Warning, kind, path, message.ToString(CultureInfo.InvariantCulture));
}
