using System.Text.Json.Nodes;
using System.Text;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>
/// A configuration to be written: the source's with all its keys, those changed that the model in memory says otherwise; or the
/// template's, where there is
/// no source.
/// </summary>
internal sealed class KeptConfig
{
    private readonly JsonObject _entries;
    private readonly byte[]? _source;
    private bool _changed;

    private KeptConfig(JsonObject entries, byte[]? source) => (_entries, _source) = (entries, source);

    /// <summary>Makes the configuration.</summary>
    /// <param name="options">What it shall say; null for what the source says.</param>
    /// <param name="template">The template's name; null for none.</param>
    /// <param name="source">The source's file; null, or one that is not there, for the template.</param>
    /// <exception cref="InvalidFileException">The source's file is damaged.</exception>
    /// <exception cref="InvalidOperationException">There are neither options nor a source.</exception>
    public static KeptConfig Of(OptionsBase? options, string? template, string? source)
    {
        var original = source is not null && File.Exists(source) ? source : null;
        if (options is not null) return Of(options, template, original, PartConfigs.Of(options));
        return original is not null ? new KeptConfig(ConfigJson.Read(original), TextFile.ReadAllBytes(original))
            : throw new InvalidOperationException(
            "A text encoder of a kind that is not known here can only be saved beside the configuration it was loaded with, and there is "
                + "none.");
    }

    private static KeptConfig Of(OptionsBase options, string? template, string? source, JsonObject wanted)
    {
        if (source is null)
        {
            var fresh = new KeptConfig(template is null ? [] : ConfigJson.Template(template), null);
            foreach (var (key, value) in wanted) fresh.Set(key, value?.DeepClone());
            return fresh;
        }

        // A key is changed where the record differs from the record that the source gives, so that other ways to say the same stay.
        var kept = new KeptConfig(ConfigJson.Read(source), TextFile.ReadAllBytes(source));
        var before = PartConfigs.Of(PartConfigs.Read(options, source));
        foreach (var key in before.Select(entry => entry.Key).Where(key => !wanted.ContainsKey(key)).ToList()) kept.Remove(key);
        foreach (var (key, value) in wanted)
            if (!before.ContainsKey(key) || !JsonNode.DeepEquals(before[key], value)) kept.Set(key, value?.DeepClone());
        return kept;
    }

    /// <summary>Sets a key where it is there with another value.</summary>
    public void Replace(string key, string value)
    {
        if (_entries.TryGetPropertyValue(key, out var now) && !JsonNode.DeepEquals(now, value)) Set(key, value);
    }

    /// <summary>The text of a key; null without.</summary>
    public string? Text(string key) => _entries[key] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    /// <summary>The file; the source's bytes where nothing changed.</summary>
    public byte[] Bytes() => _source is not null && !_changed ? _source : Encoding.UTF8.GetBytes(ConfigJson.Text(_entries));

    private void Set(string key, JsonNode? value)
    {
        _entries[key] = value;
        _changed = true;
    }

    private void Remove(string key)
    {
        _entries.Remove(key);
        _changed = true;
    }
}
