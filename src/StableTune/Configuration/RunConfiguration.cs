using StableTune.Configuration;
using StableTune.Formats;

namespace StableTune;

/// <summary>
/// A run in the words of the references: options of sd-scripts, sd-trainer or ppdiffusers, from a file, a command line or both, read into
/// a <see cref="TrainerBuilder"/>. Every fault names file and line, or the command line, with option and value; all are told at once.
/// </summary>
public sealed class RunConfiguration
{
    private readonly OptionValues _values;

    private RunConfiguration(OptionValues values, RunScript script, TrainerBuilder builder, string? output)
    {
        (_values, Script, Builder, OutputConfig) = (values, script, builder, output);
        Notes = values.Notes;
        ShowsDataset = values.Flag("debug_dataset");
        ConsoleLog = LoggingArguments.ConsoleLog(values);
    }

    /// <summary>The program that the options are meant for.</summary>
    public RunScript Script { get; }

    /// <summary>What the options come to; more can be said to it.</summary>
    public TrainerBuilder Builder { get; }

    /// <summary>What the user should know: options that are not looked at, a seed that was drawn.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>The file that the options are to be written to, in the place of training (<c>output_config</c>); null for
    /// training.</summary>
    public string? OutputConfig { get; }

    /// <summary>Whether a preview of the images is wanted in the place of training (<c>debug_dataset</c>).</summary>
    public bool ShowsDataset { get; }

    /// <summary>Which messages the program that runs it should show, and where (<c>console_log_level</c> and others).</summary>
    public ConsoleLogOptions ConsoleLog { get; }

    /// <summary>The options that a program knows, by sections, for a help or a form.</summary>
    /// <param name="script">The program.</param>
    /// <param name="style">Whose names they have.</param>
    public static IEnumerable<(string Section, IReadOnlyList<RunOption> Options)> Options(
        RunScript script, ReferenceStyle style = ReferenceStyle.SdScripts) => style switch
        {
            ReferenceStyle.PpDiffusers => [("ppdiffusers", PpDiffusersStyle.Options)],
            ReferenceStyle.SdTrainer => [("sd-trainer", SdTrainerStyle.Options)],
            _ => OptionTable.Sections.Select(section => (section.Title,
                (IReadOnlyList<RunOption>)[.. section.Rows.Where(row => row.Scripts.HasFlag(script))]))
                .Where(section => section.Item2.Count > 0),
        };

    /// <summary>Reads a command line. <c>--config_file</c> names a file of more options, over which the command line wins.</summary>
    /// <param name="arguments">The words, as typed after the program's name.</param>
    /// <param name="script">The program; with <see cref="ReferenceStyle.SdTrainer"/> the file says it.</param>
    /// <param name="style">Whose names the options have.</param>
    /// <param name="catalogs">What names of optimizers, networks and so on stand for; null for what comes with StableTune.</param>
    /// <exception cref="InvalidOptionsException">Options are not known or wrong; the message lists every one.</exception>
    /// <exception cref="InvalidFileException">A file is missing, or its notation is wrong.</exception>
    public static RunConfiguration Parse(IReadOnlyList<string> arguments, RunScript script = RunScript.Network,
        ReferenceStyle style = ReferenceStyle.SdScripts, RunCatalogs? catalogs = null)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        if (style != ReferenceStyle.SdTrainer && (script == RunScript.None || (script & (script - 1)) != 0))
            throw new ArgumentException("One program is meant: choose one of RunScript.", nameof(script));
        return style switch
        {
            ReferenceStyle.PpDiffusers => OfPpDiffusers(arguments, script, catalogs),
            ReferenceStyle.SdTrainer => OfSdTrainer(arguments, catalogs),
            _ => OfSdScripts(arguments, script, catalogs),
        };
    }

    /// <summary>The options that were given and differ from their defaults, as a file for <c>config_file</c>.</summary>
    public string ToToml()
    {
        var root = new TomlTable();
        foreach (var section in OptionTable.Sections)
        {
            var table = new TomlTable();
            foreach (var row in section.Rows)
                if (_values.Given.FirstOrDefault(value => value.Option == row) is { } given && !IsLeftOut(given))
                    table[row.Name] = row.Kind.Write(given.Value);
            if (table.Count > 0) root[SectionKey(section.Title)] = table;
        }

        foreach (var entry in Datasets?.Root ?? []) root[entry.Key] = entry.Value;
        return TomlWriter.Write(root);
    }

    /// <summary>Data sets that the configuration held itself.</summary>
    private TomlDocument? Datasets { get; init; }

    /// <summary>A section's title as a key of a file.</summary>
    internal static string SectionKey(string title) => title.ToLowerInvariant().Replace(' ', '_').Replace('-', '_') + "_arguments";

    // A flag that was turned off says something only where nothing said is not the same.
    private static bool IsLeftOut(OptionValue given) =>
        given.Option.Name is "config_file" or "output_config" or "huggingface_token" or "wandb_api_key"
        || (given.Option.IsDefault(given.Value)
            && given.Option.Name is not ("cache_latents" or "cache_text_encoder_outputs" or "train_text_encoder"));

    private static RunConfiguration OfSdScripts(IReadOnlyList<string> arguments, RunScript script, RunCatalogs? catalogs)
    {
        var values = new OptionValues(OptionTable.Rows);
        var typed = new OptionValues(OptionTable.Rows);
        foreach (var option in CommandLine.Read(arguments, typed.Problems))
        {
            if (OptionTable.Find(option.Name) is not { } row)
                typed.Problems.Add(OptionTable.Unknown(CommandLine.Origin, option.Name, ReferenceStyle.SdScripts,
                    OptionTable.Rows.Where(known => known.Scripts.HasFlag(script)).Select(known => known.Name),
                    string.Join(' ', option.Words)));
            else if (!row.Scripts.HasFlag(script))
                typed.Problems.Add(RunFile.OfAnother(new OptionValue(row, string.Join(' ', option.Words), CommandLine.Origin), script));
            else CommandLine.Set(typed, row, option);
        }

        var (file, output) = (typed.Text("config_file"), (string?)typed.Find("output_config")?.Value);
        if (output is "" && file is null)
            typed.Fault("output_config", "it has no name, and there is no config_file to write to", "give --output_config run.toml");
        // As in the reference, config_file is where the options are written to when output_config has no name of its own.
        (file, output) = output is "" ? (null, file) : (file, output);
        var datasets = file is null ? null : RunFile.Read(RunFile.Open(file), values, script);
        foreach (var given in typed.Given.Where(given => given.Option.Name is not ("config_file" or "output_config"))) values.Set(given);
        values.Problems.AddRange(typed.Problems);
        return Assembled(values, script, catalogs, datasets, output);
    }

    /// <summary>A configuration that was read already.</summary>
    internal static RunConfiguration Of(TomlDocument document, RunScript script, RunCatalogs catalogs)
    {
        var values = new OptionValues(OptionTable.Rows);
        return Assembled(values, script, catalogs, RunFile.Read(document, values, script), null);
    }

    private static RunConfiguration OfPpDiffusers(IReadOnlyList<string> arguments, RunScript script, RunCatalogs? catalogs)
    {
        var values = new OptionValues(OptionTable.Rows);
        PpDiffusersStyle.Read(arguments, values, script);
        return Assembled(values, script, catalogs, null, null);
    }

    private static RunConfiguration OfSdTrainer(IReadOnlyList<string> arguments, RunCatalogs? catalogs)
    {
        var values = new OptionValues(OptionTable.Rows);
        var style = SdTrainerStyle.Read(arguments, values, (catalogs ?? new RunCatalogs()).Networks);
        var configuration = Assembled(values, style.Script, catalogs, null, null);
        foreach (var network in style.Further) configuration.Builder.WithTrainable(network);
        configuration.Builder.Change(SdTrainerMeaning.Named);
        if (style.Samples is { } samples) configuration.Builder.WithSamples(samples);
        return configuration;
    }

    private static RunConfiguration Assembled(
        OptionValues values, RunScript script, RunCatalogs? catalogs, TomlDocument? datasets, string? output)
    {
        var draft = new RunDraft(values, script, new TrainerBuilder(), catalogs ?? RunCatalogs.Default) { Datasets = datasets };
        foreach (var section in OptionTable.Sections)
        {
            foreach (var row in section.Rows) Apply(draft, row);
            section.Assemble?.Invoke(draft);
        }

        InteractionRules.Check(draft);
        _ = (values.Find("config_file"), values.Find("output_config"));
        foreach (var idle in values.Unread.Where(idle => !idle.Option.IsDefault(idle.Value)))
            values.Problems.Add(idle.Problem("nothing looks at it in this run", "leave it out"));
        InvalidOptionsException.ThrowIfAny(values.Problems.Distinct());
        if (output is not null && Path.Exists(output))
            throw new InvalidOptionsException([new("output_config", output, "the file exists", "give another name, or remove it")]);
        return new RunConfiguration(values, script, draft.Builder, output) { Datasets = datasets };
    }

    private static void Apply(RunDraft draft, RunOption row)
    {
        var values = draft.Values;
        if (row.Refusal is not null || row.NoEffect is not null)
        {
            if (values.Find(row.Name) is not { } given || row.IsDefault(given.Value)) return;
            if (row.Refusal is { } reason) values.Problems.Add(given.Problem(reason, "leave it out"));
            else values.Notes.Add($"{given.Origin}: {row.Name} has no effect: {row.NoEffect}.");
        }
        else if (row.Apply is { } apply && (values.Find(row.Name)?.Value ?? row.Default) is { } value) apply(draft.Builder, value);
    }
}
