using System.Globalization;
using StableTune.Formats;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using ScalarEvent = YamlDotNet.Core.Events.Scalar;

namespace StableTune.Configuration;

/// <summary>A value of a YAML file with its line.</summary>
/// <param name="Value">What it says.</param>
/// <param name="Line">Where, from 1.</param>
internal sealed record YamlEntry(TomlValue Value, long Line);

/// <summary>
/// A YAML file as flat keys, <c>save.args.seed</c>, with values as a TOML file has them. Lists of tables are numbered:
/// <c>network[1].module</c>. No tag is looked at, no type is created, and aliases are refused.
/// </summary>
internal sealed class YamlFile
{
    private const int MaximumBytes = 256 * 1024, MaximumDepth = 32;
    private const string Remedy = "Correct the file.";

    private readonly string _path;
    private readonly OrderedDictionary<string, YamlEntry> _entries = new(StringComparer.Ordinal);

    private YamlFile(string path) => _path = path;

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidFileException">The file is missing, too large, not YAML, or nested too deep.</exception>
    public static IReadOnlyDictionary<string, YamlEntry> Read(string path)
    {
        if (new FileInfo(path) is { Exists: true, Length: > MaximumBytes } large)
            throw new InvalidFileException(path, $"the file has {large.Length} bytes, a configuration at most {MaximumBytes}.",
                "Is it the right file?");
        if (!File.Exists(path)) throw new InvalidFileException(path, "there is no such file.", "Correct the name.");
        var text = File.ReadAllText(path);
        var file = new YamlFile(path);
        try
        {
            var parser = new Parser(new StringReader(text));
            parser.Consume<StreamStart>();
            if (!parser.TryConsume<DocumentStart>(out _)) return file._entries;
            if (!parser.Accept<MappingStart>(out _)) throw file.Fault(1, "it holds no keys.");
            file.Node(parser, "", 0);
        }
        catch (YamlException e)
        {
            throw new InvalidFileException(path, $"not YAML: line {e.Start.Line}: {e.Message}", Remedy, e);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // What YamlDotNet's scanner throws for some broken texts.
            throw new InvalidFileException(path, "not YAML: its notation is broken.", Remedy, e);
        }

        return file._entries;
    }

    private void Node(IParser parser, string key, int depth)
    {
        if (depth > MaximumDepth) throw Fault(parser.Current!.Start.Line, $"values lie in each other more than {MaximumDepth} deep.");
        if (parser.TryConsume<ScalarEvent>(out var scalar)) Add(key, Value(scalar), scalar.Start.Line);
        else if (parser.TryConsume<MappingStart>(out _))
        {
            while (!parser.TryConsume<MappingEnd>(out _))
            {
                var name = parser.Consume<ScalarEvent>();
                Node(parser, key.Length == 0 ? name.Value : $"{key}.{name.Value}", depth + 1);
            }
        }
        else if (parser.TryConsume<SequenceStart>(out var start)) Sequence(parser, key, start.Start.Line, depth);
        else throw Fault(parser.Current!.Start.Line, "an alias stands where a value is wanted: write the value.");
    }

    private void Sequence(IParser parser, string key, long line, int depth)
    {
        var (items, count) = (new TomlArray(), 0);
        while (!parser.TryConsume<SequenceEnd>(out _))
        {
            if (parser.TryConsume<ScalarEvent>(out var item)) items.Add(Value(item) ?? "");
            else Node(parser, $"{key}[{count}]", depth + 1);
            count++;
        }

        if (items.Count > 0 || count == 0) Add(key, items, line);
    }

    private void Add(string key, TomlValue? value, long line)
    {
        if (value is null) return;                                            // null says nothing
        if (!_entries.TryAdd(key, new YamlEntry(value, line))) throw Fault(line, $"{key} is given a second time.");
    }

    private static TomlValue? Value(ScalarEvent scalar)
    {
        if (scalar.Style is not ScalarStyle.Plain) return scalar.Value;
        return scalar.Value switch
        {
            "" or "~" or "null" or "Null" or "NULL" => null,
            "true" or "True" or "TRUE" => true,
            "false" or "False" or "FALSE" => false,
            var text when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => whole,
            var text when char.IsAsciiDigit(text.TrimStart('-', '+', '.').FirstOrDefault())
                && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => number,
            var text => text,
        };
    }

    private InvalidFileException Fault(long line, string fault) => new(_path, $"line {line}: {fault}", Remedy);
}
