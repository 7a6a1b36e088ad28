using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>The reference's results for tokenizers, from tests/fixtures/clip-tokenizer.</summary>
internal static class TokenizerCases
{
    public static JsonElement[] Read(string file)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("clip-tokenizer", file)));
        return [.. document.RootElement.GetProperty("cases").EnumerateArray().Select(item => item.Clone())];
    }

    public static string Text(this JsonElement item) => item.GetProperty("text").GetString()!;

    public static int[] Ids(this JsonElement item, params string[] names) =>
        [.. First(item, names).EnumerateArray().Select(id => id.GetInt32())];

    /// <summary>Chunks, where one chunk may stand without its outer list.</summary>
    public static long[][] Chunks(this JsonElement item, params string[] names)
    {
        var rows = First(item, names);
        JsonElement[] list = rows[0].ValueKind == JsonValueKind.Array ? [.. rows.EnumerateArray()] : [rows];
        return [.. list.Select(row => row.EnumerateArray().Select(id => id.GetInt64()).ToArray())];
    }

    public static float[] Weights(this JsonElement item, string name)
    {
        var rows = item.GetProperty(name);
        return [.. rows.EnumerateArray()
            .SelectMany(row => row.ValueKind == JsonValueKind.Array ? [.. row.EnumerateArray()] : new[] { row })
            .Select(w => w.GetSingle())];
    }

    private static JsonElement First(JsonElement item, string[] names) =>
        item.GetProperty(names.First(name => item.TryGetProperty(name, out _)));
}
