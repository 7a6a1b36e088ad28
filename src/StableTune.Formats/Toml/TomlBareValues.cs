using System.Globalization;

namespace StableTune.Formats;

/// <summary>Reads the values that stand without quotes and brackets: booleans and numbers; dates go to
/// <see cref="TomlDates"/>.</summary>
internal static class TomlBareValues
{
    public static TomlScalar Read(TomlSource source)
    {
        var start = source.Position;
        var token = source.TakeWhile(static c => char.IsAsciiLetterOrDigit(c) || c is '+' or '-' or '_' or '.' or ':');
        if (token.Length == 0)
            throw source.Unexpected("a value", "Values are texts in quotes, numbers, true, false, dates, lists in [] and tables in {}.");
        if (token is "true" or "false") return new TomlScalar(TomlKind.Boolean, token is "true", start);
        if (TomlDates.LooksLike(token)) return TomlDates.Read(source, token.ToString(), start);
        return ReadNumber(token) is { } number ? new TomlScalar(number is long ? TomlKind.Integer : TomlKind.Float, number, start)
            : throw Refuse(source, token.ToString(), start);
    }

    /// <summary>The number as long or double; null when the notation is wrong or it does not fit.</summary>
    private static object? ReadNumber(ReadOnlySpan<char> token)
    {
        if (token.Length > 2 && token[0] == '0' && token[1] is 'x' or 'o' or 'b')
            return ReadRadix(token[2..], token[1] switch { 'x' => 16, 'o' => 8, _ => 2 });
        var unsigned = token[0] is '+' or '-' ? token[1..] : token;
        var negative = token[0] == '-';
        if (unsigned is "inf") return negative ? double.NegativeInfinity : double.PositiveInfinity;
        if (unsigned is "nan") return double.NaN;

        var mark = unsigned.IndexOfAny('.', 'e', 'E');
        if (!IsWhole(mark < 0 ? unsigned : unsigned[..mark])) return null;
        if (mark >= 0 && !IsFractionAndExponent(unsigned[mark..])) return null;
        var plain = token.ToString().Replace("_", "", StringComparison.Ordinal);
        if (mark < 0) return long.TryParse(plain, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) ? whole : null;
        return double.Parse(plain, NumberStyles.Float, CultureInfo.InvariantCulture) is var number && double.IsFinite(number) ? number : null;
    }

    private static object? ReadRadix(ReadOnlySpan<char> digits, int radix)
    {
        if (!AreDigits(digits, radix)) return null;
        ulong value = 0;
        foreach (var c in digits)
        {
            if (c == '_') continue;
            if (value > (ulong)long.MaxValue / (ulong)radix) return null;
            value = value * (ulong)radix + (ulong)Digit(c);
        }

        return value <= long.MaxValue ? (long)value : null;
    }

    private static bool IsWhole(ReadOnlySpan<char> text) => AreDigits(text, 10) && (text.Length == 1 || text[0] != '0');

    /// <summary>Whether this is a fraction (.5), an exponent (e-3), or both.</summary>
    private static bool IsFractionAndExponent(ReadOnlySpan<char> text)
    {
        var exponent = text.IndexOfAny('e', 'E');
        if (text[0] == '.' && !AreDigits(exponent < 0 ? text[1..] : text[1..exponent], 10)) return false;
        if (exponent < 0) return true;
        var digits = text[(exponent + 1)..];
        return AreDigits(digits.Length > 0 && digits[0] is '+' or '-' ? digits[1..] : digits, 10);
    }

    /// <summary>Whether these are digits, with underscores only between two of them.</summary>
    private static bool AreDigits(ReadOnlySpan<char> text, int radix)
    {
        var digitBefore = false;
        foreach (var c in text)
        {
            if (c == '_' ? !digitBefore : Digit(c) is var digit && (digit < 0 || digit >= radix)) return false;
            digitBefore = c != '_';
        }

        return digitBefore;
    }

    private static int Digit(char c) => char.IsAsciiHexDigit(c) ? Convert.ToInt32(c.ToString(), 16) : -1;

    private static InvalidConfigurationException Refuse(TomlSource source, string token, TomlPosition start)
    {
        var shown = token.Length <= 60 ? token : token[..60] + "...";
        var unsigned = token.TrimStart('+', '-');
        if (unsigned.Length > 0 && char.IsAsciiDigit(unsigned[0]))
        {
            var remedy = unsigned.Length > 1 && unsigned[0] == '0' && char.IsAsciiDigit(unsigned[1]) ? "Decimal numbers have no leading zeros."
                : "Whole numbers have 64 bits, floats reach 1.8e308 and have digits on both sides of the point; underscores stand between digits; a text needs quotes.";
            return source.Fault(start, $"found '{shown}' where a value was expected: this is no number.", remedy);
        }

        return source.Fault(start, $"found '{shown}' where a value was expected.", token switch
        {
            "True" or "False" or "TRUE" or "FALSE" => "Write true or false in lower case.",
            "None" or "null" or "nil" => "TOML has no empty value: leave the key out.",
            _ when unsigned.StartsWith('.') => "A float has digits on both sides of the point: 0.5.",
            _ => "Texts stand in quotes.",
        });
    }
}
