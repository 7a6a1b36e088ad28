using StableTune.Formats;

namespace StableTune.Data;

/// <summary>Makes the tables of a data set configuration of plans.</summary>
internal sealed class DatasetWriter
{
    private static readonly DatasetOptions s_dataset = new();
    private static readonly CaptionOptions s_captions = new();

    private readonly List<OptionProblem> _problems = [];

    /// <summary>What the format cannot say.</summary>
    public IReadOnlyList<OptionProblem> Problems => _problems;

    /// <summary>One data set with its subsets.</summary>
    public TomlTable Write(DatasetPlan plan)
    {
        var (options, table) = (plan.Options, new TomlTable());
        if (options.Resolution is { } size)
            table["resolution"] = size.Width == size.Height ? (TomlValue)size.Width : new TomlArray([size.Width, size.Height]);
        Set(table, "batch_size", options.BatchSize, s_dataset.BatchSize);
        Set(table, "network_multiplier", options.NetworkMultiplier, s_dataset.NetworkMultiplier);
        Set(table, "validation_split", options.ValidationSplit, s_dataset.ValidationSplit);
        if (options.ValidationSeed is { } seed) table["validation_seed"] = seed;
        if (options.Interpolation is { } interpolation) table["resize_interpolation"] = interpolation.Name;
        Buckets(table, options.Bucketing);
        Set(table, "minibatch_repeat", options.MinibatchRepeat, s_dataset.MinibatchRepeat);
        if (options.MaxBatchesPerEpoch is { } batches) table["max_batches_per_epoch"] = batches;
        if (options.SamplesPerEpoch is { } samples) table["samples_per_epoch"] = samples;
        if (options.MinimumImageArea is { } area) table["minimum_image_area"] = area;
        if (options.OnBadImage != s_dataset.OnBadImage) table["on_bad_image"] = ConfigurationKeys.NameOf(options.OnBadImage);
        if (options.PriorStyle != s_dataset.PriorStyle) table["prior_style"] = ConfigurationKeys.NameOf(options.PriorStyle);
        Set(table, "apply_exif_orientation", options.ApplyExifOrientation, s_dataset.ApplyExifOrientation);
        Set(table, "drop_last", options.DropLast, s_dataset.DropLast);
        Set(table, "fast_decoding", options.FastDecoding, s_dataset.FastDecoding);
        if (options.Background is var (red, green, blue)) table["background"] = $"#{red:x2}{green:x2}{blue:x2}";
        Set(table, "clip_sixteen_bit_gray", options.ClipSixteenBitGray, s_dataset.ClipSixteenBitGray);
        Set(table, "max_image_pixels", options.MaxImagePixels, s_dataset.MaxImagePixels);
        Refuse("DatasetOptions.PriorLossWeight", options.PriorLossWeight, options.PriorLossWeight != s_dataset.PriorLossWeight);
        Refuse("DatasetOptions.Codec", options.Codec, options.Codec is not null);
        if (plan.Subsets.Any(subset => subset.Source is MetadataSource) && !plan.Subsets.All(subset => subset.Source is MetadataSource))
            _problems.Add(new("DatasetPlan.Subsets", null, "such a file keeps metadata files and folders in data sets of their own",
                "split them with AddDataset"));
        table["subsets"] = new TomlArray(plan.Subsets.SelectMany(Subsets));
        return table;
    }

    private void Buckets(TomlTable table, IBucketing? bucketing)
    {
        switch (bucketing)
        {
            case AspectBuckets buckets:
                var defaults = new AspectBuckets();
                table["enable_bucket"] = true;
                Set(table, "min_bucket_reso", buckets.MinSide, defaults.MinSide);
                Set(table, "max_bucket_reso", buckets.MaxSide, defaults.MaxSide);
                Set(table, "bucket_reso_steps", buckets.Step, defaults.Step);
                Set(table, "bucket_no_upscale", buckets.NoUpscale, defaults.NoUpscale);
                break;
            case SdTrainerBuckets theirs:
                table["enable_bucket"] = true;
                table["max_ratio"] = theirs.MaxAspect;
                Set(table, "min_bucket_reso", theirs.MinSide, new SdTrainerBuckets().MinSide);
                Set(table, "max_bucket_reso", theirs.MaxSide, new SdTrainerBuckets().MaxSide);
                break;
            case FixedResolution { Mode: not ResizeMode.Cover and var mode }:
                table["resize_mode"] = ConfigurationKeys.NameOf(mode);
                break;
            default:
                Refuse("DatasetOptions.Bucketing", bucketing, bucketing is not null and not FixedResolution);
                break;
        }
    }

    private IEnumerable<TomlTable> Subsets(SubsetPlan subset)
    {
        switch (subset.Source)
        {
            case FolderSource folder:
                return [Folder(folder, subset.Options)];
            case DreamBoothRootSource root:
                return root.Folders().Select(folder => Folder(folder, subset.Options));
            case MetadataSource metadata:
                var table = new TomlTable { ["metadata_file"] = metadata.File };
                if (metadata.ImageFolder is { } images) table["image_dir"] = images;
                Options(table, subset.Options, subset.Options.Repeats, classTokens: null);
                return [table];
            default:
                _problems.Add(new("SubsetPlan.Source", subset.Source.Name, "such a file knows folders and metadata files only",
                    "add the source in code"));
                Options([], subset.Options, null, null);                        // for what else it cannot say
                return [];
        }
    }

    private TomlTable Folder(FolderSource folder, SubsetOptions options)
    {
        var table = new TomlTable { ["image_dir"] = folder.Folder };
        Options(table, options, options.Repeats ?? folder.Said?.Repeats, options.ClassTokens ?? folder.Said?.ClassTokens);
        if (!folder.CaptionExtensions.SequenceEqual(CaptionFiles.Default))
            table["caption_extension"] = folder.CaptionExtensions is [var only] ? only
                : new TomlArray(folder.CaptionExtensions.Select(extension => (TomlValue)extension));
        Set(table, "captions_by_full_name", folder.CaptionsByFullName, false);
        Set(table, "cache_info", folder.CacheInfo, false);
        Set(table, "take_cached", folder.TakeCached, false);
        return table;
    }

    private void Options(TomlTable table, SubsetOptions options, int? repeats, string? classTokens)
    {
        var (captions, augmentation) = (options.Captions, options.Augmentation);
        if (repeats is { } count) table["num_repeats"] = count;
        if (classTokens is not null) table["class_tokens"] = classTokens;
        Set(table, "is_reg", options.IsRegularization, false);
        if (options.ConditioningFolder is { } conditioning) table["conditioning_data_dir"] = conditioning;
        if (options.PromptFreeFolder is { } features) table["prompt_free_dir"] = features;
        Set(table, "alpha_mask", options.Mask == LossMask.Alpha, false);
        if (options.Interpolation is { } interpolation) table["resize_interpolation"] = interpolation.Name;
        Set(table, "masked_loss", options.Mask == LossMask.Conditioning, false);
        if (options.SamplesPerEpoch is { } samples) table["samples_per_epoch"] = samples;
        if (options.Weight is { } weight) table["weight"] = weight;
        Captions(table, captions);
        Set(table, "flip_aug", augmentation.Flip, false);
        Set(table, "color_aug", augmentation.Color != ColorAugmentation.None, false);
        Set(table, "random_crop", augmentation.RandomCrop, false);
        if (augmentation.FaceCrop is var (from, to)) table["face_crop_aug_range"] = new TomlArray([from, to]);
        Refuse("AugmentationOptions.Color", augmentation.Color, augmentation.Color == ColorAugmentation.Reference);
        Set(table, "brightness", augmentation.Brightness, 0.0);
        Set(table, "contrast", augmentation.Contrast, 0.0);
        Set(table, "saturation", augmentation.Saturation, 0.0);
        Set(table, "rotation", augmentation.Rotation, 0.0);
        if (augmentation.CircularMask is var (least, most)) table["circular_mask_range"] = new TomlArray([least, most]);
        if (options.Attributes.Count > 0) table["custom_attributes"] = Table(options.Attributes);
    }

    private void Captions(TomlTable table, CaptionOptions captions)
    {
        if (captions.Text is { } text) table["caption_text"] = text;
        if (captions.Prefix is { } prefix) table["caption_prefix"] = prefix;
        if (captions.PrefixSeparator is { } separator) table["caption_prefix_separator"] = separator;
        Set(table, "take_empty_first_line", captions.TakeEmptyFirstLine, false);
        if (captions.Suffix is { } suffix) table["caption_suffix"] = suffix;
        Set(table, "shuffle_caption", captions.Shuffle, s_captions.Shuffle);
        Set(table, "caption_separator", captions.Separator, s_captions.Separator);
        Set(table, "keep_tokens", captions.KeepTokens, s_captions.KeepTokens);
        if (captions.KeepTokensSeparator is { } fixedBy) table["keep_tokens_separator"] = fixedBy;
        if (captions.SecondarySeparator is { } secondary) table["secondary_separator"] = secondary;
        Set(table, "enable_wildcard", captions.Wildcard, s_captions.Wildcard);
        Set(table, "caption_dropout_rate", captions.DropoutRate, s_captions.DropoutRate);
        Set(table, "caption_dropout_every_n_epochs", captions.DropoutEveryNEpochs, s_captions.DropoutEveryNEpochs);
        Set(table, "caption_tag_dropout_rate", captions.TagDropoutRate, s_captions.TagDropoutRate);
        Set(table, "token_warmup_min", captions.WarmupMin, s_captions.WarmupMin);
        Set(table, "token_warmup_step", captions.WarmupSteps, s_captions.WarmupSteps);
        Refuse("CaptionOptions.Further", captions.Further.Count, captions.Further.Count > 0);
    }

    private TomlTable Table(IReadOnlyDictionary<string, object?> values)
    {
        var table = new TomlTable();
        foreach (var (key, value) in values)
            if (Value(key, value) is { } written) table[key] = written;
        return table;
    }

    private TomlValue? Value(string key, object? value)
    {
        switch (value)
        {
            case string text: return text;
            case bool flag: return flag;
            case int number: return number;
            case long number: return number;
            case double number: return number;
            case IReadOnlyDictionary<string, object?> table: return Table(table);
            case IReadOnlyList<object?> list: return new TomlArray(list.Select(item => Value(key, item)).OfType<TomlValue>());
            default:
                Refuse($"SubsetOptions.Attributes[{key}]", value, true);
                return null;
        }
    }

    private static void Set<T>(TomlTable table, string key, T value, T usual) where T : notnull
    {
        if (!value.Equals(usual))
            table[key] = value switch { bool flag => flag, int number => number, long number => number, double number => number, _ =>
                (TomlValue)$"{value}" };
    }

    private void Refuse(string option, object? value, bool wrong)
    {
        if (wrong)
            _problems.Add(new(option, value, "a configuration file cannot say this",
                "leave it at its default, or keep the data set in code"));
    }
}
