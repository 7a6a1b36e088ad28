using System.Text.RegularExpressions;

namespace StableTune.Preparation;

/// <summary>The names of BLIP's weights: those of the hub's folders, which the model has, and those of the original files.</summary>
internal static partial class BlipNames
{
    internal const string Vision = "vision_model.", Text = "text_decoder.", OriginalVision = "visual_encoder.",
        Positions = Vision + "embeddings.position_embedding", OriginalPositions = OriginalVision + "pos_embed",
        Words = Text + "bert.embeddings.word_embeddings.weight", TiedWords = Text + "cls.predictions.decoder.weight";

    // In both layouts the scores of tokens use the table of words and the bias before them once more, and positions are counted.
    private static readonly HashSet<string> s_known =
        [TiedWords, Text + "cls.predictions.decoder.bias", Text + "bert.embeddings.position_ids", Vision + "embeddings.position_ids"];

    private static readonly (string From, string To)[] s_vision =
    [
        ("cls_token", "embeddings.class_embedding"), ("pos_embed", "embeddings.position_embedding"),
        ("patch_embed.proj.", "embeddings.patch_embedding."), ("norm.", "post_layernorm."),
    ];

    private static readonly (string From, string To)[] s_layer =
        [("norm1.", "layer_norm1."), ("norm2.", "layer_norm2."), ("attn.qkv.", "self_attn.qkv."), ("attn.proj.", "self_attn.projection.")];

    /// <summary>The model's name for a name of a file of either layout; null for what it has otherwise, or what captions do not
    /// need.</summary>
    internal static string? OfModel(string name)
    {
        if (s_known.Contains(name)) return null;
        if (name.StartsWith(Text, StringComparison.Ordinal) || name.StartsWith(Vision, StringComparison.Ordinal)) return name;
        // Encoders of texts, heads for other tasks: files of models that do more than describe.
        if (!name.StartsWith(OriginalVision, StringComparison.Ordinal)) return null;
        var inner = name[OriginalVision.Length..];
        return Vision + (Block().Match(inner) is { Success: true } block
            ? $"encoder.layers.{block.Groups[1].Value}.{Renamed(inner[block.Length..], s_layer)}" : Renamed(inner, s_vision));
    }

    private static string Renamed(string name, (string From, string To)[] table)
    {
        foreach (var (from, to) in table)
            if (name.StartsWith(from, StringComparison.Ordinal)) return to + name[from.Length..];
        return name;
    }

    [GeneratedRegex(@"^blocks\.(\d+)\.")]
    private static partial Regex Block();
}
