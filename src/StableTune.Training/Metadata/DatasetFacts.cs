namespace StableTune.Training;

/// <summary>What files say about one data set of a run, and about its subsets: an element of <c>ss_datasets</c>.</summary>
/// <param name="Data">Its batches, sizes, buckets and tags. Its folders are not written here.</param>
/// <param name="Subsets">Its subsets in order.</param>
internal sealed record DatasetFacts(DataFacts Data, IReadOnlyList<SubsetFacts> Subsets)
{
    /// <summary>Images times repeats, without regularisation images.</summary>
    public int TrainImages { get; init; }

    /// <summary>Regularisation images.</summary>
    public int RegularizationImages { get; init; }

    internal OrderedDictionary<string, object?> Entry() => new()
    {
        // The reference's other kind of data set takes captions from a JSON file.
        ["is_dreambooth"] = true,
        ["batch_size_per_device"] = Data.BatchSize,
        ["num_train_images"] = TrainImages,
        ["num_reg_images"] = RegularizationImages,
        ["resolution"] = Data.Resolution,
        ["enable_bucket"] = Data.EnableBucket,
        ["min_bucket_reso"] = Data.MinBucketResolution,
        ["max_bucket_reso"] = Data.MaxBucketResolution,
        ["tag_frequency"] = Data.Tags(),
        ["bucket_info"] = Data.BucketInfo(),
        ["resize_interpolation"] = Data.ResizeInterpolation,
        ["subsets"] = Subsets.Select(subset => subset.Entry(Data)).ToArray(),
    };
}

/// <summary>What files say about one subset of a data set.</summary>
/// <param name="Folder">The folder's bare name.</param>
/// <param name="Size">Its images and repeats.</param>
internal sealed record SubsetFacts(string Folder, FolderFacts Size)
{
    /// <summary>Caption of images without one; null for none.</summary>
    public string? ClassTokens { get; init; }

    /// <summary>Whether these are regularisation images.</summary>
    public bool IsRegularization { get; init; }

    /// <summary>Whether the parts of captions were shuffled.</summary>
    public bool ShuffleCaption { get; init; }

    /// <summary>How many first parts of captions kept their place.</summary>
    public int KeepTokens { get; init; }

    /// <summary>Text before which the parts of captions kept their place; null for none, written as an empty text.</summary>
    public string? KeepTokensSeparator { get; init; }

    /// <summary>Text that held parts of captions together; null for none.</summary>
    public string? SecondarySeparator { get; init; }

    /// <summary>Whether captions held alternatives to choose from.</summary>
    public bool EnableWildcard { get; init; }

    /// <summary>Text put before captions; null for none.</summary>
    public string? CaptionPrefix { get; init; }

    /// <summary>Text put after captions; null for none.</summary>
    public string? CaptionSuffix { get; init; }

    internal OrderedDictionary<string, object?> Entry(DataFacts data) => new()
    {
        ["img_count"] = Size.Images,
        ["num_repeats"] = Size.Repeats,
        ["color_aug"] = data.ColorAugmentation,
        ["flip_aug"] = data.FlipAugmentation,
        ["random_crop"] = data.RandomCrop,
        ["shuffle_caption"] = ShuffleCaption,
        ["keep_tokens"] = KeepTokens,
        ["keep_tokens_separator"] = KeepTokensSeparator ?? "",
        ["secondary_separator"] = SecondarySeparator,
        ["enable_wildcard"] = EnableWildcard,
        ["caption_prefix"] = CaptionPrefix,
        ["caption_suffix"] = CaptionSuffix,
        ["resize_interpolation"] = data.ResizeInterpolation,
        ["image_dir"] = Folder,
        ["class_tokens"] = ClassTokens,
        ["is_reg"] = IsRegularization,
    };
}
