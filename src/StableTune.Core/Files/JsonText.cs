using System.Globalization;
using System.Text;

namespace StableTune.Formats;

/// <summary>
/// Texts in JSON as Python's and the reference library's writers escape them: .NET's own writer escapes other characters, and the
/// bytes are to be the same.
/// </summary>
public static class JsonText
{
    /// <summary>Appends a text in quotes, with only the escapes that must be.</summary>
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

    private static StringBuilder Escape(StringBuilder json, char unit) => json.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}");
}
