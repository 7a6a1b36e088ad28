namespace StableTune.Configuration;

/// <summary>Logs.</summary>
internal static class LoggingArguments
{
    private const string Host = "the program that runs it writes messages";

    public static OptionSection Section { get; } = new("Logging",
    [
        new("logging_dir", OptionKind.Text, "The folder of logs: a run's own folder in it holds log.jsonl and loss.png"),
        new("log_prefix", OptionKind.Text, "The beginning of a run's folder"),
        new("log_with", OptionKind.Choice("tensorboard", "wandb", "all"), "Which trackers are told")
        {
            Aliases = ["report_to", "writer_type"],
        },
        new("log_tracker_name", OptionKind.Text, "The tracker's name of the run") { NoEffect = "logs are files of the run" },
        new("wandb_run_name", OptionKind.Text, "The name of the run for Weights & Biases") { NoEffect = "logs are files of the run" },
        new("wandb_api_key", OptionKind.Text, "The key for Weights & Biases") { NoEffect = "nothing is sent anywhere" },
        new("log_tracker_config", OptionKind.Text, "A file of arguments for trackers") { NoEffect = "logs are files of the run" },
        new("log_config", OptionKind.Flag, "Tell trackers the whole configuration") { NoEffect = "use output_config to keep it" },
        new("console_log_level", OptionKind.Text, "Which messages are shown") { Default = "INFO", NoEffect = Host },
        new("console_log_file", OptionKind.Text, "A file for messages") { NoEffect = Host },
        new("console_log_simple", OptionKind.Flag, "Plain messages") { NoEffect = Host },
    ], Assemble)
    {
        Write = writer =>
        {
            foreach (var observer in writer.Plan.Observers) writer.Refuse("TrainingPlan.Observers", observer);
        },
    };

    private static void Assemble(RunDraft draft)
    {
        var values = draft.Values;
        var (folder, prefix, with) = (values.Text("logging_dir"), values.Text("log_prefix"), values.Find("log_with"));
        if (with is not null)
        {
            if ((string)with.Value is "tensorboard" or "all" && folder is null)
                values.Problems.Add(with.Problem("it needs logging_dir", "name the folder of logs"));
            values.Notes.Add($"{with.Origin}: log_with is {with.Value}: logs are written as JSON lines and a loss curve.");
        }

        if (folder is null) return;
        var now = draft.Builder.Plan.Clock.GetLocalNow();
        var run = Path.Combine(folder, prefix + now.ToString("yyyyMMddHHmmss", System.Globalization.CultureInfo.InvariantCulture));
        draft.Builder.WithLog(Path.Combine(run, "log.jsonl")).WithLossCurve(Path.Combine(run, "loss.png"));
    }
}
