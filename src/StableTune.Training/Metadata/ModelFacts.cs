namespace StableTune.Training;

/// <summary>What files say about the model that was trained on.</summary>
/// <param name="BaseModelVersion"><c>sd_v1</c>, <c>sd_v2</c>, <c>sd_v2_v</c> or <c>sdxl_base_v1-0</c>.</param>
internal sealed record ModelFacts(string BaseModelVersion)
{
    /// <summary>Whether it is a Stable Diffusion 2 model.</summary>
    public bool IsV2 => BaseModelVersion.StartsWith("sd_v2", StringComparison.Ordinal);

    /// <summary>The model's file or folder name, without the path; null leaves it out.</summary>
    public string? Name { get; init; }

    /// <summary>The old hash of its file, 8 digits, see <see cref="Formats.WeightHashes.Old"/>; null (a folder, for instance)
    /// leaves it out.</summary>
    public string? OldHash { get; init; }

    /// <summary>The sha256 of its file; null leaves it out.</summary>
    public string? Sha256 { get; init; }

    /// <summary>The name of a VAE of its own; null when the model's was used.</summary>
    public string? VaeName { get; init; }

    /// <summary>The old hash of the VAE's file.</summary>
    public string? VaeOldHash { get; init; }

    /// <summary>The sha256 of the VAE's file.</summary>
    public string? VaeSha256 { get; init; }

    /// <summary>The text encoder's layer, counted from the last; null for the last.</summary>
    public int? ClipSkip { get; init; }

    /// <summary>150 or 225 for longer captions; null for 75.</summary>
    public int? MaxTokenLength { get; init; }

    /// <summary>The keys that even a file without training metadata carries.</summary>
    internal IEnumerable<(string Key, object? Value)> Minimum() => [("ss_v2", IsV2), ("ss_base_model_version", BaseModelVersion)];

    internal IEnumerable<(string Key, object? Value)> Rows()
    {
        var known = new (string Key, string? Value)[]
        {
            ("ss_sd_model_name", Name), ("ss_sd_model_hash", OldHash), ("ss_new_sd_model_hash", Sha256),
            ("ss_vae_name", VaeName), ("ss_vae_hash", VaeOldHash), ("ss_new_vae_hash", VaeSha256),
        };
        return [.. Minimum(), ("ss_clip_skip", ClipSkip), ("ss_max_token_length", MaxTokenLength),
            .. known.Where(row => row.Value is not null).Select(row => (row.Key, (object?)row.Value))];
    }
}
