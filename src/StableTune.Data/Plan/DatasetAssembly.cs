using System.Collections.Immutable;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>Makes a data set from a plan, collecting every problem on the way instead of stopping at the first.</summary>
internal sealed partial class DatasetAssembly
{
    private const long MostPixels = 1L << 28;

    private readonly DatasetOptions _options;
    private readonly IReadOnlyList<string> _extensions;
    private readonly List<OptionProblem> _problems = [];
    private readonly List<string> _warnings = [];
    private readonly List<DatasetFolder> _folders = [];

    private readonly DatasetPlan _plan;
    private readonly IReadOnlyDictionary<string, OptionProblem> _damaged;

    private DatasetAssembly(DatasetPlan plan, IReadOnlyDictionary<string, OptionProblem> damaged)
        => (_plan, _options, _extensions, _damaged) = (plan, plan.Options, ImageFormats.Extensions(plan.Options.Codec), damaged);

    /// <param name="plan">What to make.</param>
    /// <param name="damaged">Images that are known not to serve although their headers are good: they, or what belongs to them, are
    /// damaged.</param>
    internal static DatasetInspection Inspect(DatasetPlan plan, params IEnumerable<(TrainingSample Sample, OptionProblem Fault)> damaged)
    {
        var faults = damaged.DistinctBy(bad => bad.Sample.Path).ToDictionary(bad => bad.Sample.Path, bad => bad.Fault,
            StringComparer.Ordinal);
        if (plan.Others.IsEmpty) return InspectOne(plan, faults);
        var parts = plan.All.Select(part => InspectOne(part, faults)).ToList();
        var problems = parts.SelectMany(part => part.Problems).Distinct().ToList();
        return problems.Count > 0 ? new(null, problems) : new(new TrainingDataset(plan, [.. parts.Select(part => part.Dataset!)]), []);
    }

    private static DatasetInspection InspectOne(DatasetPlan plan, IReadOnlyDictionary<string, OptionProblem> damaged)
    {
        var assembly = new DatasetAssembly(plan, damaged);
        assembly._warnings.AddRange(plan.Notes);
        assembly._problems.AddRange(plan.Options.Validate());
        if (plan.Subsets.IsEmpty)
            assembly._problems.Add(new("DatasetPlan.Subsets", null, "a data set needs images"
                + (plan.Notes.IsEmpty ? "" : $" ({string.Join(" ", plan.Notes).TrimEnd('.')})"),
                "call AddFolder(path), AddDreamBoothRoot(path) or Add(source)"));
        foreach (var subset in plan.Subsets) assembly._problems.AddRange(subset.Options.Validate());
        assembly._problems.AddRange([.. DatasetRules.OfBalance(plan), .. DatasetRules.OfMetadata(plan)]);

        var found = assembly.WithoutDoubles(plan.Subsets).SelectMany(assembly.Read).ToList();
        if (plan.Options is { Resolution: null, Bucketing: null }
            && (found.Count == 0 || found.Any(item => item.Item is { PreparedFrom: null, TrainingSize: null })))
            assembly._problems.Add(DatasetOptions.NoResolution);
        found = assembly.WithoutSmall(assembly.WithSizes(found));
        var held = assembly._problems.Count == 0 ? assembly.HoldOut(found) : [];
        if (assembly._problems.Count == 0) assembly._problems.AddRange(DatasetRules.OfRoles(plan, found));
        if (assembly._problems.Count == 0)
            assembly._problems.AddRange([.. PromptFreeFeatures.Problems([.. found, .. held]),
                .. PrecomputedTextOutputs.Problems([.. found, .. held])]);
        var samples = assembly._problems.Count == 0 ? assembly.Place(found) : [];
        if (assembly._problems.Count > 0) return new(null, assembly._problems);
        return new(assembly.Finish(found, samples, held), []);
    }

    /// <summary>One image on its way to a sample.</summary>
    internal sealed record Found(DatasetItem Item, SubsetOptions Subset, CaptionPipeline Captions)
    {
        internal int Repeats => Subset.Repeats ?? Item.Repeats;

        internal string? ClassTokens => Subset.ClassTokens ?? Item.ClassTokens;

        internal string Caption => CaptionText.Clean(Subset.Captions.Text ?? Item.Caption ?? ClassTokens ?? "", Subset.Captions);

        internal string Folder => Item.Group ?? Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(Item.Path))) ?? "";
    }

    /// <summary>The same folder twice would only blur its repeats; as in sd-scripts, the second is left out with a warning.</summary>
    private IEnumerable<SubsetPlan> WithoutDoubles(ImmutableArray<SubsetPlan> subsets)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var subset in subsets)
        {
            var folder = subset.Source switch { FolderSource source => source.Folder, DreamBoothRootSource source => source.Root,
                MetadataSource source => source.File, SdTrainerSource source => source.Folder, _ => "" };
            // What can be no path is told when it is read.
            if (folder.Length == 0 || folder.Contains('\0', StringComparison.Ordinal)
                || seen.Add(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)))) yield return subset;
            else _warnings.Add($"{folder}: it was added twice, the second time is ignored. Raise its repeats instead.");
        }
    }

    private List<Found> Read(SubsetPlan subset)
    {
        var captions = CaptionPipeline.From(subset.Options.Captions);
        var found = new List<Found>();
        try
        {
            var (kinds, context) = (subset.Source as IKindsSource, new SourceContext(_extensions, subset.Options));
            var items = (kinds?.Items(context) ?? subset.Source.Items()).ToList();
            if (subset.Options.ConditioningFolder is { } folder && Directory.Exists(folder))
                items = ConditioningPairs.Find(items, folder, _extensions, _problems);
            if (subset.Options.PromptFreeFolder is { } features)
                items = items.ConvertAll(item => PromptFreeFeatures.Paired(item, features));
            found.AddRange(items.Select(item => new Found(item, subset.Options, captions)));
            _warnings.AddRange(kinds?.Warnings(context) ?? subset.Source.Warnings());
            if (found.Count == 0)
                _problems.Add(new("DatasetPlan.Subsets", subset.Source.Name, "the source gave no images", "check what it reads"));
        }
        catch (InvalidOptionsException e)
        {
            _problems.AddRange(e.Problems);
        }
        catch (Exception e) when (FileProblems.IsAboutFiles(e))
        {
            _problems.Add(FileProblems.Describe("DatasetItem.Path", subset.Source.Name, e));
        }

        foreach (var item in found.Where(item => item.Item.Repeats < 1).Take(1))
            _problems.Add(new("DatasetItem.Repeats", item.Item.Repeats, $"an image must occur at least once in an epoch ({item.Item.Path})",
                "leave the image out to train without it"));
        return found;
    }

    /// <summary>Reads the headers that no source has read, several at once, and keeps the images whose size is known.</summary>
    private List<Found> WithSizes(List<Found> found)
    {
        var sizes = new PixelSize?[found.Count];
        var faults = new OptionProblem?[found.Count];
        var how = _options.Loading with { MaxPixels = long.MaxValue };        // so that what is wrong is said in the words of this data set
        Parallel.For(0, found.Count, i =>
        {
            var item = found[i].Item;
            if (_damaged.TryGetValue(item.Path, out faults[i])) return;
            try
            {
                var size = item.Size ?? item.Image?.ReadSize(how) ?? ImageFile.ReadSize(item.Path, how);
                if (size.Area > _options.MaxImagePixels && !item.IsCachedOnly) faults[i] = TooLarge(item.Path, size);
                else sizes[i] = size;
            }
            catch (Exception e) when (FileProblems.IsAboutFiles(e))
            {
                faults[i] = FileProblems.Describe("DatasetItem.Path", item.Path, e);
            }
        });

        if (_options.OnBadImage == BadImagePolicy.Fail) _problems.AddRange(faults.OfType<OptionProblem>());
        else
            _warnings.AddRange(faults.Zip(found, (fault, item) => (Fault: fault, item.Item.Path)).Where(bad => bad.Fault is not null)
                .Select(bad =>
                    $"{bad.Path}: left out, {(Equals(bad.Fault!.Value, bad.Path) ? "" : $"{bad.Fault.Value}: ")}{bad.Fault.Rule}."));
        return [.. from i in Enumerable.Range(0, found.Count)
                   where sizes[i] is not null
                   select found[i] with { Item = found[i].Item with { Size = sizes[i] } }];
    }

    private OptionProblem TooLarge(string path, PixelSize size) => new("DatasetItem.Path", path,
        FormattableString.Invariant($"the image is {size}, more than {_options.MaxImagePixels} pixels (DatasetOptions.MaxImagePixels)"),
        "shrink it with ImageResizing or an image editor, or raise the limit");

    /// <summary>
    /// Takes images out of each training subset for validation; they are trained neither here nor elsewhere in this data set.
    /// </summary>
    private List<Found> HoldOut(List<Found> found)
    {
        var held = new List<Found>();
        if (_options.ValidationSplit == 0) return held;
        foreach (var subset in found.Where(item => !item.Subset.IsRegularization).GroupBy(item => item.Captions).ToList())
        {
            var items = subset.ToArray();
            if (_options.ValidationSeed is { } seed) new RandomStream(new NamedSeeds(seed).For("validation")).Shuffle(items);
            var kept = (int)Math.Ceiling(items.Length * (1 - _options.ValidationSplit));
            held.AddRange(items[kept..]);
        }

        var taken = held.ToHashSet(ReferenceEqualityComparer.Instance);
        found.RemoveAll(taken.Contains);
        if (held.Count == 0)
            _warnings.Add($"The validation share of {_options.ValidationSplit} is less than one image of any subset: none is held out.");
        return held;
    }

    /// <summary>A host's own bucketing may be wrong; it is better said now than in the middle of an epoch.</summary>
    private static Framing Checked(Framing framing)
    {
        var (resized, left, top, size) = framing;
        if (size.Width < 8 || size.Height < 8 || size.Width % 8 != 0 || size.Height % 8 != 0)
            throw new ArgumentException($"its training size would be {size}, which is no multiple of 8");
        if ((long)resized.Width * resized.Height > MostPixels)
            throw new ArgumentException(
                $"it would be scaled to {resized} before it is cut, more than {MostPixels} pixels: the picture is too long and narrow, or "
                    + $"the resolution too large");
        return left >= 0 && top >= 0 && left + size.Width <= resized.Width && top + size.Height <= resized.Height ? framing
            : throw new ArgumentException($"a piece of {size} at ({left}, {top}) cannot be cut from {resized}");
    }

    /// <summary>What was prepared for training stays as it is; what was chosen when latents were prepared stays chosen.</summary>
    private Framing Frame(DatasetItem item)
    {
        var size = item.Size!.Value;
        if (item.PreparedFrom is not null) return new(size, 0, 0, size);
        if (IsSizedByMetadata(item)) return FixedResolution.Cover(size, item.TrainingSize!.Value);
        return (_options.Bucketing ?? new FixedResolution()).Frame(size, _options.Resolution!.Value);
    }

    private bool IsSizedByMetadata(DatasetItem item) => item is { PreparedFrom: null, TrainingSize: not null } && _options.Bucketing is null
        && (item.HasLatentsBeside || _options.Resolution is null);

    private TrainingSample Sample(Found item, int index, int repeats, Framing framing, int group = 0) => new()
    {
        Index = index,
        CountedGroup = group,
        IsSizedByMetadata = IsSizedByMetadata(item.Item),
        Item = item.Item,
        Folder = item.Folder,
        Framing = framing,
        Caption = item.Caption,
        Captions = item.Captions,
        Subset = item.Subset,
        Dataset = _options,
        Repeats = repeats,
    };

    private TrainingDataset Finish(List<Found> found, List<TrainingSample> samples, List<Found> held)
    {
        if (_options.Bucketing is { } bucketing) _warnings.AddRange(bucketing.Warnings(_options.Resolution!.Value));
        var several = found.Where(item => !item.Subset.Captions.Wildcard && (item.Subset.Captions.Text ?? item.Item.Caption) is { } text
            && CaptionText.Lines(text).Length > 1).ToList();
        if (several.Count > 0)
            _warnings.Add(
                $"{several.Count} image(s) have captions of several lines, of which the first that is not empty is used: "
                    + $"{Some(several.Select(item => item.Item.Path))}. "
                + "Set CaptionOptions.Wildcard (enable_wildcard) to draw one of all their lines each time.");
        Name(samples, sample => sample.Caption.Length == 0 && sample.Item.TextOutputsPath is null,
            "have no caption and no class tokens, and are trained without text");
        Name(samples, sample => sample.Framing.Resized.Width > sample.ImageSize.Width,
            "are smaller than their training size and will be enlarged");
        var validation = held.Count == 0 ? null : Validation(held);
        return new(_plan, samples, _folders, TagFrequency.Count(found.Select(item => (item.Folder, item.Item.Tags ?? item.Caption))),
            _warnings) { Validation = validation };
    }

    /// <summary>The images held out, each once and as it is: nothing dropped, shuffled or changed.</summary>
    private TrainingDataset Validation(List<Found> held)
    {
        var plain = _options with { MinibatchRepeat = 1, DropLast = false, MaxBatchesPerEpoch = null, SamplesPerEpoch = null,
            PriorStyle = PriorStyle.Separate };
        var samples =
            held.Select((item, index) =>
            Sample(item with { Subset = Plain(item.Subset), Captions = CaptionPipeline.From(Plain(item.Subset).Captions) },
            index, repeats: 1, Frame(item.Item)) with { Dataset = plain }).ToList();
        return new(_plan with { Options = plain }, samples, [], new Dictionary<string, IReadOnlyDictionary<string, int>>(), []);
    }

    private static SubsetOptions Plain(SubsetOptions options) => options with
    {
        Repeats = 1,
        Augmentation = new(),
        Captions = options.Captions with { DropoutRate = 0, DropoutEveryNEpochs = 0, TagDropoutRate = 0, Shuffle = false, WarmupSteps = 0 },
    };

    private void Name(List<TrainingSample> samples, Func<TrainingSample, bool> condition, string fault)
    {
        var names = samples.Where(condition).Select(sample => sample.Path).Distinct().ToList();
        if (names.Count > 0) _warnings.Add($"{names.Count} image(s) {fault}: {Some(names)}");
    }

    private static string Some(IEnumerable<string> paths)
    {
        const int shown = 3;
        var some = paths.Take(shown + 1).ToList();
        return string.Join(", ", some.Take(shown)) + (some.Count > shown ? " ..." : "");
    }

    /// <summary>Leaves out images of fewer pixels than are wanted.</summary>
    private List<Found> WithoutSmall(List<Found> found)
    {
        if (_options.MinimumImageArea is not { } least) return found;
        var small = found.Where(item => item.Item.Size!.Value.Area < least).ToList();
        if (small.Count == 0) return found;
        _warnings.Add(
            $"{small.Count} image(s) have fewer than {least} pixels (MinimumImageArea) and are left out: "
                + $"{Some(small.Select(item => item.Item.Path))}");
        return [.. found.Except(small, ReferenceEqualityComparer.Instance).Cast<Found>()];
    }

    private void WarnAboutBalance(int regularization, int training)
    {
        if (regularization > training)
            _warnings.Add($"There are more regularisation images ({regularization} with repeats) than training images ({training}): "
                + $"only the first {training} are used. Raise the repeats of the training images to use them all.");
    }
}
