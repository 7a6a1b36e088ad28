using StableTune.Formats;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>Makes plans of the tables of a data set configuration.</summary>
internal sealed class DatasetReader(TomlDocument document, TomlTable general, DatasetOptions datasetDefaults, SubsetOptions subsetDefaults,
    List<Exception> faults)
{
    private static readonly string[] s_limits = ["min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale",
        "max_ratio"];

    /// <summary>One data set with its subsets.</summary>
    public DatasetPlan Read(TomlTable dataset)
    {
        var subsets = DatasetConfiguration.Tables(document, dataset, "subsets", faults);
        var metadata = subsets.Count > 0 && subsets.All(ConfigurationKeys.IsMetadata);
        ConfigurationKeys.Check(document, dataset, ConfigurationKeys.Dataset(metadata), metadata ? "a data set of metadata files"
            : "a data set", faults);
        if (subsets.Count == 0) Fault(dataset, "the data set has no subsets.", "Add a [[datasets.subsets]] below it.");
        if (!metadata && subsets.Any(ConfigurationKeys.IsMetadata))
            Fault(dataset, "the data set mixes metadata files and folders.", "Give each kind a [[datasets]] of its own.");
        var notes = new List<string>();
        return new DatasetPlan
        {
            Options = Options(new ConfigurationLevels(document, faults, dataset, general), notes),
            Subsets = [.. subsets.Select(subset => Subset(subset, dataset, notes)).OfType<SubsetPlan>()],
            Notes = [.. notes],
        };
    }

    private DatasetOptions Options(ConfigurationLevels levels, List<string> notes)
    {
        var defaults = datasetDefaults;
        var size = levels.Size("resolution");
        return defaults with
        {
            Resolution = size is var (width, height) ? new PixelSize(width, height) : defaults.Resolution,
            BatchSize = levels.Int("batch_size") ?? defaults.BatchSize,
            NetworkMultiplier = levels.Fraction("network_multiplier") ?? defaults.NetworkMultiplier,
            ValidationSplit = levels.Fraction("validation_split") ?? defaults.ValidationSplit,
            ValidationSeed = levels.Whole("validation_seed") ?? defaults.ValidationSeed,
            Interpolation = Interpolation(levels) ?? defaults.Interpolation,
            Bucketing = Buckets(levels, notes),
            MinibatchRepeat = levels.Int("minibatch_repeat") ?? defaults.MinibatchRepeat,
            MaxBatchesPerEpoch = levels.Int("max_batches_per_epoch") ?? defaults.MaxBatchesPerEpoch,
            SamplesPerEpoch = levels.Int("samples_per_epoch") ?? defaults.SamplesPerEpoch,
            MinimumImageArea = levels.Whole("minimum_image_area") ?? defaults.MinimumImageArea,
            OnBadImage = levels.Choice<BadImagePolicy>("on_bad_image") ?? defaults.OnBadImage,
            PriorStyle = levels.Choice<PriorStyle>("prior_style") ?? defaults.PriorStyle,
            ApplyExifOrientation = levels.Flag("apply_exif_orientation") ?? defaults.ApplyExifOrientation,
            DropLast = levels.Flag("drop_last") ?? defaults.DropLast,
            FastDecoding = levels.Flag("fast_decoding") ?? defaults.FastDecoding,
            Background = levels.Color("background") ?? defaults.Background,
            ClipSixteenBitGray = levels.Flag("clip_sixteen_bit_gray") ?? defaults.ClipSixteenBitGray,
            MaxImagePixels = levels.Whole("max_image_pixels") ?? defaults.MaxImagePixels,
        };
    }

    /// <summary>
    /// The bucketing: the caller's own where the file says nothing against it. Limits are read also where buckets are off, so that they are
    /// checked like the rest; that they have no effect is noted.
    /// </summary>
    private IBucketing? Buckets(ConfigurationLevels levels, List<string> notes)
    {
        var given = datasetDefaults.Bucketing;
        var defaults = given as AspectBuckets ?? new AspectBuckets();
        var buckets = new AspectBuckets
        {
            MinSide = levels.Int("min_bucket_reso") ?? defaults.MinSide,
            MaxSide = levels.Int("max_bucket_reso") ?? defaults.MaxSide,
            Step = levels.Int("bucket_reso_steps") ?? defaults.Step,
            NoUpscale = levels.Flag("bucket_no_upscale") ?? defaults.NoUpscale,
        };
        var (limits, mode, ratio) = (s_limits.Select(levels.Find).OfType<TomlEntry>().ToList(), levels.Choice<ResizeMode>("resize_mode"),
            levels.Number("max_ratio"));
        if (levels.Flag("enable_bucket") ?? given is { HasBuckets: true })
        {
            if (mode is not null) notes.Add(WithoutEffect("with enable_bucket", [levels.Find("resize_mode")!]));
            return ratio is { } aspect ? TheirBuckets(levels, given as SdTrainerBuckets ?? new(), aspect)
                : given is { HasBuckets: true } and not AspectBuckets && limits.Count == 0 ? given : buckets;
        }

        if (limits.Count > 0) notes.Add(WithoutEffect("without enable_bucket", limits));
        return mode is { } resize ? new FixedResolution { Mode = resize } : given is { HasBuckets: true } ? null : given;
    }

    /// <summary>sd-trainer's buckets, of which the largest ratio is one option.</summary>
    private SdTrainerBuckets TheirBuckets(ConfigurationLevels levels, SdTrainerBuckets defaults, double aspect)
    {
        foreach (var entry in new[] { "bucket_reso_steps", "bucket_no_upscale" }.Select(levels.Find).OfType<TomlEntry>())
            faults.Add(document.Fault(entry.Position,
                $"\"{entry.Key}\" does not go together with max_ratio: those buckets have steps of 64 and enlarge.",
                "Leave one of them out."));
        return new() { MinSide = levels.Int("min_bucket_reso") ?? defaults.MinSide, MaxSide = levels.Int("max_bucket_reso")
            ?? defaults.MaxSide, MaxAspect = aspect };
    }

    private string WithoutEffect(string why, List<TomlEntry> entries) =>
        $"{document.Path}: {entries[0].Position}: {why} these have no effect: {string.Join(", ", entries.Select(entry => entry.Key))}.";

    private Interpolation? Interpolation(ConfigurationLevels levels)
    {
        if (levels.Text("resize_interpolation") is not { } name) return null;
        if (Imaging.Interpolation.Names.Contains(name)) return Imaging.Interpolation.Parse(name);
        faults.Add(document.Fault(levels.Find("resize_interpolation")!.Value.Position, $"the interpolation \"{name}\" is unknown.",
            $"Use one of: {string.Join(", ", Imaging.Interpolation.Names)}."));
        return null;
    }

    private SubsetPlan? Subset(TomlTable subset, TomlTable dataset, List<string> notes)
    {
        var metadata = ConfigurationKeys.IsMetadata(subset);
        ConfigurationKeys.Check(document, subset, ConfigurationKeys.Subset(metadata), metadata ? "a subset with a metadata file"
            : "a subset", faults);
        var (own, levels) = (new ConfigurationLevels(document, faults, subset),
            new ConfigurationLevels(document, faults, subset, dataset, general));
        var options = SubsetOptions(own, levels, metadata, notes);
        if (options.Repeats < 1)
        {
            notes.Add($"{document.Path}: {subset.Position}: the subset is left out, its num_repeats is {options.Repeats}.");
            return null;
        }

        var folder = own.Text("image_dir");
        var file = own.Text("metadata_file");
        if (file is not null)
            return new(new MetadataSource(Resolve(file), folder is null ? null : Resolve(folder))
            {
                Separator = options.Captions.Separator, Wildcard = options.Captions.Wildcard,
            }, options);
        if (folder is null)
        {
            if (own.Find("image_dir") is null && !metadata)
                Fault(subset, "the subset names no images.", "Add image_dir, the folder of the images.");
            return null;
        }

        // Beside a configuration a folder's name means nothing: the file says repeats and class tokens.
        return new(new FolderSource(Resolve(folder))
        {
            CaptionExtensions = options.CaptionExtensions ?? CaptionFiles.Default,
            CaptionsByFullName = options.CaptionsByFullName,
            ReadFolderName = false,
            CacheInfo = levels.Flag("cache_info") == true,
            TakeCached = own.Flag("take_cached") == true,
        }, options);
    }

    private SubsetOptions SubsetOptions(ConfigurationLevels own, ConfigurationLevels levels, bool metadata, List<string> notes)
    {
        var defaults = subsetDefaults;
        var conditioning = own.Text("conditioning_data_dir");
        return defaults with
        {
            Repeats = levels.Int("num_repeats") ?? defaults.Repeats,
            SamplesPerEpoch = own.Int("samples_per_epoch") ?? defaults.SamplesPerEpoch,
            Weight = own.Number("weight") ?? defaults.Weight,
            // These are of folders; further out they may stand for the folders of other data sets.
            ClassTokens = metadata ? defaults.ClassTokens : levels.Text("class_tokens") ?? defaults.ClassTokens,
            CaptionExtensions = metadata ? defaults.CaptionExtensions
                : levels.Texts("caption_extension") ?? levels.Texts("caption_extention") ?? defaults.CaptionExtensions,
            CaptionsByFullName = metadata ? defaults.CaptionsByFullName : levels.Flag("captions_by_full_name")
                ?? defaults.CaptionsByFullName,
            IsRegularization = own.Flag("is_reg") ?? defaults.IsRegularization,
            Mask = Mask(own, conditioning is not null || defaults.ConditioningFolder is not null, notes),
            Interpolation = Interpolation(own) ?? defaults.Interpolation,
            ConditioningFolder = conditioning is null ? defaults.ConditioningFolder : Resolve(conditioning),
            PromptFreeFolder = own.Text("prompt_free_dir") is { } features ? Resolve(features) : defaults.PromptFreeFolder,
            Attributes = levels.Table("custom_attributes") is { } attributes ? Values(attributes) : defaults.Attributes,
            Augmentation = Augmentation(levels),
            Captions = Captions(levels),
        };
    }

    /// <summary>
    /// The mask: where the caller wants those of the second images (<c>masked_loss</c>), they go before the alpha channel.
    /// </summary>
    private LossMask Mask(ConfigurationLevels own, bool hasSecondImages, List<string> notes)
    {
        var (alpha, second) = (own.Flag("alpha_mask"), own.Flag("masked_loss"));
        var usual = subsetDefaults.Mask;
        if (!(second ?? (usual == LossMask.Conditioning && (hasSecondImages || alpha is null))))
            return alpha is null ? usual == LossMask.Conditioning ? LossMask.None : usual : alpha == true ? LossMask.Alpha : LossMask.None;
        if (alpha == true)
            notes.Add($"{document.Path}: {own.Find("alpha_mask")!.Position}: alpha_mask has no effect, the conditioning images are the "
                + $"masks.");
        return LossMask.Conditioning;
    }

    private AugmentationOptions Augmentation(ConfigurationLevels levels)
    {
        var defaults = subsetDefaults.Augmentation;
        return defaults with
        {
            Flip = levels.Flag("flip_aug") ?? defaults.Flip,
            Color = levels.Flag("color_aug") is { } color ? color ? ColorAugmentation.Weak : ColorAugmentation.None : defaults.Color,
            RandomCrop = levels.Flag("random_crop") ?? defaults.RandomCrop,
            FaceCrop = levels.Range("face_crop_aug_range") ?? defaults.FaceCrop,
            Brightness = levels.Number("brightness") ?? defaults.Brightness,
            Contrast = levels.Number("contrast") ?? defaults.Contrast,
            Saturation = levels.Number("saturation") ?? defaults.Saturation,
            Rotation = levels.Number("rotation") ?? defaults.Rotation,
            CircularMask = levels.Range("circular_mask_range") ?? defaults.CircularMask,
        };
    }

    private CaptionOptions Captions(ConfigurationLevels levels)
    {
        var defaults = subsetDefaults.Captions;
        return defaults with
        {
            Text = levels.Text("caption_text") ?? defaults.Text,
            Prefix = levels.Text("caption_prefix") ?? defaults.Prefix,
            PrefixSeparator = levels.Text("caption_prefix_separator") ?? defaults.PrefixSeparator,
            Suffix = levels.Text("caption_suffix") ?? defaults.Suffix,
            DropoutRate = levels.Number("caption_dropout_rate") ?? defaults.DropoutRate,
            DropoutEveryNEpochs = levels.Int("caption_dropout_every_n_epochs") ?? defaults.DropoutEveryNEpochs,
            Wildcard = levels.Flag("enable_wildcard") ?? defaults.Wildcard,
            TakeEmptyFirstLine = levels.Flag("take_empty_first_line") ?? defaults.TakeEmptyFirstLine,
            Shuffle = levels.Flag("shuffle_caption") ?? defaults.Shuffle,
            Separator = levels.Text("caption_separator") ?? defaults.Separator,
            KeepTokens = levels.Int("keep_tokens") ?? defaults.KeepTokens,
            KeepTokensSeparator = Given(levels.Text("keep_tokens_separator") ?? defaults.KeepTokensSeparator),
            SecondarySeparator = Given(levels.Text("secondary_separator") ?? defaults.SecondarySeparator),
            TagDropoutRate = levels.Number("caption_tag_dropout_rate") ?? defaults.TagDropoutRate,
            WarmupMin = levels.Int("token_warmup_min") ?? defaults.WarmupMin,
            WarmupSteps = levels.Number("token_warmup_step") ?? defaults.WarmupSteps,
        };
    }

    /// <summary>An empty separator separates nothing.</summary>
    private static string? Given(string? separator) => separator is { Length: > 0 } ? separator : null;

    /// <summary>A relative path from the file's folder where it exists there, else from the current folder, as in the reference.</summary>
    private string Resolve(string path)
    {
        if (Path.IsPathRooted(path) || path.Length == 0) return path;
        var beside = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(document.Path))!, path);
        return Path.Exists(beside) || !Path.Exists(path) ? beside : path;
    }

    private static OrderedDictionary<string, object?> Values(TomlTable table) =>
        new(table.Select(entry => KeyValuePair.Create(entry.Key, Value(entry.Value))));

    private static object? Value(TomlValue value) => value switch
    {
        TomlTable table => Values(table),
        TomlArray list => list.Select(Value).ToList(),
        _ => ((TomlScalar)value).Value,
    };

    private void Fault(TomlTable table, string fault, string remedy) => faults.Add(document.Fault(table.Position, fault, remedy));
}
