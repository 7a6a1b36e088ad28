using System.Text.Json;
using StableTune.Formats;

namespace StableTune.Data;

/// <summary>Which keys may stand at which level of a data set configuration.</summary>
internal static class ConfigurationKeys
{
    /// <summary>Options of a data set that sd-scripts does not have; its names where sd-trainer has them.</summary>
    private static readonly string[] s_ourDatasets =
    [
        "minibatch_repeat", "max_batches_per_epoch", "samples_per_epoch", "minimum_image_area", "max_image_pixels", "on_bad_image",
            "apply_exif_orientation",
        "background", "clip_sixteen_bit_gray", "drop_last", "fast_decoding", "prior_style", "resize_mode", "max_ratio",
    ];

    /// <summary>Options of a data set: in [general] and [[datasets]].</summary>
    private static readonly string[] s_ofDatasets =
    [
        "batch_size", "resolution", "enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale",
            "network_multiplier",
        "validation_seed", "validation_split", "resize_interpolation",
        .. s_ourDatasets,
    ];

    /// <summary>Options of a subset that may also stand further out.</summary>
    private static readonly string[] s_ofSubsets =
    [
        "num_repeats", "shuffle_caption", "caption_separator", "keep_tokens", "keep_tokens_separator", "secondary_separator",
            "enable_wildcard", "color_aug",
        "flip_aug", "face_crop_aug_range", "random_crop", "caption_prefix", "caption_suffix", "caption_dropout_rate",
            "caption_dropout_every_n_epochs",
        "caption_tag_dropout_rate", "token_warmup_min", "token_warmup_step", "custom_attributes", "resize_interpolation",
        "brightness", "contrast", "saturation", "rotation", "circular_mask_range", "caption_prefix_separator", "take_empty_first_line",
            "caption_text",     // ours
    ];

    /// <summary>The keys of subsets that are folders.</summary>
    private static readonly string[] s_ofFolders = ["class_tokens", "caption_extension", "caption_extention", "captions_by_full_name",
        "cache_info"];

    /// <summary>Options of one subset alone.</summary>
    private static readonly string[] s_ofOneSubset = ["image_dir", "conditioning_data_dir", "alpha_mask", "masked_loss",
        "samples_per_epoch", "weight", "prompt_free_dir"];

    /// <summary>Whether the subset is a metadata file of fine-tuning.</summary>
    internal static bool IsMetadata(TomlTable subset) => subset.TryGet("metadata_file", out var entry) && entry.Value.Kind != TomlKind.Null;

    /// <summary>The keys of [general].</summary>
    internal static IEnumerable<string> General => [.. s_ofDatasets, .. s_ofSubsets, .. s_ofFolders];

    /// <summary>The keys of a data set.</summary>
    /// <param name="metadata">Whether its subsets are metadata files.</param>
    internal static IEnumerable<string> Dataset(bool metadata) =>
        [.. s_ofDatasets, .. s_ofSubsets, .. metadata ? [] : s_ofFolders, "subsets"];

    /// <summary>The keys of a subset.</summary>
    /// <param name="metadata">Whether it is a metadata file.</param>
    internal static IEnumerable<string> Subset(bool metadata) =>
        [.. s_ofSubsets, .. s_ofOneSubset, .. metadata ? ["metadata_file"] : (string[])[.. s_ofFolders, "is_reg", "take_cached"]];

    /// <summary>What a choice is called in files: <c>short_side</c>.</summary>
    internal static string NameOf<T>(T choice) where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(choice.ToString());

    /// <summary>Notes every key that may not stand in the table.</summary>
    internal static void Check(TomlDocument document, TomlTable table, IEnumerable<string> allowed, string where, List<Exception> faults)
    {
        var names = allowed.ToHashSet(StringComparer.Ordinal);
        foreach (var entry in table.Where(entry => !names.Contains(entry.Key)))
            faults.Add(document.Fault(entry.Position, $"\"{entry.Key}\" is no option of {where}.", Remedy(entry.Key, names)));
    }

    private static string Remedy(string key, HashSet<string> names)
    {
        if (key == "is_reg")
            return $"It stands in [[datasets.subsets]] of folders alone; not beside a metadata file, {DatasetRules.MetadataReason}.";
        if (General.Contains(key)) return "It stands in [general] or in [[datasets]].";
        if (s_ofOneSubset.Contains(key) || key is "metadata_file" or "take_cached")
            return "It stands in [[datasets.subsets]] (class_tokens not beside metadata_file).";
        return NearName.Of(key, names) is { } near ? $"Did you mean \"{near}\"?" : "Leave it out.";
    }
}
