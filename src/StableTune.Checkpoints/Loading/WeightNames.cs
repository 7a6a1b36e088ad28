namespace StableTune.Checkpoints;

/// <summary>The names that parts' weights have in files of different age, as rows of tables.</summary>
internal static class WeightNames
{
    // Attention of the VAE before diffusers 0.17.
    private static readonly Dictionary<string, string> OldVaeAttention = new()
    {
        ["query"] = "to_q", ["key"] = "to_k", ["value"] = "to_v", ["proj_attn"] = "to_out.0",
    };

    // transformers 5 writes text encoders without their inner "text_model".
    private static readonly string[] InsideTextModel = ["embeddings.", "encoder.", "final_layer_norm."];

    /// <summary>The UNet's name for a name of its file.</summary>
    public static string? UNet(string name) => name;

    /// <summary>The VAE's name for a name of its file.</summary>
    public static string? Vae(string name)
    {
        // ... attentions.0.query.weight
        var steps = name.Split('.');
        if (steps.Length < 4 || steps[^4] != "attentions" || !OldVaeAttention.TryGetValue(steps[^2], out var today)) return name;
        steps[^2] = today;
        return string.Join('.', steps);
    }

    /// <summary>The text encoder's name for a name of its file; null for what encoders do not need.</summary>
    /// <param name="name">The file's name.</param>
    /// <param name="projected">Whether the encoder has a projection.</param>
    public static string? ClipText(string name, bool projected)
    {
        if (name.EndsWith("embeddings.position_ids", StringComparison.Ordinal) || name == "logit_scale") return null;
        if (name.StartsWith("text_projection", StringComparison.Ordinal) && !projected) return null;
        return InsideTextModel.Any(start => name.StartsWith(start, StringComparison.Ordinal)) ? "text_model." + name : name;
    }
}
