using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace StableTune;

/// <summary>Values as Python writes them, because the programs that read metadata expect that.</summary>
public static class PythonRepr
{
    /// <summary>
    /// As Python's <c>str()</c>: <c>None</c>, <c>True</c>, <c>512</c>, <c>1.0</c>, <c>5e-05</c>; tuples as <c>(512, 512)</c>,
    /// dictionaries and lists as JSON, as they are in metadata.
    /// </summary>
    /// <param name="value">Null, a bool, a number, a text, a tuple, a dictionary with texts as keys, or a list.</param>
    /// <exception cref="ArgumentException">The value is of another type.</exception>
    public static string Of(object? value) => value switch
    {
        null => "None",
        string text => text,
        bool truth => truth ? "True" : "False",
        double number => Float(number),
        // By its shortest decimal form: 0.1f is 0.1, not 0.10000000149011612.
        float number => Float(double.Parse(number.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)),
        int or long or uint or ulong or short or byte => ((IFormattable)value).ToString(null, CultureInfo.InvariantCulture),
        ITuple tuple =>
            $"({string.Join(", ", Enumerable.Range(0, tuple.Length).Select(i => Of(tuple[i])))}{(tuple.Length == 1 ? "," : "")})",
        _ => Json(value),
    };

    /// <summary>
    /// Writes a value as Python's <c>json.dumps</c> does: blanks after commas and colons, everything beyond ASCII escaped.
    /// </summary>
    /// <param name="value">Null, a bool, a number, a text, a dictionary with texts as keys, or a list of such.</param>
    /// <exception cref="ArgumentException">The value is of another type.</exception>
    public static string Json(object? value)
    {
        var json = new StringBuilder();
        Append(json, value);
        return json.ToString();
    }

    /// <summary>
    /// Writes a number as Python's <c>repr</c> of a float does: the shortest digits, at least one after the point, an exponent below 1e-4
    /// and from 1e16.
    /// </summary>
    private static string Float(double value)
    {
        if (double.IsNaN(value)) return "nan";
        if (double.IsInfinity(value)) return value > 0 ? "inf" : "-inf";
        if (value == 0) return double.IsNegative(value) ? "-0.0" : "0.0";
        var shortest = value.ToString("R", CultureInfo.InvariantCulture);
        var exponent = Exponent(shortest.TrimStart('-'));
        if (exponent is >= -4 and < 16)
        {
            var plain = decimal.Parse(shortest, NumberStyles.Float, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture);
            return plain.Contains('.') ? plain : plain + ".0";
        }

        var digits = new string([.. shortest.Split('E')[0].Where(char.IsAsciiDigit)]).Trim('0');
        var mantissa = digits.Length == 1 ? digits : $"{digits[0]}.{digits[1..]}";
        return $"{(value < 0 ? "-" : "")}{mantissa}e{(exponent < 0 ? "-" : "+")}{Math.Abs(exponent):00}";
    }

    /// <summary>The power of ten of the first digit that is not 0, from the shortest digits: those of 1e-6 in full begin with
    /// 9.99e-7.</summary>
    private static int Exponent(string shortest)
    {
        if (shortest.IndexOf('E') is >= 0 and var at)
            return int.Parse(shortest.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var point = shortest.IndexOf('.') is >= 0 and var dot ? dot : shortest.Length;
        var first = shortest.AsSpan().IndexOfAnyInRange('1', '9');
        return first < point ? point - first - 1 : point - first;
    }

    private static void Append(StringBuilder json, object? value)
    {
        switch (value)
        {
            case null: json.Append("null"); break;
            case bool truth: json.Append(truth ? "true" : "false"); break;
            case string text: JsonText.Append(json, text, onlyAscii: true); break;
            case System.Collections.IDictionary map: AppendMap(json, map); break;
            case System.Collections.IEnumerable list: AppendList(json, list.Cast<object?>()); break;
            case ITuple tuple: AppendList(json, Enumerable.Range(0, tuple.Length).Select(i => tuple[i])); break;
            case int or long or uint or ulong or short or byte or float or double: json.Append(Of(value)); break;
            default:
                throw new ArgumentException(
                    $"A {value.GetType().Name} has no form in metadata: give a text, number, bool, list or dictionary.", nameof(value));
        }
    }

    private static void AppendMap(StringBuilder json, System.Collections.IDictionary map)
    {
        json.Append('{');
        var first = true;
        foreach (System.Collections.DictionaryEntry entry in map)
        {
            if (!first) json.Append(", ");
            first = false;
            JsonText.Append(json, entry.Key as string ?? Of(entry.Key), onlyAscii: true);
            json.Append(": ");
            Append(json, entry.Value);
        }

        json.Append('}');
    }

    private static void AppendList(StringBuilder json, IEnumerable<object?> list)
    {
        json.Append('[');
        var first = true;
        foreach (var item in list)
        {
            if (!first) json.Append(", ");
            first = false;
            Append(json, item);
        }

        json.Append(']');
    }
}
