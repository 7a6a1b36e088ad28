using System.Globalization;
using StableTune.Formats;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>
/// The tables that an option is looked up in, the innermost first: subset, data set, general. JSON's null counts as absent; an empty
/// text, 0 and false do not.
/// </summary>
internal sealed class ConfigurationLevels(TomlDocument document, List<Exception> faults, params TomlTable[] tables)
{
    /// <summary>A text; null where no level has it.</summary>
    public string? Text(string key) => Read<string>(key, "a text in quotes", value => value.AsText);

    /// <summary>A text, or several.</summary>
    public IReadOnlyList<string>? Texts(string key) => Read<string[]>(key, "a text in quotes, or a list of them", value =>
        value.AsText is { } one ? [one] : value.AsArray is { } list && list.All(item => item.AsText is not null)
            ? [.. list.Select(item => item.AsText!)] : null);

    /// <summary>A colour.</summary>
    public PixelColor? Color(string key) => Read<PixelColor>(key, "a colour such as \"#ffffff\"", value =>
        value.AsText is { Length: 7 } text && text[0] == '#'
            && int.TryParse(text.AsSpan(1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var rgb)
            ? PixelColor.FromRgb(rgb) : null);

    /// <summary>True or false.</summary>
    public bool? Flag(string key) => Read<bool>(key, "true or false", value => value.AsBoolean);

    /// <summary>A whole number; as in the reference, true and false count as 1 and 0.</summary>
    public long? Whole(string key) =>
        Read<long>(key, "a whole number", value => value.AsInteger ?? (value.AsBoolean is { } flag ? flag ? 1 : 0 : null));

    /// <summary>As <see cref="Whole"/>, where it must fit into 32 bits.</summary>
    public int? Int(string key) => Read<int>(key, "a whole number of at most 32 bits", value =>
        value.AsBoolean is { } flag ? flag ? 1 : 0 : SideOf(value));

    /// <summary>A number with a point; the reference refuses whole ones here.</summary>
    public double? Fraction(string key) => Read<double>(key, "a number with a point, such as 1.0", value => value.AsInteger is null
        ? value.AsNumber : null);

    /// <summary>Any number.</summary>
    public double? Number(string key) => Read<double>(key, "a number", value => value.AsNumber);

    /// <summary>Two numbers with points.</summary>
    public (double, double)? Range(string key) => Read<(double, double)>(key, "two numbers with points, such as [1.0, 3.0]", value =>
        value.AsArray is [{ AsInteger: null, AsNumber: { } from }, { AsInteger: null, AsNumber: { } to }] ? (from, to) : null);

    /// <summary>One whole number, or two.</summary>
    public (int, int)? Size(string key) => Read<(int, int)>(key, "a whole number, or [width, height]", value =>
        SideOf(value) is { } side ? (side, side) : value.AsArray is [var width, var height] && SideOf(width) is { } w
            && SideOf(height) is { } h ? (w, h) : null);

    /// <summary>One of a few words.</summary>
    public T? Choice<T>(string key) where T : struct, Enum =>
        Read<T>(key, $"one of {string.Join(", ", Enum.GetValues<T>().Select(value => $"\"{ConfigurationKeys.NameOf(value)}\""))}", value =>
        Enum.GetValues<T>().Cast<T?>().FirstOrDefault(choice => ConfigurationKeys.NameOf(choice!.Value) == value.AsText));

    /// <summary>A table of any values.</summary>
    public TomlTable? Table(string key) => Read<TomlTable>(key, "a table", value => value.AsTable);

    /// <summary>The value of the innermost level that has one.</summary>
    public TomlEntry? Find(string key)
    {
        foreach (var table in tables)
            if (table.TryGet(key, out var entry) && entry.Value.Kind != TomlKind.Null) return entry;
        return null;
    }

    private static int? SideOf(TomlValue value) => value.AsInteger is { } side && (int)side == side ? (int)side : null;

    private T? Read<T>(string key, string wanted, Func<TomlValue, T?> convert) where T : class
    {
        if (Find(key) is not { } entry) return null;
        var value = convert(entry.Value);
        if (value is null) Wrong(entry, wanted);
        return value;
    }

    private T? Read<T>(string key, string wanted, Func<TomlValue, T?> convert) where T : struct
    {
        if (Find(key) is not { } entry) return null;
        var value = convert(entry.Value);
        if (value is null) Wrong(entry, wanted);
        return value;
    }

    private void Wrong(TomlEntry entry, string wanted) =>
        faults.Add(document.Fault(entry.Value.Position, $"\"{entry.Key}\" is {entry.Value.Describe()}, not {wanted}.", "Write it so."));
}
