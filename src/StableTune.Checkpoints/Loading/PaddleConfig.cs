using System.Text.Json;

namespace StableTune.Checkpoints;

/// <summary>
/// The configuration of a part as PaddleNLP's first versions write it (<c>model_config.json</c>): arguments of constructors, one within
/// the other, and CLIP's under names of its own. Read into what <c>config.json</c> says of the same part.
/// </summary>
internal static class PaddleConfig
{
    /// <summary>The name of the file in a part's folder.</summary>
    public const string FileName = "model_config.json";

    private const int Deepest = 8;

    private static readonly Dictionary<string, string> TextNames = new(StringComparer.Ordinal)
    {
        ["max_text_length"] = "max_position_embeddings", ["text_embed_dim"] = "hidden_size", ["text_heads"] = "num_attention_heads",
        ["text_layers"] = "num_hidden_layers", ["text_hidden_act"] = "hidden_act",
    };

    /// <summary>Reads the file.</summary>
    /// <exception cref="InvalidFileException">It is missing, or no JSON object.</exception>
    public static ConfigFile Read(string path)
    {
        var entries = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var (key, value) in new ConfigFile(path).Entries) Flatten(entries, key, value, 0);
        if (entries.TryGetValue("text_layers", out _))
        {
            foreach (var (old, name) in TextNames)
                if (entries.Remove(old, out var value)) entries.TryAdd(name, value);
            if (entries.TryGetValue("hidden_size", out var width) && width.ValueKind == JsonValueKind.Number
                && width.TryGetInt32(out var size) && size < int.MaxValue / 4)
                entries.TryAdd("intermediate_size", JsonSerializer.SerializeToElement(4 * size));
            entries.TryAdd("eos_token_id", JsonSerializer.SerializeToElement(2));
        }

        if (entries.Remove("init_class", out var type) && type.ValueKind == JsonValueKind.String)
            entries.TryAdd("architectures", JsonSerializer.SerializeToElement(new[] { type.GetString() }));
        return new ConfigFile(path, entries);
    }

    /// <summary>The outer class is the part's; arguments of inner ones count where the outer says nothing of them.</summary>
    private static void Flatten(Dictionary<string, JsonElement> into, string key, JsonElement value, int depth)
    {
        if (key != "init_args" || value.ValueKind != JsonValueKind.Array || depth > Deepest)
        {
            if (key == "init_class" && depth > 0) return;
            into.TryAdd(key, value);
            return;
        }

        foreach (var inner in value.EnumerateArray().Where(inner => inner.ValueKind == JsonValueKind.Object))
            foreach (var entry in inner.EnumerateObject()) Flatten(into, entry.Name, entry.Value, depth + 1);
    }
}
