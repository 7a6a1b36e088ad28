using System.Globalization;
using System.Text;

namespace StableTune.Data;

/// <summary>Values written as Python's <c>str</c> and <c>json.dumps</c> write them, which is what readers of the metadata compare with.</summary>
internal static class Python
{
    internal static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);

    internal static string Text(bool value) => value ? "True" : "False";

    internal static string Text(double value)
    {
        var text = value.ToString("R", CultureInfo.InvariantCulture);
        return text.TrimStart('-').All(char.IsAsciiDigit) ? text + ".0" : text;
    }

    /// <summary>JSON of null, bool, int, double, string, sequences, and dictionaries with string keys; only ASCII.</summary>
    internal static string Json(object? value)
    {
        var text = new StringBuilder();
        Append(text, value);
        return text.ToString();
    }

    private static void Append(StringBuilder text, object? value)
    {
        switch (value)
        {
            case null: text.Append("null"); break;
            case bool flag: text.Append(flag ? "true" : "false"); break;
            case int number: text.Append(Text(number)); break;
            case double number: text.Append(Text(number)); break;
            case string words: AppendString(text, words); break;
            case IEnumerable<KeyValuePair<string, object?>> pairs:
                AppendList(text, '{', pairs, '}', pair =>
                {
                    AppendString(text, pair.Key);
                    text.Append(": ");
                    Append(text, pair.Value);
                });
                break;
            case IEnumerable<object?> list: AppendList(text, '[', list, ']', item => Append(text, item)); break;
            default: throw new NotSupportedException($"metadata of type {value.GetType()} has no JSON form here");
        }
    }

    private static void AppendList<T>(StringBuilder text, char open, IEnumerable<T> items, char close, Action<T> append)
    {
        text.Append(open);
        var first = true;
        foreach (var item in items)
        {
            if (!first) text.Append(", ");
            first = false;
            append(item);
        }

        text.Append(close);
    }

    private static void AppendString(StringBuilder text, string words)
    {
        text.Append('"');
        foreach (var unit in words)
        {
            _ = unit switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                < ' ' or > '~' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}"),
                _ => text.Append(unit),
            };
        }

        text.Append('"');
    }
}
