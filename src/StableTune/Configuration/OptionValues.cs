namespace StableTune.Configuration;

/// <summary>A value that was given, and where.</summary>
/// <param name="Option">What it is of.</param>
/// <param name="Value">The value, of the option's kind.</param>
/// <param name="Origin">"run.toml: line 3, column 1", or "command line".</param>
internal sealed record OptionValue(RunOption Option, object Value, string Origin)
{
    /// <summary>A problem with it, naming place, option and value.</summary>
    public OptionProblem Problem(string rule, string remedy) =>
        new($"{Origin}: {Option.Name}", RunOption.Shown(Value), rule, remedy);
}

/// <summary>
/// The values that were given. What nobody asks for is noticed at the end, so that no option is passed over in silence.
/// </summary>
internal sealed class OptionValues
{
    private readonly OrderedDictionary<string, OptionValue> _given = new(StringComparer.Ordinal);
    private readonly IReadOnlyDictionary<string, RunOption> _known;
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    /// <summary>Values of some options.</summary>
    /// <param name="known">The options.</param>
    public OptionValues(IEnumerable<RunOption> known) => _known = known.ToDictionary(option => option.Name, StringComparer.Ordinal);

    /// <summary>What is wrong, in the order in which it was found.</summary>
    public List<OptionProblem> Problems { get; } = [];

    /// <summary>What the user should know.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>The values, in the order in which they were given.</summary>
    public IEnumerable<OptionValue> Given => _given.Values;

    /// <summary>Takes a value; a later one replaces an earlier one.</summary>
    public void Set(OptionValue value) => _given[value.Option.Name] = value;

    /// <summary>Forgets a value that another takes the place of.</summary>
    public void Remove(string name) => _given.Remove(Known(name));

    /// <summary>Whether the option was given.</summary>
    public bool Has(string name) => _given.ContainsKey(Known(name));

    /// <summary>The value with its place; null where it was not given.</summary>
    public OptionValue? Find(string name)
    {
        _read.Add(Known(name));
        return _given.GetValueOrDefault(name);
    }

    /// <summary>The value, or the option's default; null where there is neither.</summary>
    public T? Get<T>(string name) where T : struct => (T?)(Find(name)?.Value ?? _known[name].Default);

    /// <summary>Whether the flag was given.</summary>
    public bool Flag(string name) => Get<bool>(name) == true;

    /// <summary>A flag that was said to be on or off; null where it was not said.</summary>
    public bool? Said(string name) => (bool?)Find(name)?.Value;

    /// <summary>A text, or the default of it.</summary>
    public string? Text(string name) => (string?)(Find(name)?.Value ?? _known[name].Default) is { Length: > 0 } text ? text : null;

    /// <summary>Texts, or none.</summary>
    public string[] Texts(string name) => (string[]?)Find(name)?.Value ?? [];

    /// <summary>Notes a problem of an option, whether it was given or not.</summary>
    public void Fault(string name, string rule, string remedy) =>
        Problems.Add(Find(name) is { } value ? value.Problem(rule, remedy) : new OptionProblem(name, null, rule, remedy));

    /// <summary>Runs something, turning a fault of a value into a problem of the option.</summary>
    public T? Try<T>(string name, string remedy, Func<T> make) where T : class
    {
        try
        {
            return make();
        }
        catch (Exception fault) when (fault is ArgumentException or FormatException or InvalidOptionsException or IOException)
        {
            if (fault is InvalidOptionsException several) Problems.AddRange(several.Problems);
            else Fault(name, Clean(fault.Message), remedy);
            return null;
        }
    }

    /// <summary>What was given and neither asked for nor applied.</summary>
    public IEnumerable<OptionValue> Unread => _given.Values.Where(value => !_read.Contains(value.Option.Name));

    private string Known(string name) => _known.ContainsKey(name) ? name
        : throw new ArgumentException($"There is no option \"{name}\" in the tables.", nameof(name));

    /// <summary>A message without its full stop and .NET's "(Parameter ...)".</summary>
    private static string Clean(string message)
    {
        var end = message.IndexOf(" (Parameter '", StringComparison.Ordinal);
        return (end < 0 ? message : message[..end]).TrimEnd('.');
    }
}
