using System.CommandLine;

namespace StableTune.Tool.Commands;

/// <summary>
/// Trains by the options of a reference's program. The options are the library's tables: this class only shows them in the help, and hands
/// on what was typed.
/// </summary>
internal class TrainingCommand : ToolCommand
{
    private const string StyleOption = "--style";

    private readonly RunScript _script;
    private readonly ReferenceStyle? _style;

    /// <summary>A command for one of the programs.</summary>
    public TrainingCommand(string name, string description, RunScript script, ReferenceStyle? style = null) : base(name, description)
    {
        (_script, _style) = (script, style);
        if (style is null)
            Shown("style", "Whose names the options have: sd-scripts or ppdiffusers (sd-trainer: stabletune config) [default: sd-scripts]");
        foreach (var (section, options) in RunConfiguration.Options(script, style ?? ReferenceStyle.SdScripts))
            foreach (var option in options)
                Shown(option.Name, $"{section}: {option.Help}{Standing(option)}", option.Aliases,
                    takesValue: option.Kind != OptionKind.Flag);
        TakesUnknownWords();
    }

    /// <inheritdoc/>
    protected override void Run(ParseResult arguments, ToolRun run)
    {
        string[] words = [.. arguments.Tokens.Skip(1).Select(token => token.Value)];
        var style = _style ?? Style(Taken(ref words, StyleOption));
        var configuration = RunConfiguration.Parse(words, _script, style);
        run.Note(configuration.Notes);
        if (configuration.OutputConfig is { } file)
        {
            AtomicFile.WriteText(file, configuration.ToToml());
            run.Output.WriteLine($"{file}: written");
            return;
        }

        var trainer = configuration.Builder.WithProcesses().Build();
        if (configuration.ShowsDataset) Show(trainer, run);
        else Train(trainer, run);
    }

    private static void Show(Trainer trainer, ToolRun run)
    {
        const string page = "dataset.html";
        trainer.Preview(page, progress: run.Progress, cancellationToken: run.Cancellation);
        run.Output.WriteLine(trainer.Dataset.Report());
        run.Output.WriteLine($"{page}: what would be trained");
    }

    private static void Train(Trainer trainer, ToolRun run)
    {
        using var result = Result(trainer, run);
        run.Note(result.Warnings);
        foreach (var path in result.Files) run.Output.WriteLine(path);
        run.Output.WriteLine(FormattableString.Invariant($"{result.Steps} steps, average loss {result.AverageLoss:F4}"));
    }

    private static TrainingResult Result(Trainer trainer, ToolRun run)
    {
        try
        {
            return trainer.Train(new TrainingBars(run.Progress), run.Cancellation);
        }
        catch (OperationCanceledException)
        {
            run.Output.WriteLine("stopped: what was trained so far is saved, with the number of its step");
            throw;
        }
    }

    private static string Standing(RunOption option) =>
        (option.Refusal is { } reason ? $" [refused: {reason}]" : option.NoEffect is { } why ? $" [no effect: {why}]" : "")
        + (option.DefaultText is { } usual ? $" [default: {usual}]" : "");

    private static ReferenceStyle Style(string? name) => name switch
    {
        null or "sd-scripts" => ReferenceStyle.SdScripts,
        "sd-trainer" => ReferenceStyle.SdTrainer,
        "ppdiffusers" => ReferenceStyle.PpDiffusers,
        _ => throw new InvalidOptionsException([new(StyleOption, name, "there is no such style",
            "give sd-scripts, sd-trainer or ppdiffusers")]),
    };

    /// <summary>Takes one of the command's own options out of the words.</summary>
    private static string? Taken(ref string[] words, string name)
    {
        var at = Array.IndexOf(words, name);
        if (at < 0) return null;
        if (at + 1 == words.Length) throw new InvalidOptionsException([new(name, null, "it has no value", "give one behind it")]);
        var value = words[at + 1];
        words = [.. words[..at], .. words[(at + 2)..]];
        return value;
    }
}
