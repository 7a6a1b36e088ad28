namespace StableTune.Checkpoints;

/// <summary>The names that weights of BERT-like text encoders have in files of different origin.</summary>
internal static class BertWeightNames
{
    // What a model for another task keeps its encoder under.
    private static readonly string[] Prefixes = ["bert.", "roberta."];

    // Heads of such models, the pooler that Stable Diffusion does not use, and constants that old versions saved.
    private static readonly string[] Unused =
        ["cls.", "lm_head.", "pooler.", "classifier.", "embeddings.position_ids", "embeddings.token_type_ids"];

    // Names of norms in files that were converted from TensorFlow.
    private static readonly (string Old, string Today)[] Norms = [(".LayerNorm.gamma", ".LayerNorm.weight"),
        (".LayerNorm.beta", ".LayerNorm.bias")];

    /// <summary>The module's name for a name of a BERT or RoBERTa file; null for what encoders do not need.</summary>
    public static string? Bert(string name)
    {
        foreach (var prefix in Prefixes)
            if (name.StartsWith(prefix, StringComparison.Ordinal)) name = name[prefix.Length..];
        if (Unused.Any(start => name.StartsWith(start, StringComparison.Ordinal))) return null;
        foreach (var (old, today) in Norms)
            if (name.EndsWith(old, StringComparison.Ordinal)) return name[..^old.Length] + today;
        return name;
    }

    /// <summary>The module's name for a name of an LDMBert file; null for what encoders do not need.</summary>
    public static string? LdmBert(string name) =>
        name.StartsWith("to_logits.", StringComparison.Ordinal) || name.EndsWith(".position_ids", StringComparison.Ordinal) ? null : name;
}
