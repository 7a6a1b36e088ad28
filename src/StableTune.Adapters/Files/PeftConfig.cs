using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>
/// The settings that PEFT keeps of an adapter, as far as they say its alphas: in the metadata of diffusers' files, each key with its part
/// in front (<c>unet.lora_alpha</c>), and in <c>adapter_config.json</c> beside PEFT's own files.
/// </summary>
internal sealed partial class PeftConfig
{
    /// <summary>Where diffusers' files have the settings.</summary>
    public const string MetadataKey = "lora_adapter_metadata";

    private const string Beside = "adapter_config.json", Weights = "adapter_model";

    private static readonly Dictionary<AdapterParts, string> Prefixes = new()
    {
        [AdapterParts.UNet] = "unet.", [AdapterParts.TextEncoder1] = "text_encoder.", [AdapterParts.TextEncoder2] = "text_encoder_2.",
    };

    private readonly string _path;
    private readonly JsonElement? _settings;
    private readonly Dictionary<string, Regex> _patterns = new(StringComparer.Ordinal);

    private PeftConfig(string path, JsonElement? settings) => (_path, _settings) = (path, settings);

    /// <summary>Reads the settings of a file; without any, no alpha is known.</summary>
    /// <exception cref="InvalidFileException">They are no JSON object.</exception>
    public static PeftConfig Read(WeightFile file)
    {
        if (file.Metadata.TryGetValue(MetadataKey, out var text)) return new PeftConfig(file.Path, Parse(file.Path, MetadataKey, text));
        var beside = Path.Combine(Path.GetDirectoryName(file.Path) ?? "", Beside);
        return Path.GetFileNameWithoutExtension(file.Path) == Weights && File.Exists(beside)
            ? new PeftConfig(beside, Parse(beside, Beside, File.ReadAllText(beside))) : new PeftConfig(file.Path, null);
    }

    /// <summary>The alpha of an adapter, such that its scale is alpha / rank also where PEFT divides by the root of the rank; null where
    /// the settings say none.</summary>
    /// <param name="part">The part of the model.</param>
    /// <param name="path">The module's path, as the file has it below the part.</param>
    /// <param name="rank">The rank of its factors.</param>
    /// <exception cref="InvalidFileException">A setting is of the wrong type.</exception>
    public double? AlphaOf(AdapterParts part, string path, long rank)
    {
        var alpha = Pattern("alpha_pattern", part, path) ?? Setting("lora_alpha", part);
        if (alpha is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Number || !double.IsFinite(value.GetDouble()))
            throw Fault($"the alpha of '{path}' is {value.GetRawText()} instead of a number");
        return Setting("use_rslora", part) is { ValueKind: JsonValueKind.True } ? value.GetDouble() * Math.Sqrt(rank) : value.GetDouble();
    }

    /// <summary>The metadata of a file that diffusers and PEFT give the same scales: the most frequent rank and alpha, and patterns for
    /// the others.</summary>
    public static IReadOnlyDictionary<string, string> Write(IReadOnlyList<AdapterScale> scales)
    {
        var settings = new JsonObject();
        foreach (var part in scales.GroupBy(scale => scale.Layer.Part))
        {
            var (rank, alpha) = (Most(part.Select(scale => scale.Rank)), Most(part.Select(scale => scale.Alpha)));
            var paths = part.Select(scale => scale.Layer.Path).ToList();
            var prefix = Prefixes[part.Key];
            settings[prefix + "alpha_pattern"] = Patterns(part.Where(scale => !scale.Alpha.Equals(alpha)),
                scale => Number(scale.Alpha), paths);
            settings[prefix + "lora_alpha"] = Number(alpha);
            settings[prefix + "peft_type"] = "LORA";
            settings[prefix + "r"] = rank;
            settings[prefix + "rank_pattern"] = Patterns(part.Where(scale => scale.Rank != rank), scale => scale.Rank, paths);
            settings[prefix + "target_modules"] = string.Join('|', paths.Select(Regex.Escape));
            settings[prefix + "use_dora"] = part.Any(scale => scale.IsDoRA);
            settings[prefix + "use_rslora"] = false;
        }

        var text = settings.ToJsonString(new JsonSerializerOptions { WriteIndented = true });
        return new Dictionary<string, string> { ["format"] = "pt", [MetadataKey] = text };
    }

    private static T Most<T>(IEnumerable<T> values) => values.GroupBy(value => value).MaxBy(group => group.Count())!.Key;

    private static JsonNode Number(double value) => value == Math.Floor(value) && Math.Abs(value) < 1e15 ? (long)value : value;

    private static JsonObject Patterns(IEnumerable<AdapterScale> scales, Func<AdapterScale, JsonNode> value, IReadOnlyList<string> paths) =>
        new(scales.Select(scale => KeyValuePair.Create(PatternOf(scale.Layer.Path, paths), (JsonNode?)value(scale))));

    /// <summary>A pattern fits every path that ends with it: one that others end with must say that it begins there.</summary>
    private static string PatternOf(string path, IReadOnlyList<string> paths) =>
        paths.Any(other => other.EndsWith("." + path, StringComparison.Ordinal)) ? "^" + path : path;

    private static JsonElement Parse(string path, string name, string text)
    {
        const string remedy = "It must hold PEFT's settings as a JSON object: save the file again.";
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone()
                : throw new InvalidFileException(path, $"'{name}' is {document.RootElement.ValueKind} instead of an object.", remedy);
        }
        catch (JsonException e)
        {
            throw new InvalidFileException(path, $"'{name}' is no JSON ({e.Message.TrimEnd('.')}).", remedy, e);
        }
    }

    private JsonElement? Setting(string name, AdapterParts part)
    {
        if (_settings is not { } settings) return null;
        return settings.TryGetProperty(Prefixes[part] + name, out var value) || settings.TryGetProperty("transformer." + name, out value)
            || settings.TryGetProperty(name, out value) ? value : null;
    }

    /// <summary>The value of the first pattern that the path ends with, as PEFT takes it: patterns are regular expressions.</summary>
    private JsonElement? Pattern(string name, AdapterParts part, string path)
    {
        if (Setting(name, part) is not { ValueKind: not JsonValueKind.Null } patterns) return null;
        if (patterns.ValueKind != JsonValueKind.Object) throw Fault($"'{name}' is {patterns.GetRawText()} instead of an object");
        foreach (var pattern in patterns.EnumerateObject())
            if (IsMatch(pattern.Name, path)) return pattern.Value;
        return null;
    }

    /// <summary>Whether the path ends with the pattern, at its begin or behind a dot.</summary>
    private bool IsMatch(string pattern, string path)
    {
        // Nearly all are paths, and there may be a thousand of each: no regular expression is needed for these.
        if (IsPath().IsMatch(pattern)) return EndsWith(path, pattern.TrimStart('^'), isWhole: pattern[0] == '^');
        if (!_patterns.TryGetValue(pattern, out var expression)) _patterns.Add(pattern, expression = Expression(pattern));
        return expression.IsMatch(path);
    }

    /// <summary>As the regular expression would find it: a dot fits any character.</summary>
    private static bool EndsWith(string path, string end, bool isWhole)
    {
        var begin = path.Length - end.Length;
        if (begin < 0 || (begin > 0 && (isWhole || path[begin - 1] != '.'))) return false;
        for (var i = 0; i < end.Length; i++)
            if (end[i] != '.' && end[i] != path[begin + i]) return false;
        return true;
    }

    private Regex Expression(string pattern)
    {
        try
        {
            // Matches in linear time, whatever the file holds.
            return new Regex($@"^(.*\.)?({pattern})$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw Fault($"the pattern '{pattern}' cannot be used ({e.Message.TrimEnd('.')})");
        }
    }

    private InvalidFileException Fault(string fault) =>
        new(_path, $"in PEFT's settings {fault}.", "Correct the settings, or save the file again.");

    [GeneratedRegex(@"^\^?[A-Za-z0-9_.]+$")]
    private static partial Regex IsPath();
}
