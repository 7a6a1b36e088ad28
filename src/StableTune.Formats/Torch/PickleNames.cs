using System.Globalization;
using System.Text;

namespace StableTune.Formats;

/// <summary>Texts of a file as messages show them.</summary>
internal static class PickleNames
{
    private const int Longest = 200;

    /// <summary>In quotes, see <see cref="Plain"/>.</summary>
    public static string Quote(string text) => $"'{Plain(text)}'";

    /// <summary>Shortened, with control characters written out: a message must stay one line and be seen as it is.</summary>
    public static string Plain(string text)
    {
        var builder = new StringBuilder();
        foreach (var c in text.Length <= Longest ? text : text[..Longest])
            if (char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029')
                builder.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else builder.Append(c);
        return text.Length <= Longest ? builder.ToString() : builder.Append("...").ToString();
    }
}
