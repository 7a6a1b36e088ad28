namespace StableTune.Configuration;

/// <summary>All sections, in the order in which they are assembled.</summary>
internal static class OptionTable
{
    /// <summary>The sections.</summary>
    public static IReadOnlyList<OptionSection> Sections { get; } =
    [
        OtherArguments.File, ModelArguments.Section, RunArguments.Section, DatasetArguments.Section, SubsetArguments.Section,
        PriorArguments.Section, CacheArguments.Section, OptimizerArguments.Section, StepArguments.Section, ScheduleArguments.Section,
        PrecisionArguments.Section, NoiseArguments.Section, LossArguments.Section, AdapterArguments.Section, WholeModelArguments.Section,
        TextualInversionArguments.Section, ControlNetArguments.Section, PromptFreeArguments.Section, SaveArguments.Section,
        SampleArguments.Section, LoggingArguments.Section, HubArguments.Section, OtherArguments.Metadata, DistributedArguments.Section,
    ];

    /// <summary>All options.</summary>
    public static IReadOnlyList<RunOption> Rows { get; } = [.. Sections.SelectMany(section => section.Rows)];

    private static readonly Dictionary<string, RunOption> s_byName = Rows
        .SelectMany(row => row.Aliases.Prepend(row.Name).Select(name => (name, row)))
        .ToDictionary(pair => pair.name, pair => pair.row, StringComparer.Ordinal);

    /// <summary>The option of a name or of another spelling of it; null for none.</summary>
    public static RunOption? Find(string name) => s_byName.GetValueOrDefault(name);

    /// <summary>The option of a name that is known to be there.</summary>
    public static RunOption Of(string name) => s_byName[name];

    /// <summary>What is typed to train so: <c>train-network</c>.</summary>
    public static string CommandOf(RunScript script) => script switch
    {
        RunScript.Network => "train-network",
        RunScript.DreamBooth => "train-db",
        RunScript.FineTune => "fine-tune",
        RunScript.TextualInversion => "train-textual-inversion",
        RunScript.ExtendedTextualInversion => "train-textual-inversion-xti",
        RunScript.ControlNet => "train-controlnet",
        _ => string.Join(", ", new[] { RunScript.Network, RunScript.DreamBooth, RunScript.FineTune, RunScript.TextualInversion,
            RunScript.ExtendedTextualInversion, RunScript.ControlNet }.Where(one => script.HasFlag(one)).Select(CommandOf)),
    };

    /// <summary>A problem with a name that is not known: who knows it, or what is near.</summary>
    /// <param name="origin">Where it stands.</param>
    /// <param name="name">The name.</param>
    /// <param name="style">Whose names are read.</param>
    /// <param name="known">The names that are known there.</param>
    /// <param name="value">What it was set to; null for nothing.</param>
    public static OptionProblem Unknown(
        string origin, string name, ReferenceStyle style, IEnumerable<string> known, string? value = null)
    {
        var others = new List<string>();
        if (style != ReferenceStyle.SdScripts && Find(name) is not null) others.Add("sd-scripts");
        if (style != ReferenceStyle.PpDiffusers && PpDiffusersStyle.Knows(name)) others.Add("ppdiffusers");
        if (style != ReferenceStyle.SdTrainer && SdTrainerStyle.Knows(name)) others.Add("sd-trainer");
        var remedy = others.Count > 0 ? $"it is an option of {string.Join(" and ", others)}: use --style {others[0]}"
            : NearName.Of(name, known) is { } near ? $"you may have meant {near}" : "leave it out";
        return new OptionProblem($"{origin}: {ShortText.Of(name)}", value is { Length: > 0 } ? ShortText.Of(value) : null,
            $"it is no option of {NameOf(style)}", remedy);
    }

    /// <summary>What the references are called.</summary>
    public static string NameOf(ReferenceStyle style) => style switch
    {
        ReferenceStyle.SdTrainer => "sd-trainer",
        ReferenceStyle.PpDiffusers => "ppdiffusers",
        _ => "sd-scripts",
    };
}
