namespace StableTune;

/// <summary>One option of a run as the references name it: a row of the table that parsing, help and writing go by.</summary>
/// <param name="Name">Its name in files and, with two hyphens before it, on command lines: <c>network_dim</c>.</param>
/// <param name="Kind">What its value is.</param>
/// <param name="Help">What it does, in one line.</param>
public sealed record RunOption(string Name, OptionKind Kind, string Help)
{
    /// <summary>What holds where it is not given, as a value of the kind; null for "not set".</summary>
    public object? Default { get; init; }

    /// <summary>The programs that know it. Default all.</summary>
    public RunScript Scripts { get; init; } = RunScript.All;

    /// <summary>Other spellings that are understood.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>Why giving it is refused; null where it is understood.</summary>
    public string? Refusal { get; init; }

    /// <summary>Why giving it has no effect, which is told and does not stop the run; null where it has one.</summary>
    public string? NoEffect { get; init; }

    /// <summary>Does what the option says; null where the section looks at several options together.</summary>
    internal Action<TrainerBuilder, object>? Apply { get; init; }

    /// <summary>The option's value in a plan, null or the default for nothing to write; null where the section writes it.</summary>
    internal Func<TrainingPlan, object?>? Write { get; init; }

    /// <summary>The default as it is typed; null for "not set".</summary>
    public string? DefaultText => Default is null ? null : Shown(Default);

    internal bool IsDefault(object value) => (value is false && Default is not true) || (Default is not null && Same(value, Default));

    private static bool Same(object one, object other) => one is Array left && other is Array right
        ? left.Cast<object>().SequenceEqual(right.Cast<object>()) : one.Equals(other);

    /// <summary>A value as messages show it.</summary>
    internal static string Shown(object value) => value switch
    {
        bool flag => flag ? "true" : "false",
        Array list => string.Join(" ", list.Cast<object>().Select(Shown)),
        (double from, double to) => $"{Shown(from)},{Shown(to)}",
        double number => PythonRepr.Of(number),
        IFormattable number => number.ToString(null, System.Globalization.CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };
}
