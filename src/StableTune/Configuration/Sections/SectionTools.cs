namespace StableTune.Configuration;

/// <summary>One section of the option tables: its rows, and what several of them do together.</summary>
/// <param name="Title">What it is about, for the help.</param>
/// <param name="Rows">Its options.</param>
/// <param name="Assemble">Does what options of the section say together; null where each stands alone.</param>
internal sealed record OptionSection(string Title, IReadOnlyList<RunOption> Rows, Action<RunDraft>? Assemble = null)
{
    /// <summary>Writes the values of the options that <see cref="Assemble"/> reads; null where each row writes its own.</summary>
    public Action<RunWriter>? Write { get; init; }
}

/// <summary>A configuration on its way to a builder.</summary>
/// <param name="Values">What was given.</param>
/// <param name="Script">The program that it is meant for.</param>
/// <param name="Builder">What it becomes.</param>
/// <param name="Catalogs">What names stand for.</param>
internal sealed record RunDraft(OptionValues Values, RunScript Script, TrainerBuilder Builder, RunCatalogs Catalogs)
{
    /// <summary>Changes the plan.</summary>
    public void Change(Func<TrainingPlan, TrainingPlan> change) => Builder.Change(change);

    /// <summary>Data sets that the configuration file holds itself; null for none.</summary>
    public Formats.TomlDocument? Datasets { get; init; }
}
