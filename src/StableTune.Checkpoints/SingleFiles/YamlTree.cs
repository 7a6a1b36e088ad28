using StableTune.Models;
using YamlDotNet.Core.Events;
using YamlDotNet.Core;
using ScalarEvent = YamlDotNet.Core.Events.Scalar;

namespace StableTune.Checkpoints;

/// <summary>A value in a yaml file: a text, or named values. Lists are passed over, nothing that is asked for lies in one.</summary>
/// <param name="Text">The text of a scalar; null for other values.</param>
/// <param name="Line">Where it stands, from 1.</param>
internal sealed record YamlValue(string? Text, long Line)
{
    /// <summary>The named values of a mapping; empty for other values.</summary>
    public Dictionary<string, YamlValue> Entries { get; } = new(StringComparer.Ordinal);

    /// <summary>The value at the end of a path of names; null when there is none.</summary>
    public YamlValue? At(params ReadOnlySpan<string> names)
    {
        var value = this;
        foreach (var name in names)
            if (!value.Entries.TryGetValue(name, out value)) return null;
        return value;
    }
}

/// <summary>
/// Reads yaml as a tree of names and texts, from the parser's events: no type is created, no tag is looked at, and an alias is the value
/// that it names, not a copy, so that a file cannot grow in memory.
/// </summary>
internal sealed class YamlTree
{
    // The configurations of all published models stay far below.
    private const int MaximumBytes = 256 * 1024, MaximumDepth = 64, MaximumValues = 10_000;

    private readonly string _path;
    private readonly IParser _parser;
    private readonly Dictionary<string, YamlValue> _anchors = new(StringComparer.Ordinal);
    private int _values;

    private YamlTree(string path, IParser parser) => (_path, _parser) = (path, parser);

    /// <summary>Reads the first document of the file.</summary>
    /// <exception cref="InvalidFileException">The file is missing, too large, not yaml, or nested too deep.</exception>
    public static YamlValue Read(string path)
    {
        var length = new FileInfo(path) is { Exists: true } file ? file.Length : 0;
        if (length > MaximumBytes)
            throw new InvalidFileException(
                path, $"the file has {length} bytes, a model's configuration at most {MaximumBytes}.",
                "Is it the right file? Otherwise remove it.");
        var bytes = TextFile.ReadAllBytes(path);
        using var reader = new StreamReader(new MemoryStream(bytes), detectEncodingFromByteOrderMarks: true);
        try
        {
            var parser = new Parser(reader);
            parser.Consume<StreamStart>();
            if (!parser.TryConsume<DocumentStart>(out _)) return new YamlValue("", 1);
            return new YamlTree(path, parser).Value(0);
        }
        catch (YamlException e)
        {
            throw new InvalidFileException(
                path, $"not yaml: line {e.Start.Line}: {e.Message}", "Correct the file, or take it from the model's source again.", e);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // What YamlDotNet's scanner throws for some broken texts, as "[x:" at the end of one.
            throw new InvalidFileException(
                path, "not yaml: its notation is broken.", "Correct the file, or take it from the model's source again.", e);
        }
    }

    private YamlValue Value(int depth)
    {
        if (depth > MaximumDepth) throw Fault($"values lie in each other more than {MaximumDepth} deep.");
        if (++_values > MaximumValues) throw Fault($"there are more than {MaximumValues} values.");
        if (_parser.TryConsume<AnchorAlias>(out var alias))
            return _anchors.TryGetValue(alias.Value.Value, out var named) ? named
                : throw Fault($"line {alias.Start.Line}: the alias '*{alias.Value.Value}' names no value above it.");
        if (_parser.TryConsume<ScalarEvent>(out var scalar)) return Named(scalar, new YamlValue(scalar.Value, scalar.Start.Line));
        if (_parser.TryConsume<SequenceStart>(out var list))
        {
            while (!_parser.TryConsume<SequenceEnd>(out _)) Value(depth + 1);
            return Named(list, new YamlValue(null, list.Start.Line));
        }

        var start = _parser.Consume<MappingStart>();
        var mapping = new YamlValue(null, start.Start.Line);
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            var key = Value(depth + 1);
            var value = Value(depth + 1);
            if (key.Text is { } name && !mapping.Entries.TryAdd(name, value))
                throw Fault($"line {key.Line}: the name '{name}' occurs twice.");
        }

        return Named(start, mapping);
    }

    // Only now, so that a value cannot hold itself.
    private YamlValue Named(NodeEvent start, YamlValue value)
    {
        if (!start.Anchor.IsEmpty) _anchors[start.Anchor.Value] = value;
        return value;
    }

    private InvalidFileException Fault(string fault) => new(_path, fault, "Correct the file, or take it from the model's source again.");
}
