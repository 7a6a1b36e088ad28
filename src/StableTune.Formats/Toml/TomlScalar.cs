namespace StableTune.Formats;

/// <summary>A single value: text, number, boolean, date or time.</summary>
public sealed class TomlScalar : TomlValue
{
    internal TomlScalar(TomlKind kind, object? value, TomlPosition position = default) : base(kind, position) => Value = value;

    /// <summary>
    /// The value as <see cref="string"/>, <see cref="long"/>, <see cref="double"/>, <see cref="bool"/>,
    /// <see cref="DateTimeOffset"/>, <see cref="DateTime"/>, <see cref="DateOnly"/> or <see cref="TimeOnly"/>; null for
    /// <see cref="TomlKind.Null"/>.
    /// </summary>
    public object? Value { get; }

    /// <inheritdoc/>
    public override string Describe()
    {
        if (Kind == TomlKind.Null) return "null";
        var noun = Kind switch
        {
            TomlKind.Text => "text",
            TomlKind.Integer => "integer",
            TomlKind.Float => "float",
            TomlKind.Boolean => "boolean",
            TomlKind.LocalDate => "date",
            TomlKind.LocalTime => "time",
            _ => "date and time",
        };
        return $"the {noun} {ShortText.Of(TomlWriter.Inline(this))}";
    }
}
