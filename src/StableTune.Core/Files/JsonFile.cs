using System.Text;
using System.Text.Json;

namespace StableTune;

/// <summary>Reads JSON files that others wrote, and tells what is wrong with them as people count: lines and bytes from 1.</summary>
public static class JsonFile
{
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The text of a file, without a byte order mark.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidFileException">It is not UTF-8.</exception>
    public static string ReadText(string path)
    {
        try
        {
            return s_strict.GetString(File.ReadAllBytes(path)).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidFileException(path, $"the file is not UTF-8 (byte {e.Index}).", "Save it as UTF-8.", e);
        }
    }

    /// <summary>Parses a text, or one line of a file.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="text">What is read.</param>
    /// <param name="remedy">What the user can do about a fault.</param>
    /// <param name="line">The line's number from 1; null for a whole file.</param>
    /// <exception cref="InvalidFileException">It is not JSON, holds half a character, or a name is there twice.</exception>
    public static JsonDocument Parse(string path, string text, string remedy, int? line = null) =>
        Parse(path, Encoding.UTF8.GetBytes(text), remedy, line, allowTwice: false);

    /// <summary>Parses the bytes of a file, perhaps with a byte order mark.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="json">Its bytes.</param>
    /// <param name="remedy">What the user can do about a fault.</param>
    /// <param name="allowTwice">Whether a name may be there twice; the last one counts then, as in Python.</param>
    /// <exception cref="InvalidFileException">It is not JSON, or holds half a character.</exception>
    public static JsonDocument Parse(string path, ReadOnlyMemory<byte> json, string remedy, bool allowTwice = false) =>
        Parse(path, json, remedy, line: null, allowTwice);

    private static JsonDocument Parse(string path, ReadOnlyMemory<byte> json, string remedy, int? line, bool allowTwice)
    {
        JsonDocument? document = null;
        try
        {
            document = JsonDocument.Parse(json.TrimStart("\uFEFF"u8), new JsonDocumentOptions { AllowDuplicateProperties = allowTwice });
            ReadTexts(document.RootElement);
            return document;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            document?.Dispose();
            throw new InvalidFileException(path, $"not JSON that could be read{Place(e as JsonException, line)}: {Reason(e)}.", remedy, e);
        }
    }

    /// <summary>The parser lets texts pass that are no Unicode, and throws when they are asked for: better here than later.</summary>
    private static void ReadTexts(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String: value.GetString(); break;
            case JsonValueKind.Array: foreach (var item in value.EnumerateArray()) ReadTexts(item); break;
            case JsonValueKind.Object:
                foreach (var entry in value.EnumerateObject())
                {
                    _ = entry.Name;
                    ReadTexts(entry.Value);
                }

                break;
        }
    }

    private static string Place(JsonException? e, int? line)
    {
        if (e?.BytePositionInLine is { } at) return $" at line {line ?? e.LineNumber + 1}, byte {at + 1}";
        return line is null ? "" : $" at line {line}";
    }

    /// <summary>Without the parser's own place, and without its advice to programmers.</summary>
    private static string Reason(Exception e) =>
        e.Message.Split(" LineNumber:")[0].Replace(" Change the reader options.", "", StringComparison.Ordinal)
        .Replace(" encountered during deserialization", ", which may be there once", StringComparison.Ordinal).TrimEnd('.');
}
