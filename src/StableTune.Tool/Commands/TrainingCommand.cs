using System.CommandLine;
using StableTune.Training;

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

        configuration.Builder.WithProcesses();
        if (configuration.ShowsDataset) Show(configuration.Builder.Build(), run);
        else Train(configuration, run);
    }

    private static void Show(Trainer trainer, ToolRun run)
    {
        const string page = "dataset.html";
        trainer.Preview(page, progress: run.Progress, cancellationToken: run.Cancellation);
        run.Output.WriteLine(trainer.Dataset.Report());
        run.Output.WriteLine($"{page}: what would be trained");
    }

    private static void Train(RunConfiguration configuration, ToolRun run)
    {
        var (control, states) = (new TrainingControl(), new LastState());
        var plan = configuration.Builder.Plan;
        // Of several processes the first alone tells something: the others must not begin its file anew.
        var shown = plan.Distributed.Processes is { Rank: > 0 } ? configuration.ConsoleLog with { File = null } : configuration.ConsoleLog;
        using var log = new ConsoleLog(shown, run.Say, plan.Clock);
        var builder = configuration.Builder.WithControl(plan.Control ?? control).WithObserver(states).WithLogger(log);
        // Whoever stops a run wants to go on with it, whether states were asked for or not.
        if (!plan.Savers.OfType<StateSaver>().Any() && plan.Savers.OfType<TrainableSaver>().FirstOrDefault() is { } saver)
            builder.SaveTo(new StateSaver(StemOf(saver.Path)) { OnlyWhenInterrupted = true });
        using var result = Result(builder.Build(), states, run);
        // Those of the beginning have been shown as messages.
        run.Note(plan.Observers.SelectMany(observer => observer.Warnings));
        run.Note(result.ObserverFaults.Select(fault => fault.ToString()));
        foreach (var path in result.Files) run.Output.WriteLine(path);
        run.Output.WriteLine(FormattableString.Invariant($"{result.Steps} steps, average loss {result.AverageLoss:F4}"));
    }

    private static TrainingResult Result(Trainer trainer, LastState states, ToolRun run)
    {
        IDisposable? keys = null;
        // Before the first step there is nothing to steer.
        if (run.Keys is { } read) states.Begun = () => keys = new RunKeys(trainer.Plan.Control!, run.Say).Listen(read);
        try
        {
            return trainer.Train(new TrainingBars(run.Progress), run.Cancellation);
        }
        catch (OperationCanceledException)
        {
            run.Output.WriteLine("stopped: what was trained so far is saved, with the number of its step");
            if (states.Path is { } state) run.Output.WriteLine($"go on with the same command and --resume {state}");
            throw;
        }
        finally
        {
            keys?.Dispose();
        }
    }

    /// <summary>The beginning of the names of states, beside the result.</summary>
    private static string StemOf(string result)
    {
        var stem = result.Replace("{name}", "all", StringComparison.Ordinal);
        return Path.GetExtension(stem) is ".safetensors" or ".ckpt" or ".pt" or ".bin" ? Path.ChangeExtension(stem, null) : stem;
    }

    /// <summary>Notes the state that was written last, and that the run has begun.</summary>
    private sealed class LastState : ITrainingObserver
    {
        /// <summary>Called after the first step.</summary>
        public Action? Begun { get; set; }

        public string? Path { get; private set; }

        public IEnumerable<OptionProblem> Validate() => [];

        public void OnStep(TrainingProgress progress)
        {
            Begun?.Invoke();
            Begun = null;
        }

        public void OnSave(SaveMoment moment, IReadOnlyList<string> files) =>
            Path = files.LastOrDefault(file => file.EndsWith("-state", StringComparison.Ordinal)) ?? Path;
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
