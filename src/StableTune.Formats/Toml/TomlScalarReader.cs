using Tomlyn;
using Tomlyn.Syntax;

namespace StableTune.Formats;

/// <summary>Reads texts, numbers, booleans, dates and times from the syntax tree.</summary>
internal static class TomlScalarReader
{
    /// <summary>Reads a single value.</summary>
    /// <param name="value">The value; not a list or a table.</param>
    /// <param name="places">The places in the text.</param>
    public static TomlScalar Read(ValueSyntax value, TomlPlaces places)
    {
        var position = places.At(value);
        return value switch
        {
            StringValueSyntax text => new TomlScalar(TomlKind.Text, Text(text, places), position),
            BooleanValueSyntax truth => new TomlScalar(TomlKind.Boolean, truth.Value, position),
            IntegerValueSyntax whole => new TomlScalar(TomlKind.Integer, Whole(whole, places), position),
            FloatValueSyntax number => new TomlScalar(TomlKind.Float, Float(number, places), position),
            DateTimeValueSyntax time => Time(time, position, places),
            _ => throw places.Fault(value, "this is no value.", "Correct the notation at this place."),
        };
    }

    /// <summary>The text of a value or a key in quotes.</summary>
    public static string Text(StringValueSyntax text, TomlPlaces places)
    {
        TomlNovelties.Refuse(text, places);
        return text.Value ?? "";
    }

    private static long Whole(IntegerValueSyntax whole, TomlPlaces places)
    {
        var text = whole.Token!.Text!;
        if (whole.Value < 0 && text[0] != '-')       // Tomlyn reads 0x8000000000000000 and beyond as negative numbers
            throw places.Fault(whole, $"{text} does not fit into 64 bits.", TomlRemedies.Numbers);
        return whole.Value;
    }

    private static double Float(FloatValueSyntax number, TomlPlaces places)
    {
        var text = number.Token!.Text!;
        if (double.IsInfinity(number.Value) && !text.EndsWith("inf", StringComparison.Ordinal))
            throw places.Fault(number, $"{text} does not fit into 64 bits.", TomlRemedies.Numbers);
        return number.Value;
    }

    private static TomlScalar Time(DateTimeValueSyntax time, TomlPosition position, TomlPlaces places)
    {
        TomlNovelties.Refuse(time, places);
        var value = time.Value.DateTime;
        return time.Value.Kind switch
        {
            TomlDateTimeKind.LocalDate => new TomlScalar(TomlKind.LocalDate, DateOnly.FromDateTime(value.DateTime), position),
            TomlDateTimeKind.LocalTime => new TomlScalar(TomlKind.LocalTime, TimeOnly.FromDateTime(value.DateTime), position),
            TomlDateTimeKind.LocalDateTime =>
                new TomlScalar(TomlKind.LocalDateTime, DateTime.SpecifyKind(value.DateTime, DateTimeKind.Unspecified), position),
            _ => new TomlScalar(TomlKind.OffsetDateTime, value, position),
        };
    }
}
