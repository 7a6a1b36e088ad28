using StableTune.Adapters;
using StableTune.Formats;

namespace StableTune.Trainables;

/// <summary>A preset of LyCORIS in a TOML file: which layers are adapted, and which of them get another kind.</summary>
/// <param name="Layers">The layers.</param>
/// <param name="Kinds">Kinds of some layers, the first that fits before later ones.</param>
internal sealed record LyCorisPresetFile(LayerSelection Layers, IReadOnlyList<LyCorisPresetFile.KindOf> Kinds)
{
    private static readonly string[] s_keys =
    [
        "enable_conv", "unet_target_module", "unet_target_name", "text_encoder_target_module", "text_encoder_target_name", "use_fnmatch",
        "module_algo_map", "name_algo_map",
    ];

    /// <summary>The arguments of a kind, for layers below modules of a class or with a name.</summary>
    /// <param name="Class">The class; null for a name.</param>
    /// <param name="Pattern">The regular expression over full paths; null for a class.</param>
    /// <param name="Arguments"><c>algo</c>, <c>dim</c>, <c>alpha</c>, and those of the kind.</param>
    internal sealed record KindOf(string? Class, string? Pattern, IReadOnlyDictionary<string, string> Arguments);

    /// <summary>Reads a preset; what it does not say is as in <c>full</c>.</summary>
    /// <exception cref="InvalidConfigurationException">It cannot be read, or has a key that is not known; the message has the
    /// place.</exception>
    public static LyCorisPresetFile Read(string path)
    {
        var document = TomlDocument.Read(path);
        foreach (var entry in document.Root)
            if (!s_keys.Contains(entry.Key))
                throw document.Fault(entry.Position, $"a LyCORIS preset has no '{entry.Key}'", $"Known are: {string.Join(", ", s_keys)}.");
        var isGlob = Value(document, "use_fnmatch", "true or false", value => value.AsBoolean) ?? false;
        var full = LyCorisPresets.All.Create("full");
        IReadOnlyList<string>? Names(string key) => Texts(document, key)?.Select(name => isGlob ? WithinPart(name) : name).ToArray();
        var layers = full with
        {
            Convolutions = Value(document, "enable_conv", "true or false", value => value.AsBoolean) ?? true,
            UNetClasses = OrNowhere(Texts(document, "unet_target_module")) ?? full.UNetClasses,
            UNetNames = Names("unet_target_name") ?? full.UNetNames,
            TextEncoderClasses = OrNowhere(Texts(document, "text_encoder_target_module")) ?? full.TextEncoderClasses,
            TextEncoderNames = Names("text_encoder_target_name") ?? full.TextEncoderNames,
        };
        var byName = Maps(document, "name_algo_map").Select(map =>
            new KindOf(null, @"^(?:unet|text_encoder(?:_2)?)\.(?:" + (isGlob ? WithinPart(map.Name) : map.Name) + ")", map.Arguments));
        var byClass = Maps(document, "module_algo_map").Select(map => new KindOf(map.Name, null, map.Arguments));
        return new LyCorisPresetFile(layers, [.. byName, .. byClass]);
    }

    /// <summary>An empty list means no layers there, where a selection takes it for all.</summary>
    private static IReadOnlyList<string>? OrNowhere(IReadOnlyList<string>? classes) =>
        classes is { Count: 0 } ? [LayerSelection.Nowhere] : classes;

    /// <summary>A pattern with wildcards as an expression that is matched from the start of a path.</summary>
    private static string WithinPart(string pattern) => LayerSelection.Glob(pattern)[1..];

    private static IReadOnlyList<string>? Texts(TomlDocument document, string key) => Value(document, key, "a list of texts", value =>
        value.AsArray is { } list && list.All(item => item.AsText is not null) ? list.Select(item => item.AsText!).ToArray() : null);

    private static IEnumerable<(string Name, Dictionary<string, string> Arguments)> Maps(TomlDocument document, string key)
    {
        if (!document.Root.TryGet(key, out var entry)) yield break;
        var maps = entry.Value.AsTable
            ?? throw document.Fault(entry.Position, $"'{key}' is no table", $"Write [{key}.\"attn1\"] and algo = \"lokr\" below it.");
        foreach (var map in maps)
            yield return (map.Key, (map.Value.AsTable
                ?? throw document.Fault(map.Position, $"'{map.Key}' is no table", "Write algo = \"lokr\" and so on below it."))
                .ToDictionary(argument => argument.Key, argument => argument.Value.AsText ?? argument.Value.ToString()));
    }

    private static T? Value<T>(TomlDocument document, string key, string what, Func<TomlValue, T?> read) =>
        !document.Root.TryGet(key, out var entry) ? default
        : read(entry.Value) ?? throw document.Fault(entry.Position, $"'{key}' is {entry.Value.Describe()}", $"Give {what}.");
}
