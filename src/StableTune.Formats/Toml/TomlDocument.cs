using System.Text;

namespace StableTune.Formats;

/// <summary>
/// A configuration file, read: TOML 1.0, or JSON of the same shape. Every key and value knows its line and column, so that
/// whoever interprets the file can point at what it refuses.
/// </summary>
/// <remarks>
/// Reading is strict and bounded: a file has at most 4 MB, and tables and lists are nested at most 100 deep. Texts of several
/// lines have line feeds whatever the file's line ends are. What .NET's types cannot say is refused: times of less than 100
/// nanoseconds, the year 0, leap seconds, offsets beyond 14 hours. So is what TOML 1.1 adds, because the Python tools refuse it too.
/// </remarks>
public sealed class TomlDocument
{
    /// <summary>The largest file that is read, in bytes.</summary>
    internal const int MaximumBytes = 4 << 20;

    /// <summary>How deep tables and lists may be nested.</summary>
    internal const int MaximumDepth = 100;

    private TomlDocument(string path, TomlTable root) => (Path, Root) = (path, root);

    /// <summary>The file, as the caller named it.</summary>
    public string Path { get; }

    /// <summary>What is in it.</summary>
    public TomlTable Root { get; }

    /// <summary>The document with only some of its outermost keys, each where it stands in the file: for a reader of a part.</summary>
    /// <param name="keys">The keys.</param>
    public TomlDocument Only(params IEnumerable<string> keys)
    {
        var (kept, part) = (keys.ToHashSet(StringComparer.Ordinal), new TomlTable(Root.Position));
        foreach (var entry in Root.Where(entry => kept.Contains(entry.Key))) part.Add(entry);
        return new TomlDocument(Path, part);
    }

    /// <summary>Reads a file: <c>.json</c> as JSON, <c>.toml</c> as TOML.</summary>
    /// <param name="path">The file; UTF-8.</param>
    /// <exception cref="InvalidConfigurationException">The notation is wrong; the message gives line and column.</exception>
    /// <exception cref="InvalidFileException">The file is missing, too large, or has another ending.</exception>
    public static TomlDocument Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var ending = System.IO.Path.GetExtension(path);
        var json = ending.Equals(".json", StringComparison.OrdinalIgnoreCase);
        if (!json && !ending.Equals(".toml", StringComparison.OrdinalIgnoreCase))
            throw new InvalidFileException(path, $"a configuration file ends in .toml or .json, this one in '{ending}'.",
                "Write it as TOML or JSON and name it so.");
        var bytes = ReadBytes(path);
        return json ? new TomlDocument(path, JsonConfiguration.Read(bytes, path)) : Parse(Decode(bytes, path), path);
    }

    /// <summary>Reads TOML from a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="path">What messages call it.</param>
    /// <exception cref="InvalidConfigurationException">The notation is wrong; the message gives line and column.</exception>
    public static TomlDocument Parse(string text, string path = "(text)")
    {
        ArgumentNullException.ThrowIfNull(text);
        return new TomlDocument(path, TomlTableReader.Read(text, path));
    }

    /// <summary>Reads JSON from a text; its outermost value must be an object.</summary>
    /// <param name="text">The text.</param>
    /// <param name="path">What messages call it.</param>
    /// <exception cref="InvalidConfigurationException">The notation is wrong; the message gives line and column.</exception>
    public static TomlDocument ParseJson(string text, string path = "(text)")
    {
        ArgumentNullException.ThrowIfNull(text);
        return new TomlDocument(path, JsonConfiguration.Read(Encoding.UTF8.GetBytes(text), path));
    }

    /// <summary>The exception for something in this document that its reader refuses.</summary>
    /// <param name="position">Where it stands.</param>
    /// <param name="fault">What is wrong, with what was found and what was expected.</param>
    /// <param name="remedy">What the user can do about it.</param>
    public InvalidConfigurationException Fault(TomlPosition position, string fault, string remedy) => new(Path, position, fault, remedy);

    private static byte[] ReadBytes(string path)
    {
        if (new FileInfo(path) is { Exists: true, Length: 0 }) return [];      // a configuration may be empty, other files may not
        using var file = FileBytes.Open(path);
        var length = file.Length;
        if (length > MaximumBytes)
            throw new InvalidFileException(path, $"the file has {length} bytes, and a configuration file has at most {MaximumBytes}.",
                "Name the configuration file, or split it.");
        var bytes = new byte[length];
        FileBytes.Read(file.SafeFileHandle, bytes, 0, path);
        return bytes;
    }

    private static string Decode(byte[] bytes, string path)
    {
        var text = bytes.AsSpan();
        if (text is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
            throw new InvalidFileException(path, "the file is UTF-16 text.", "Save it as UTF-8.");
        if (text is [0xEF, 0xBB, 0xBF, ..]) text = text[3..];
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(text);
        }
        catch (DecoderFallbackException e)
        {
            var before = text[..Math.Clamp(e.Index, 0, text.Length)];
            var lineStart = before.LastIndexOf((byte)'\n') + 1;
            var position = new TomlPosition(before.Count((byte)'\n') + 1, Encoding.UTF8.GetCharCount(before[lineStart..]) + 1);
            throw new InvalidConfigurationException(path, position, "the file is not valid UTF-8 here.", "Save it as UTF-8.", e);
        }
    }
}
