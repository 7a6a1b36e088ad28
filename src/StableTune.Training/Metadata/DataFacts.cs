using StableTune.Data;

namespace StableTune.Training;

/// <summary>What files say about a folder of images.</summary>
/// <param name="Repeats">Times each image occurs in an epoch.</param>
/// <param name="Images">Number of images.</param>
internal sealed record FolderFacts(int Repeats, int Images);

/// <summary>What files say about one bucket.</summary>
/// <param name="Width">Width in pixels.</param>
/// <param name="Height">Height in pixels.</param>
/// <param name="Count">Images in it, repeats counted.</param>
internal sealed record BucketFacts(int Width, int Height, int Count);

/// <summary>What files say about the images. The names of folders and the words of captions leave the machine with the file.</summary>
internal sealed record DataFacts
{
    /// <summary>Images in a batch on one device.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>Images in a batch on all devices together.</summary>
    public int? TotalBatchSize { get; init; }

    /// <summary>Width and height of the training images in pixels.</summary>
    public (int Width, int Height) Resolution { get; init; } = (512, 512);

    /// <summary>Whether images were sorted into buckets of several sizes.</summary>
    public bool EnableBucket { get; init; }

    /// <summary>Whether small images kept their size.</summary>
    public bool BucketNoUpscale { get; init; }

    /// <summary>The smallest side of a bucket; null without buckets.</summary>
    public int? MinBucketResolution { get; init; }

    /// <summary>The largest side of a bucket; null without buckets.</summary>
    public int? MaxBucketResolution { get; init; }

    /// <summary>The buckets; null without.</summary>
    public IReadOnlyList<BucketFacts>? Buckets { get; init; }

    /// <summary>Mean error of the aspect ratios in the buckets.</summary>
    public double MeanAspectRatioError { get; init; }

    /// <summary>Whether colours were varied.</summary>
    public bool ColorAugmentation { get; init; }

    /// <summary>Whether images were mirrored.</summary>
    public bool FlipAugmentation { get; init; }

    /// <summary>Whether crops were random.</summary>
    public bool RandomCrop { get; init; }

    /// <summary>Whether the parts of captions were shuffled.</summary>
    public bool ShuffleCaption { get; init; }

    /// <summary>How many first parts of captions kept their place.</summary>
    public int KeepTokens { get; init; }

    /// <summary>The resize filter's name; null for the default.</summary>
    public string? ResizeInterpolation { get; init; }

    /// <summary>The image folders by name.</summary>
    public IReadOnlyDictionary<string, FolderFacts> Folders { get; init; } = new Dictionary<string, FolderFacts>();

    /// <summary>The folders of regularisation images by name.</summary>
    public IReadOnlyDictionary<string, FolderFacts> RegularizationFolders { get; init; } = new Dictionary<string, FolderFacts>();

    /// <summary>For each folder how often each tag occurs in its captions, each image counted once. Captions are split at commas into
    /// tags, trimmed, in lower case.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, int>> TagFrequency { get; init; } =
        new Dictionary<string, IReadOnlyDictionary<string, int>>();

    /// <summary>The keys without names of folders and words of captions.</summary>
    internal IEnumerable<(string Key, object? Value)> Rows() =>
    [
        ("ss_batch_size_per_device", BatchSize), ("ss_total_batch_size", TotalBatchSize ?? BatchSize), ("ss_resolution", Resolution),
        ("ss_color_aug", ColorAugmentation), ("ss_flip_aug", FlipAugmentation), ("ss_random_crop", RandomCrop), 
        ("ss_shuffle_caption", ShuffleCaption),
        ("ss_enable_bucket", EnableBucket), ("ss_bucket_no_upscale", BucketNoUpscale), ("ss_min_bucket_reso", MinBucketResolution),
        ("ss_max_bucket_reso", MaxBucketResolution), ("ss_keep_tokens", KeepTokens), ("ss_resize_interpolation", ResizeInterpolation),
        ("ss_bucket_info", PythonRepr.Json(BucketInfo())),
    ];

    /// <summary>The keys that hold names of folders and words of captions.</summary>
    internal IEnumerable<(string Key, object? Value)> NamingRows() =>
    [
        ("ss_dataset_dirs", PythonRepr.Json(Directories(Folders))), 
        ("ss_reg_dataset_dirs", PythonRepr.Json(Directories(RegularizationFolders))),
        ("ss_tag_frequency", PythonRepr.Json(Tags())),
    ];

    internal OrderedDictionary<string, object?> Tags() => Map(TagFrequency, tags => Map(tags, count => count));

    internal OrderedDictionary<string, object?>? BucketInfo() => Buckets is null ? null : new()
    {
        ["buckets"] = Map(Buckets.Select((bucket, i) => KeyValuePair.Create(PythonRepr.Of(i), bucket)),
            bucket => new OrderedDictionary<string, object?>
            {
                ["resolution"] = new[] { bucket.Width, bucket.Height },
                ["count"] = bucket.Count,
            }),
        ["mean_img_ar_error"] = MeanAspectRatioError,
    };

    private static OrderedDictionary<string, object?> Directories(IReadOnlyDictionary<string, FolderFacts> folders) =>
        Map(folders, folder => new OrderedDictionary<string, object?> { ["n_repeats"] = folder.Repeats, ["img_count"] = folder.Images });

    private static OrderedDictionary<string, object?> Map<T>(IEnumerable<KeyValuePair<string, T>> entries, Func<T, object?> value)
    {
        var map = new OrderedDictionary<string, object?>(StringComparer.Ordinal);
        foreach (var (name, entry) in entries) map.Add(name, value(entry));
        return map;
    }
}
