using System.Text;

namespace StableTune.Preparation;

/// <summary>sd-scripts' text of tags that are written as others: <c>from,to;from,to</c>, where <c>\,</c> and <c>\;</c> are part of a
/// tag.</summary>
public static class TagReplacements
{
    /// <summary>Reads such a text.</summary>
    /// <param name="text">The text; blanks around tags do not count, and an empty text replaces nothing.</param>
    /// <returns>The new tag by the old one, for <see cref="TagSelection.Replacements"/>.</returns>
    /// <exception cref="FormatException">A pair has not two tags, or a tag is replaced twice; the message names it.</exception>
    public static IReadOnlyDictionary<string, string> Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var replacements = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in Split(text, ';'))
        {
            if (string.IsNullOrWhiteSpace(pair)) continue;
            string[] tags = [.. Split(pair, ',').Select(tag => Unescaped(tag.Trim()))];
            if (tags is not [{ Length: > 0 } from, { Length: > 0 } to])
                throw new FormatException(
                    $"\"{pair}\" does not say which tag becomes which. Write \"old,new\", pairs apart by \";\", and \"\\,\" or \"\\;\" "
                        + $"for such a sign in a tag.");
            if (!replacements.TryAdd(from, to))
                throw new FormatException(
                    $"The tag \"{from}\" is replaced by \"{replacements[from]}\" and by \"{to}\". Leave one of them out.");
        }

        return replacements;
    }

    /// <summary>Splits at a sign that no backslash precedes; backslashes stay.</summary>
    private static List<string> Split(string text, char sign)
    {
        var (parts, start) = (new List<string>(), 0);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != sign || (i > 0 && text[i - 1] == '\\')) continue;
            parts.Add(text[start..i]);
            start = i + 1;
        }

        parts.Add(text[start..]);
        return parts;
    }

    private static string Unescaped(string tag) => new StringBuilder(tag).Replace("\\,", ",").Replace("\\;", ";").ToString();
}
