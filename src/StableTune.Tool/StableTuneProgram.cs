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
        new HashCommand(), new ClassImagesCommand(),
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
        var parsed = root.Parse(arguments);
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors) await console.Error.WriteLineAsync(error.Message);
            await console.Error.WriteLineAsync($"Try: stabletune {Named(parsed)}--help");
            return WrongUsage;
        }

        return await parsed.InvokeAsync(new InvocationConfiguration
        {
            Output = console.Output, Error = console.Error, EnableDefaultExceptionHandler = false,
            // A tensor is finished before a command ends: not at once, but soon.
            ProcessTerminationTimeout = TimeSpan.FromSeconds(30),
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
