using System.Globalization;
using System.Runtime.CompilerServices;

namespace StableTune.Configuration;

/// <summary>
/// The values of <c>key=value</c> arguments, as the reference reads them: numbers, <c>True</c>, <c>False</c>, <c>None</c>, texts in
/// quotes, tuples and lists of these.
/// </summary>
internal static class PythonLiteral
{
    /// <summary>Arguments by name.</summary>
    /// <param name="arguments">Each as <c>key=value</c>.</param>
    /// <exception cref="FormatException">One has no equals sign, or is there twice.</exception>
    public static OrderedDictionary<string, string> Arguments(IEnumerable<string> arguments)
    {
        var values = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var argument in arguments)
        {
            var at = argument.IndexOf('=', StringComparison.Ordinal);
            if (at < 1) throw new FormatException($"\"{ShortText.Of(argument)}\" is no key=value");
            if (!values.TryAdd(argument[..at].Trim(), argument[(at + 1)..].Trim()))
                throw new FormatException($"\"{argument[..at].Trim()}\" is given twice");
        }

        return values;
    }

    /// <summary>A value: null, <see cref="bool"/>, <see cref="double"/>, <see cref="string"/>, or a list of these.</summary>
    public static object? Read(string text)
    {
        text = text.Trim();
        if (text is "None") return null;
        if (text is "True" or "False") return text == "True";
        if (text.Length >= 2 && text[0] is '\'' or '"' && text[^1] == text[0]) return text[1..^1];
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)) return number;
        var list = text.Length >= 2 && (text[0], text[^1]) is ('(', ')') or ('[', ']') ? text[1..^1] : text;
        if (list.Length < text.Length || list.Contains(',', StringComparison.Ordinal))
            return list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Read).ToList();
        return text;
    }

    /// <summary>A value as <see cref="Read"/> reads it.</summary>
    public static string Write(object? value) => value switch
    {
        null => "None",
        bool flag => flag ? "True" : "False",
        string text => $"\"{text}\"",
        _ when WrittenForm.Parser(value.GetType()) is not null => $"\"{value}\"",
        Enum choice => $"\"{choice}\"",
        Warmup warmup => warmup.Part is { } part ? Write(part) : Write(warmup.In(0)),
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        float number => number.ToString("R", CultureInfo.InvariantCulture),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        ITuple tuple => $"({string.Join(",", Enumerable.Range(0, tuple.Length).Select(i => Write(tuple[i])))})",
        System.Collections.IEnumerable list => $"({string.Join(",", list.Cast<object?>().Select(Write))})",
        _ => throw new NotSupportedException($"a {value.GetType().Name} cannot be written as an argument"),
    };
}
