using System.Globalization;

namespace StableTune.Trainables;

/// <summary>Arguments of a network module, as texts: each may be read once by name, and those that nobody reads are an error.</summary>
/// <param name="module">The module, for messages.</param>
/// <param name="arguments">The arguments.</param>
internal sealed class NetworkArguments(string module, IReadOnlyDictionary<string, string> arguments)
{
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    /// <summary>An argument; null where it is not given, or is Python's None.</summary>
    public string? Text(string name)
    {
        _known.Add(name);
        return arguments.TryGetValue(name, out var text) && text.Trim() is not ("" or "None") ? text.Trim() : null;
    }

    /// <summary>True or False, in any case, or 1 or 0.</summary>
    public bool? Flag(string name) => Text(name) switch
    {
        null => null,
        var text when bool.TryParse(text, out var flag) => flag,
        "1" => true,
        "0" => false,
        var text => throw Fault(name, text, "True or False"),
    };

    public double? Number(string name) => Text(name) is { } text ? NumberOf(name, text) : null;

    public int? Integer(string name) => Text(name) is { } text ? IntegerOf(name, text) : null;

    /// <summary>Numbers with commas between.</summary>
    public IReadOnlyList<float>? Numbers(string name) => Text(name)?.Split(',').Select(text => (float)NumberOf(name, text)).ToArray();

    /// <summary>Whole numbers with commas between.</summary>
    public IReadOnlyList<int>? Integers(string name) => Text(name)?.Split(',').Select(text => IntegerOf(name, text)).ToArray();

    /// <summary>Names that are given and were never asked for.</summary>
    /// <exception cref="FormatException">There are some; the message has the known ones.</exception>
    public void ThrowIfUnread()
    {
        if (arguments.Keys.FirstOrDefault(name => !_known.Contains(name)) is not { } strange) return;
        var nearest = NearName.Of(strange, _known) is { } near ? $" Did you mean \"{near}\"?" : "";
        throw new FormatException($"network_args: {module} knows no \"{ShortText.Of(strange)}\".{nearest} " +
            $"Known are: {string.Join(", ", _known.Order(StringComparer.Ordinal))}.");
    }

    private double NumberOf(string name, string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number
        : throw Fault(name, text, "a number");

    private int IntegerOf(string name, string text) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite,
            CultureInfo.InvariantCulture, out var number) ? number
        : throw Fault(name, text, "a whole number");

    private FormatException Fault(string name, string text, string what) =>
        new($"network_args: {name} of {module} is \"{ShortText.Of(text)}\": give {what}.");
}
