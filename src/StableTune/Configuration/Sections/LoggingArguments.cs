using System.Globalization;

namespace StableTune.Configuration;

/// <summary>Logs.</summary>
internal static class LoggingArguments
{
    private const string Host = "the program that runs it writes messages";

    public static OptionSection Section { get; } = new("Logging",
    [
        new("logging_dir", OptionKind.Text, "The folder of logs: a run's own folder in it has log.jsonl, loss.png, TensorBoard's files"),
        new("log_prefix", OptionKind.Text, "The beginning of a run's folder"),
        new("log_with", OptionKind.Choice("tensorboard", "wandb", "all"), "Which trackers are told")
        {
            Aliases = ["report_to", "writer_type"],
        },
        new("log_tracker_name", OptionKind.Text, "The tracker's folder in the run's; the project for Weights & Biases"),
        new("wandb_run_name", OptionKind.Text, "The name of the run for Weights & Biases"),
        new("wandb_api_key", OptionKind.Text, "The key for Weights & Biases") { NoEffect = "nothing is sent anywhere" },
        new("log_tracker_config", OptionKind.Text, "A file of arguments for trackers") { NoEffect = "logs are files of the run" },
        new("log_config", OptionKind.Flag, "Tell trackers the options, without folders and secrets"),
        new("console_log_level", OptionKind.Text, "Which messages are shown") { Default = "INFO", NoEffect = Host },
        new("console_log_file", OptionKind.Text, "A file for messages") { NoEffect = Host },
        new("console_log_simple", OptionKind.Flag, "Plain messages") { NoEffect = Host },
    ], Assemble)
    {
        Write = writer =>
        {
            foreach (var observer in writer.Plan.Observers)
                if (observer is not HubUpload) writer.Refuse("TrainingPlan.Observers", observer);
        },
    };

    private static void Assemble(RunDraft draft)
    {
        var values = draft.Values;
        var (folder, prefix, with) = (values.Text("logging_dir"), values.Text("log_prefix"), values.Find("log_with"));
        var (name, runName, tellsOptions) = (values.Text("log_tracker_name"), values.Text("wandb_run_name"), values.Flag("log_config"));
        if (folder is null)
        {
            if (with is not null) values.Problems.Add(with.Problem("it needs logging_dir", "name the folder of logs"));
            foreach (var idle in new[] { "log_tracker_name", "wandb_run_name", "log_config" }.Select(values.Find).OfType<OptionValue>())
                values.Notes.Add($"{idle.Origin}: {idle.Option.Name} is not looked at: logging_dir is not given, so nothing is logged.");
            return;
        }

        var now = draft.Builder.Plan.Clock.GetLocalNow();
        var run = Path.Combine(folder, prefix + now.ToString("yyyyMMddHHmmss", CultureInfo.InvariantCulture));
        draft.Builder.WithLog(Path.Combine(run, "log.jsonl")).WithLossCurve(Path.Combine(run, "loss.png"));
        var told = tellsOptions ? Told(values) : null;
        var trackers = (string?)with?.Value ?? "tensorboard";
        if (trackers is "tensorboard" or "all")
            draft.Builder.WithObserver(new TensorBoardLog(Path.Combine(run, name ?? NameOf(draft.Script))) { Configuration = told });
        if (runName is not null && trackers == "tensorboard")
            values.Notes.Add($"{values.Find("wandb_run_name")!.Origin}: wandb_run_name is not looked at: log_with is tensorboard.");
        if (trackers is "wandb" or "all")
        {
            draft.Builder.WithObserver(new WandbSpool(Path.Combine(run, "wandb"))
            {
                Project = name ?? NameOf(draft.Script), RunName = runName, Configuration = told,
            });
            values.Notes.Add($"{with!.Origin}: log_with is {trackers}: the run is kept in {Path.Combine(run, "wandb")} for Weights & "
                + "Biases; nothing is sent anywhere.");
        }
    }

    /// <summary>The names that the reference's programs give.</summary>
    private static string NameOf(RunScript script) => script switch
    {
        RunScript.DreamBooth => "dreambooth",
        RunScript.FineTune => "finetuning",
        RunScript.TextualInversion or RunScript.ExtendedTextualInversion => "textual_inversion",
        RunScript.ControlNet => "controlnet_train",
        _ => "network_train",
    };

    /// <summary>The options that were given, a line each: of paths the last part alone, and no keys.</summary>
    private static string Told(OptionValues values) => string.Join('\n', values.Given
        .Where(given => !given.Option.Name.EndsWith("_key", StringComparison.Ordinal)
            && !given.Option.Name.EndsWith("_token", StringComparison.Ordinal) && !given.Option.IsDefault(given.Value))
        .Select(given => $"{given.Option.Name} = {RunOption.Shown(given.Value is string text ? LastPart(text) : given.Value)}"));

    private static string LastPart(string text) =>
        Path.IsPathRooted(text) || text.Contains('/', StringComparison.Ordinal) || text.Contains('\\', StringComparison.Ordinal)
            ? Path.GetFileName(text.TrimEnd('/', '\\')) : text;
}
