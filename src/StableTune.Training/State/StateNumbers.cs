using System.Globalization;
using System.Text.Json.Nodes;

namespace StableTune.Training;

/// <summary>Numbers in a state's JSON: the shortest text that gives the same number back; as texts where JSON has no number.</summary>
internal static class StateNumbers
{
    public static JsonNode Node(double value) =>
        double.IsFinite(value) ? JsonValue.Create(value) : JsonValue.Create(value.ToString(CultureInfo.InvariantCulture));

    public static double? Value(JsonNode? node) => node is not JsonValue value ? null
        : value.TryGetValue(out double number) ? number
        : value.TryGetValue(out string? text) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number)
            && !double.IsFinite(number) ? number
        : null;
}
