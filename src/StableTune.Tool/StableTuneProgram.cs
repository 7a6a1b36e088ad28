using System.CommandLine;
using StableTune.Tool.Commands;

namespace StableTune.Tool;

/// <summary>The program: its commands, exit codes and errors.</summary>
internal static class StableTuneProgram
{
    /// <summary>Exit codes: all went well; something could not be done; the command line is wrong; Ctrl+C.</summary>
    public const int Success = 0, Failure = 1, WrongUsage = 2, Cancelled = 130;

    /// <summary>The commands; one line for each.</summary>
    private static ToolCommand[] Commands() =>
    [
        new MergeLoraCommand(), new SvdMergeLoraCommand(), new ResizeLoraCommand(), new ExtractLoraCommand(), new ExtractDyLoRACommand(),
        new ConvertLoraCommand(), new MergeIntoModelCommand(), new MergeModelsCommand(), new InspectCommand(), new ShowMetadataCommand(),
        new HashCommand(), new ClassImagesCommand(), new MakeCaptionsCommand(),
        new WdTaggerCommand(), new DeepDanbooruCommand(), new PfgFeatureCommand(), new FaceRotateCommand(), new FaceMaskCommand(),
        new MasksCommand(),
        new TrainingCommand("train-network", "Train an adapter: sd-scripts' train_network.py", RunScript.Network),
        new TrainingCommand("train-db", "Train a whole model on folders of images: sd-scripts' train_db.py", RunScript.DreamBooth),
        new TrainingCommand("fine-tune", "Train a whole model on a metadata file: sd-scripts' fine_tune.py", RunScript.FineTune),
        new TrainingCommand("train-textual-inversion", "Train the embedding of a new word: sd-scripts' train_textual_inversion.py",
            RunScript.TextualInversion),
        new TrainingCommand("train-textual-inversion-xti",
            "Train embeddings of a new word for each attention layer: sd-scripts' train_textual_inversion_XTI.py",
            RunScript.ExtendedTextualInversion),
        new TrainingCommand("train-controlnet", "Train a ControlNet: sd-scripts' train_controlnet.py", RunScript.ControlNet),
        new TrainingCommand("config", "Train what a YAML file of sd-trainer says: config run.yaml --train.lr 1e-4", RunScript.None,
            ReferenceStyle.SdTrainer),
    ];

    /// <summary>Runs a command line.</summary>
    /// <param name="arguments">What was typed after the program's name.</param>
    /// <param name="console">Where it writes.</param>
    /// <param name="cancellationToken">Cancels as Ctrl+C does.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] arguments, ToolConsole console, CancellationToken cancellationToken = default)
    {
        var root = new RootCommand("Tools for Stable Diffusion adapters and models; options are named as in sd-scripts.");
        foreach (var command in Commands()) root.Add(command.Build((work, token) => Start(work, console, token)));
        // Words that begin with @ are words: sd-scripts knows no response files.
        var parsed = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors) await console.Error.WriteLineAsync(error.Message);
            await console.Error.WriteLineAsync($"Try: stabletune {Named(parsed)}--help");
            return WrongUsage;
        }

        return await parsed.InvokeAsync(new InvocationConfiguration
        {
            Output = console.Output, Error = console.Error, EnableDefaultExceptionHandler = false,
            // The program listens to signals itself: what was trained so far is saved, however long that takes.
            ProcessTerminationTimeout = null,
        }, cancellationToken);
    }

    private static string Named(ParseResult parsed) =>
        parsed.CommandResult.Command is RootCommand ? "" : parsed.CommandResult.Command.Name + " ";

    private static int Start(Action<ToolRun> work, ToolConsole console, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var note in ToolRun.Start(console, work, cancellationToken).Notes) console.Error.WriteLine("note: " + note);
            return Success;
        }
        catch (OperationCanceledException)
        {
            console.Error.WriteLine("cancelled; nothing unfinished was left behind");
            return Cancelled;
        }
        catch (Exception fault) when (fault is InvalidOptionsException or IOException or UnauthorizedAccessException or ArgumentException
            or InvalidOperationException or NotSupportedException)
        {
            console.Error.WriteLine("error: " + fault.Message);
            return Failure;
        }
    }
}
