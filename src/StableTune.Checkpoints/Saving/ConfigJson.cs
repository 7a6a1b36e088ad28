using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.Json;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Configurations of models as JSON: templates, numbers as Python writes them, the text of a file.</summary>
internal static class ConfigJson
{
    private const string Remedy = "Correct the file, or take it from the model's repository again.";

    /// <summary>A template of this assembly.</summary>
    /// <param name="name">Such as "unet".</param>
    public static JsonObject Template(string name) =>
        (JsonObject)JsonNode.Parse(string.Join('\n', EmbeddedResource.ReadLines($"templates/{name}.json", typeof(ConfigJson).Assembly)))!;

    /// <summary>A JSON object of a file.</summary>
    /// <exception cref="InvalidFileException">The file is missing, or no JSON object.</exception>
    public static JsonObject Read(string path)
    {
        using var document = JsonFile.Parse(path, TextFile.ReadAllBytes(path), Remedy);
        return document.RootElement.ValueKind == JsonValueKind.Object ? JsonObject.Create(document.RootElement.Clone())!
            : throw new InvalidFileException(path, "not a JSON object.", Remedy);
    }

    /// <summary>The text of a file.</summary>
    public static string Text(JsonObject entries) => entries.ToJsonString(JsonText.Indented) + "\n";

    /// <summary>A number that stays a float for Python: 1.0, not 1.</summary>
    public static JsonNode Real(double value)
    {
        var text = value.ToString("R", CultureInfo.InvariantCulture);
        return JsonNode.Parse(text.AsSpan().IndexOfAny(".E") < 0 ? text + ".0" : text)!;
    }

    /// <summary>A list.</summary>
    public static JsonArray List<T>(IEnumerable<T> values) => [.. values.Select(value => JsonValue.Create(value))];

    /// <summary>A list of one number for every level as that number, as published configurations have it.</summary>
    public static JsonNode OneOrList(IReadOnlyList<int> values) =>
        values.All(value => value == values[0]) ? JsonValue.Create(values[0]) : List(values);
}
