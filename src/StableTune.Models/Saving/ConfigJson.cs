using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace StableTune.Models;

/// <summary>Configurations as JSON: templates, numbers as Python writes them, the text of a file.</summary>
internal static class JsonTexts
{
    private static readonly JsonSerializerOptions Layout = new()
    {
        WriteIndented = true, IndentSize = 2, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>A template of this assembly.</summary>
    /// <param name="name">Such as "unet".</param>
    public static JsonObject Template(string name) => (JsonObject)JsonNode.Parse(string.Join('\n', EmbeddedResource.ReadLines($"templates/{name}.json")))!;

    /// <summary>A JSON object of a file.</summary>
    /// <exception cref="InvalidFileException">The file is missing, or no JSON object.</exception>
    public static JsonObject Read(string path)
    {
        try
        {
            if (JsonNode.Parse(TextFile.ReadAllBytes(path)) is JsonObject entries)
            {
                _ = entries.Count;      // a key that is there twice shows here
                return entries;
            }
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new InvalidFileException(path, "not JSON: " + e.Message, "Correct the file, or take it from the model's repository again.", e);
        }

        throw new InvalidFileException(path, "not a JSON object.", "Correct the file, or take it from the model's repository again.");
    }

    /// <summary>The text of a file.</summary>
    public static string Text(JsonObject entries) => entries.ToJsonString(Layout) + "\n";

    /// <summary>A number that stays a float for Python: 1.0, not 1.</summary>
    public static JsonNode Real(double value)
    {
        var text = value.ToString("R", CultureInfo.InvariantCulture);
        return JsonNode.Parse(text.AsSpan().IndexOfAny(".E") < 0 ? text + ".0" : text)!;
    }

    /// <summary>A list.</summary>
    public static JsonArray List<T>(IEnumerable<T> values) => [.. values.Select(value => JsonValue.Create(value))];

    /// <summary>A list of one number for every level as that number, as published configurations have it.</summary>
    public static JsonNode OneOrList(IReadOnlyList<int> values) => values.All(value => value == values[0]) ? JsonValue.Create(values[0]) : List(values);
}
