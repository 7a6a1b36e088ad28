using System.Globalization;
using System.Text.Json;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>A JSON configuration of a model folder, read with defaults and with messages that name file, key and value.</summary>
internal sealed class ConfigFile
{
    private const string Remedy = "Correct the file, or take it from the model's repository again.";

    /// <summary>What no size of a model comes near: beyond it products of sizes could overflow.</summary>
    private const int LargestNumber = 1_000_000;

    private readonly Dictionary<string, JsonElement> _entries = new(StringComparer.Ordinal);

    /// <summary>Reads the file.</summary>
    /// <exception cref="InvalidFileException">It is missing, or not a JSON object.</exception>
    public ConfigFile(string path)
    {
        Path = path;
        using var document = JsonFile.Parse(path, TextFile.ReadAllBytes(path), Remedy, allowTwice: true);
        if (document.RootElement.ValueKind != JsonValueKind.Object) throw new InvalidFileException(path, "not a JSON object.", Remedy);
        foreach (var entry in document.RootElement.EnumerateObject()) _entries[entry.Name] = entry.Value.Clone();
    }

    /// <summary>A configuration that was read otherwise.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="entries">What it says.</param>
    public ConfigFile(string path, IReadOnlyDictionary<string, JsonElement> entries)
    {
        Path = path;
        foreach (var (key, value) in entries) _entries[key] = value;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>All keys with their values.</summary>
    public IReadOnlyDictionary<string, JsonElement> Entries => _entries;

    /// <summary>Whether the key is there with a value other than null.</summary>
    public bool Has(string key) => _entries.TryGetValue(key, out var value) && value.ValueKind != JsonValueKind.Null;

    /// <summary>A whole number.</summary>
    /// <param name="key">The key.</param>
    /// <param name="fallback">The number when the key is missing or null.</param>
    /// <param name="most">The largest that can be meant: what is built must be bounded before it is compared with the weights.</param>
    public int Int(string key, int fallback, int most = LargestNumber) => AtMost(key, Read(key, fallback, "a whole number", IntOf), most);

    /// <summary>A number.</summary>
    public double Double(string key, double fallback) => Read(key, fallback, "a number", DoubleOf);

    /// <summary>True or false.</summary>
    public bool Bool(string key, bool fallback) => Read<bool>(key, fallback, "true or false",
        value => value.ValueKind switch { JsonValueKind.True => true, JsonValueKind.False => false, _ => null });

    /// <summary>A text; null when the key is missing or null.</summary>
    public string? Text(string key)
    {
        if (!Has(key)) return null;
        return _entries[key].ValueKind == JsonValueKind.String ? _entries[key].GetString() : throw Wrong(key, "a text");
    }

    /// <summary>A list of whole numbers; where one number stands instead, it stands for all.</summary>
    public IReadOnlyList<int> Ints(string key, IReadOnlyList<int> fallback, int count, int most = LargestNumber)
    {
        if (!Has(key)) return fallback;
        if (IntOf(_entries[key]) is { } single) return [.. Enumerable.Repeat(AtMost(key, single, most), count)];
        return List(key, "a whole number or a list of them", value =>
            IntOf(value) is { } number ? (true, AtMost(key, number, most)) : default);
    }

    /// <summary>A list of numbers; null when the key is missing or null.</summary>
    public IReadOnlyList<double>? Doubles(string key) =>
        Has(key) ? List(key, "a list of numbers", value => DoubleOf(value) is { } number ? (true, number) : default) : null;

    /// <summary>A list of texts.</summary>
    public IReadOnlyList<string> Texts(string key, IReadOnlyList<string> fallback) =>
        Has(key) ? List(key, "a list of texts", value => (value.ValueKind == JsonValueKind.String, value.GetString()!)) : fallback;

    /// <summary>The two texts of a part in <c>model_index.json</c>, library and class; null when the key is missing or names
    /// none.</summary>
    public (string Library, string Class)? Part(string key)
    {
        if (!Has(key)) return null;
        var value = _entries[key];
        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 2)
        {
            if (value[1].ValueKind == JsonValueKind.Null) return null;
            if (value[0].ValueKind == JsonValueKind.String && value[1].ValueKind == JsonValueKind.String)
                return (value[0].GetString()!, value[1].GetString()!);
        }

        throw Wrong(key, "a library and a class, such as [\"diffusers\", \"UNet2DConditionModel\"]");
    }

    /// <summary>Refuses a setting that would change what the model computes and that is not supported.</summary>
    /// <param name="key">The key; a missing one is the default.</param>
    /// <param name="accepted">JSON texts of the values that change nothing, such as "false", "null", "\"silu\"" or "1.0".</param>
    /// <exception cref="InvalidFileException">It has another value.</exception>
    public void RequireOneOf(string key, params string[] accepted)
    {
        if (!_entries.TryGetValue(key, out var value) || accepted.Any(text => Equal(value, text))) return;
        throw new InvalidFileException(
            Path, $"\"{key}\" is {value.GetRawText()}, which is not supported (only {string.Join(" or ", accepted)}).",
            "Use a model of a supported architecture.");
    }

    /// <summary>Throws all problems of an options record that was read from this file.</summary>
    /// <exception cref="InvalidFileException">There are problems.</exception>
    public T Checked<T>(T options) where T : OptionsBase
    {
        var problems = options.Validate().ToArray();
        if (problems.Length == 0) return options;
        throw new InvalidFileException(
            Path,
            $"the configuration describes no model that could work: {string.Join(" ", problems.Select(problem => problem.ToString()))}",
            Remedy);
    }

    private static bool Equal(JsonElement value, string text)
    {
        // A list counts as what all its entries are, as in "only_cross_attention": [false, false].
        if (value.ValueKind == JsonValueKind.Array) return value.EnumerateArray().All(item => Equal(item, text));
        if (value.ValueKind == JsonValueKind.Number)
            return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
                && value.GetDouble().Equals(number);
        return value.GetRawText() == text;
    }

    private static int? IntOf(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : null;

    private static double? DoubleOf(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) ? number : null;

    private int AtMost(string key, int number, int most) => number <= most ? number : throw new InvalidFileException(
        Path, $"\"{key}\" is {number}, more than any model has (at most {most}).", Remedy);

    private T Read<T>(string key, T fallback, string expected, Func<JsonElement, T?> read) where T : struct =>
        Has(key) ? read(_entries[key]) ?? throw Wrong(key, expected) : fallback;

    private List<T> List<T>(string key, string expected, Func<JsonElement, (bool Good, T Value)> read)
    {
        if (_entries[key].ValueKind != JsonValueKind.Array) throw Wrong(key, expected);
        var items = new List<T>();
        foreach (var item in _entries[key].EnumerateArray())
        {
            var (good, value) = item.ValueKind is JsonValueKind.Array or JsonValueKind.Object ? default : read(item);
            if (!good) throw Wrong(key, expected);
            items.Add(value);
        }

        return items;
    }

    private InvalidFileException Wrong(string key, string expected)
    {
        return new InvalidFileException(Path, $"\"{key}\" is {ShortText.Of(_entries[key].GetRawText())} instead of {expected}.", Remedy);
    }
}
