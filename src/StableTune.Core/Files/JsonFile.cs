using System.Text;
using System.Text.Json;

namespace StableTune.Data;

/// <summary>Reads JSON files that others wrote, and tells what is wrong with them as people count: lines and bytes from 1.</summary>
internal static class JsonText
{
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private static readonly JsonDocumentOptions s_options = new() { AllowDuplicateProperties = false };

    /// <summary>The text of a file, without a byte order mark.</summary>
    /// <exception cref="InvalidFileException">It is not UTF-8.</exception>
    internal static string Read(string path)
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

    /// <summary>A file, or one line of it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="text">What is read.</param>
    /// <param name="remedy">What the user can do about a fault.</param>
    /// <param name="line">The line's number from 1; null for a whole file.</param>
    /// <exception cref="InvalidFileException">It is not JSON, or a name is there twice.</exception>
    internal static JsonDocument Parse(string path, string text, string remedy, int? line = null)
    {
        try
        {
            return JsonDocument.Parse(text, s_options);
        }
        catch (JsonException e)
        {
            var place = e.BytePositionInLine is not { } at ? line is null ? "" : $" at line {line}" : $" at line {line ?? e.LineNumber + 1}, byte {at + 1}";
            // Without the reader's own place, and without its advice to programmers.
            var reason = e.Message.Split(" LineNumber:")[0].Replace(" Change the reader options.", "", StringComparison.Ordinal)
                .Replace(" encountered during deserialization", ", which may be there once", StringComparison.Ordinal).TrimEnd('.');
            throw new InvalidFileException(path, $"not JSON that could be read{place}: {reason}.", remedy, e);
        }
    }
}
