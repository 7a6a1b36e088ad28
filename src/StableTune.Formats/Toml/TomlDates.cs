using System.Globalization;

namespace StableTune.Formats;

/// <summary>Reads TOML's dates and times, which are those of RFC 3339.</summary>
internal static class TomlDates
{
    private const string Remedy = "Dates read 2024-05-27, times 07:32:00 or 07:32:00.5, both together 2024-05-27T07:32:00, with an offset Z or +01:00 behind.";

    /// <summary>Whether a value that begins so can only be a date or a time.</summary>
    public static bool LooksLike(ReadOnlySpan<char> token) =>
        (token.Length > 2 && token[2] == ':' && AreDigits(token[..2])) || (token.Length > 4 && token[4] == '-' && AreDigits(token[..4]));

    /// <summary>Reads the value whose first characters were taken already; a blank may stand between date and time.</summary>
    public static TomlScalar Read(TomlSource source, string token, TomlPosition start)
    {
        if (token.Length == 10 && token[4] == '-' && source.Peek() == ' ' && char.IsAsciiDigit(source.Peek(1)))
        {
            source.Skip();
            token = $"{token}T{source.TakeWhile(static c => char.IsAsciiLetterOrDigit(c) || c is '+' or '-' or ':' or '.')}";
        }

        return Read(token, start) ?? throw source.Fault(start, $"found '{(token.Length <= 60 ? token : token[..60] + "...")}' where a value was expected: this is no date or time.", Remedy);
    }

    private static TomlScalar? Read(string token, TomlPosition start)
    {
        if (token[2] == ':')
            return ReadTime(token) is { } alone ? new TomlScalar(TomlKind.LocalTime, alone, start) : null;
        if (token.Length < 10 || !DateOnly.TryParseExact(token.AsSpan(0, 10), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date))
            return null;
        if (token.Length == 10) return new TomlScalar(TomlKind.LocalDate, date, start);
        if (token[10] is not ('T' or 't')) return null;

        var offsetAt = token.AsSpan(11).IndexOfAny("Zz+-") + 11;
        if (ReadTime(offsetAt > 10 ? token.AsSpan(11, offsetAt - 11) : token.AsSpan(11)) is not { } time) return null;
        var both = date.ToDateTime(time);
        if (offsetAt == 10) return new TomlScalar(TomlKind.LocalDateTime, both, start);
        if (ReadOffset(token.AsSpan(offsetAt)) is not { } offset || both.Ticks - offset.Ticks < 0 || both.Ticks - offset.Ticks > DateTime.MaxValue.Ticks)
            return null;
        return new TomlScalar(TomlKind.OffsetDateTime, new DateTimeOffset(both, offset), start);
    }

    /// <summary>Reads 07:32:00 with any number of digits behind the point, of which seven count.</summary>
    private static TimeOnly? ReadTime(ReadOnlySpan<char> text)
    {
        if (text.Length < 8 || text[2] != ':' || text[5] != ':') return null;
        if (Number(text[..2], 23) is not { } hour || Number(text[3..5], 59) is not { } minute || Number(text[6..8], 59) is not { } second) return null;
        long ticks = 0;
        if (text.Length > 8)
        {
            var fraction = text[9..];
            if (text[8] != '.' || fraction.Length == 0 || !AreDigits(fraction)) return null;
            for (var i = 0; i < 7; i++) ticks = ticks * 10 + (i < fraction.Length ? fraction[i] - '0' : 0);
        }

        return new TimeOnly(hour, minute, second).Add(TimeSpan.FromTicks(ticks));
    }

    private static TimeSpan? ReadOffset(ReadOnlySpan<char> text)
    {
        if (text is "Z" or "z") return TimeSpan.Zero;
        if (text.Length != 6 || text[3] != ':' || Number(text[1..3], 23) is not { } hours || Number(text[4..6], 59) is not { } minutes) return null;
        var offset = new TimeSpan(hours, minutes, 0);
        return offset > TimeSpan.FromHours(14) ? null : text[0] == '-' ? -offset : offset;
    }

    private static int? Number(ReadOnlySpan<char> text, int maximum) =>
        AreDigits(text) && int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture) is var number && number <= maximum ? number : null;

    private static bool AreDigits(ReadOnlySpan<char> text)
    {
        foreach (var c in text)
            if (!char.IsAsciiDigit(c)) return false;
        return true;
    }
}
