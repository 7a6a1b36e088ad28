namespace StableTune.Formats;

/// <summary>What a value of a configuration file is.</summary>
public enum TomlKind
{
    /// <summary>A text (string).</summary>
    Text,

    /// <summary>A whole number of 64 bits.</summary>
    Integer,

    /// <summary>A 64-bit float, also infinite or not a number.</summary>
    Float,

    /// <summary>True or false.</summary>
    Boolean,

    /// <summary>A date and time with an offset from UTC.</summary>
    OffsetDateTime,

    /// <summary>A date and time without an offset.</summary>
    LocalDateTime,

    /// <summary>A date alone.</summary>
    LocalDate,

    /// <summary>A time alone.</summary>
    LocalTime,

    /// <summary>Nothing: JSON's <c>null</c>. TOML has no such value.</summary>
    Null,

    /// <summary>A list.</summary>
    Array,

    /// <summary>A table: keys with values.</summary>
    Table,
}

/// <summary>
/// A value of a configuration file (TOML, or JSON of the same shape), which knows where it stands. Texts, numbers, booleans and
/// dates convert to one by themselves, so that code builds tables as <c>new TomlTable { ["batch_size"] = 4 }</c>.
/// </summary>
public abstract class TomlValue
{
    private protected TomlValue(TomlKind kind, TomlPosition position) => (Kind, Position) = (kind, position);

    /// <summary>What it is.</summary>
    public TomlKind Kind { get; }

    /// <summary>Where it begins; line 0 for what code built.</summary>
    public TomlPosition Position { get; }

    /// <summary>The text; null when it is none.</summary>
    public string? AsText => (this as TomlScalar)?.Value as string;

    /// <summary>The whole number; null when it is none, also when it is a float without a fraction.</summary>
    public long? AsInteger => (this as TomlScalar)?.Value as long?;

    /// <summary>The number, whole or not; null when it is none.</summary>
    public double? AsNumber => (this as TomlScalar)?.Value switch { double number => number, long number => number, _ => null };

    /// <summary>True or false; null when it is neither.</summary>
    public bool? AsBoolean => (this as TomlScalar)?.Value as bool?;

    /// <summary>The list; null when it is none.</summary>
    public TomlArray? AsArray => this as TomlArray;

    /// <summary>The table; null when it is none.</summary>
    public TomlTable? AsTable => this as TomlTable;

    /// <summary>What this is, in words for messages: <c>the text "abc"</c>, <c>the integer 5</c>, <c>a list of 3 values</c>.</summary>
    public abstract string Describe();

    /// <summary>The value in TOML's notation, on one line.</summary>
    public override string ToString() => TomlWriter.Inline(this);

    /// <summary>A text.</summary>
    public static implicit operator TomlValue(string value) =>
        new TomlScalar(TomlKind.Text, value ?? throw new ArgumentNullException(nameof(value)));

    /// <summary>A whole number.</summary>
    public static implicit operator TomlValue(long value) => new TomlScalar(TomlKind.Integer, value);

    /// <summary>A whole number.</summary>
    public static implicit operator TomlValue(int value) => new TomlScalar(TomlKind.Integer, (long)value);

    /// <summary>A float.</summary>
    public static implicit operator TomlValue(double value) => new TomlScalar(TomlKind.Float, value);

    /// <summary>True or false.</summary>
    public static implicit operator TomlValue(bool value) => new TomlScalar(TomlKind.Boolean, value);

    /// <summary>A date and time with an offset.</summary>
    public static implicit operator TomlValue(DateTimeOffset value) => new TomlScalar(TomlKind.OffsetDateTime, value);

    /// <summary>A date and time without an offset; the <see cref="DateTime.Kind"/> does not count.</summary>
    public static implicit operator TomlValue(DateTime value) =>
        new TomlScalar(TomlKind.LocalDateTime, DateTime.SpecifyKind(value, DateTimeKind.Unspecified));

    /// <summary>A date.</summary>
    public static implicit operator TomlValue(DateOnly value) => new TomlScalar(TomlKind.LocalDate, value);

    /// <summary>A time.</summary>
    public static implicit operator TomlValue(TimeOnly value) => new TomlScalar(TomlKind.LocalTime, value);
}
