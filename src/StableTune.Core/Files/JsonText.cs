using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text;

namespace StableTune;

/// <summary>How JSON is written: for people, and letter by letter as Python writes it.</summary>
public static class JsonText
{
    /// <summary>Readable letters instead of escapes, since it is not meant to stand within a web page; on one line.</summary>
    public static JsonSerializerOptions OneLine { get; } = Frozen(new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>Writes JSON over several lines, indented by two, with line feeds on every system.</summary>
    public static JsonSerializerOptions Indented { get; } = Frozen(new(OneLine) { WriteIndented = true, IndentSize = 2, NewLine = "\n" });

    /// <summary><see cref="Indented"/> for writers of single values.</summary>
    public static JsonWriterOptions IndentedWriting { get; } = new() { Encoder = OneLine.Encoder, Indented = true, IndentSize = 2,
        NewLine = "\n" };

    /// <summary>
    /// Appends a text in quotes, with only the escapes that must be, as Python's and the reference library's writers do: .NET's own writer
    /// escapes other characters, and the bytes are to be the same.
    /// </summary>
    /// <param name="json">What it is appended to.</param>
    /// <param name="text">Any text.</param>
    /// <param name="onlyAscii">Whether everything beyond printable ASCII is escaped too, as Python's <c>json.dumps</c> does.</param>
    public static void Append(StringBuilder json, string text, bool onlyAscii)
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(text);
        json.Append('"');
        foreach (var unit in text)
        {
            _ = unit switch
            {
                '"' => json.Append("\\\""),
                '\\' => json.Append("\\\\"),
                '\n' => json.Append("\\n"),
                '\r' => json.Append("\\r"),
                '\t' => json.Append("\\t"),
                '\b' => json.Append("\\b"),
                '\f' => json.Append("\\f"),
                < ' ' => Escape(json, unit),
                > '~' when onlyAscii => Escape(json, unit),
                _ => json.Append(unit),
            };
        }

        json.Append('"');
    }

    private static JsonSerializerOptions Frozen(JsonSerializerOptions options)
    {
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }

    private static StringBuilder Escape(StringBuilder json, char unit) => json.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}");
}
