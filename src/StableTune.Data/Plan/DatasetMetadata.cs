using System.Globalization;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>
/// The <c>ss_</c> entries that describe the data in adapter files, under sd-scripts' names and as Python writes values:
/// <c>True</c>, <c>None</c>, tuples in parentheses, JSON with blanks after commas and colons.
/// </summary>
internal static class DatasetMetadata
{
    internal static IReadOnlyDictionary<string, string> Describe(TrainingDataset dataset, bool includeNames)
    {
        var captions = (dataset.Folders.FirstOrDefault(folder => !folder.Options.IsRegularization) ?? dataset.Folders[0]).Options.Captions;
        var bucketing = dataset.Options.Bucketing;
        var metadata = new OrderedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["ss_num_train_images"] = Python.Text(dataset.TrainingImageCount),
            ["ss_num_reg_images"] = Python.Text(dataset.RegularizationImageCount),
            ["ss_num_batches_per_epoch"] = Python.Text(dataset.BatchesPerEpoch),
            ["ss_prior_loss_weight"] = Python.Text(dataset.Options.PriorLossWeight),
            ["ss_batch_size_per_device"] = Python.Text(dataset.Options.BatchSize),
            ["ss_total_batch_size"] = Python.Text(dataset.Options.BatchSize),
            ["ss_resolution"] = dataset.Options.Resolution is { } size ? $"({Python.Text(size.Width)}, {Python.Text(size.Height)})" : "None",
            ["ss_color_aug"] = "False",
            ["ss_flip_aug"] = "False",
            ["ss_random_crop"] = "False",
            ["ss_enable_bucket"] = Python.Text(bucketing?.HasBuckets ?? false),
            ["ss_bucket_no_upscale"] = "False",
            ["ss_min_bucket_reso"] = "None",
            ["ss_max_bucket_reso"] = "None",
            ["ss_shuffle_caption"] = Python.Text(captions.Shuffle),
            ["ss_keep_tokens"] = Python.Text(captions.KeepTokens),
            ["ss_caption_dropout_rate"] = Python.Text(captions.DropoutRate),
            ["ss_caption_dropout_every_n_epochs"] = Python.Text(captions.DropoutEveryNEpochs),
            ["ss_caption_tag_dropout_rate"] = Python.Text(captions.TagDropoutRate),
            ["ss_bucket_info"] = Python.Json(BucketInfo(dataset)),
        };
        if (!includeNames) return metadata;
        metadata["ss_dataset_dirs"] = Python.Json(Folders(dataset, regularization: false));
        metadata["ss_reg_dataset_dirs"] = Python.Json(Folders(dataset, regularization: true));
        metadata["ss_tag_frequency"] = Python.Json(Tags(dataset));
        metadata["ss_datasets"] = Python.Json(new object?[] { Dataset(dataset) });
        return metadata;
    }

    private static OrderedDictionary<string, object?> Dataset(TrainingDataset dataset) => new()
    {
        ["is_dreambooth"] = true,
        ["batch_size_per_device"] = dataset.Options.BatchSize,
        ["num_train_images"] = dataset.TrainingImageCount,
        ["num_reg_images"] = dataset.RegularizationImageCount,
        ["resolution"] = dataset.Options.Resolution is { } size ? Sides(size) : null,
        ["enable_bucket"] = dataset.Options.Bucketing?.HasBuckets ?? false,
        ["min_bucket_reso"] = null,
        ["max_bucket_reso"] = null,
        ["tag_frequency"] = Tags(dataset),
        ["bucket_info"] = BucketInfo(dataset),
        ["subsets"] = dataset.Folders.Select(Subset).ToArray(),
    };

    private static object Subset(DatasetFolder folder) => new OrderedDictionary<string, object?>
    {
        ["img_count"] = folder.ImageCount,
        ["num_repeats"] = folder.Repeats,
        ["color_aug"] = false,
        ["flip_aug"] = false,
        ["random_crop"] = false,
        ["shuffle_caption"] = folder.Options.Captions.Shuffle,
        ["keep_tokens"] = folder.Options.Captions.KeepTokens,
        ["keep_tokens_separator"] = folder.Options.Captions.KeepTokensSeparator,
        ["secondary_separator"] = folder.Options.Captions.SecondarySeparator,
        ["enable_wildcard"] = folder.Options.Captions.Wildcard,
        ["caption_prefix"] = folder.Options.Captions.Prefix,
        ["caption_suffix"] = folder.Options.Captions.Suffix,
        ["image_dir"] = folder.Name,
        ["class_tokens"] = folder.ClassTokens,
        ["is_reg"] = folder.Options.IsRegularization,
    };

    /// <summary>Buckets by number, with their counts (repeats included), and the mean difference in shape between images and their buckets; null without buckets.</summary>
    private static OrderedDictionary<string, object?>? BucketInfo(TrainingDataset dataset)
    {
        if (dataset.Options.Bucketing is not { HasBuckets: true }) return null;
        var buckets = new OrderedDictionary<string, object?>();
        foreach (var bucket in dataset.Buckets)
            buckets[Python.Text(buckets.Count)] = new OrderedDictionary<string, object?> { ["resolution"] = Sides(bucket.Size), ["count"] = bucket.Entries.Count };
        return new()
        {
            ["buckets"] = buckets,
            ["mean_img_ar_error"] = dataset.Samples.Average(sample => Math.Abs(sample.Framing.Size.AspectRatio - sample.ImageSize.AspectRatio)),
        };
    }

    private static OrderedDictionary<string, object?> Folders(TrainingDataset dataset, bool regularization)
    {
        var result = new OrderedDictionary<string, object?>();
        foreach (var same in dataset.Folders.Where(folder => folder.Options.IsRegularization == regularization).GroupBy(folder => folder.Name))
            result[same.Key] = new OrderedDictionary<string, object?> { ["n_repeats"] = same.First().Repeats, ["img_count"] = same.Sum(folder => folder.ImageCount) };
        return result;
    }

    private static OrderedDictionary<string, object?> Tags(TrainingDataset dataset) =>
        new(dataset.TagFrequency.Select(folder => KeyValuePair.Create(folder.Key,
            (object?)new OrderedDictionary<string, object?>(folder.Value.Select(tag => KeyValuePair.Create(tag.Key, (object?)tag.Value))))));

    private static object?[] Sides(PixelSize size) => [size.Width, size.Height];
}
