using Spectre.Console;

namespace StableTune.Tool;

/// <summary>Where the program writes: results to one place, progress and errors to another.</summary>
/// <param name="Output">Results.</param>
/// <param name="Error">Errors and notes.</param>
/// <param name="Display">Progress bars, on the place of errors; null shows none.</param>
internal sealed record ToolConsole(TextWriter Output, TextWriter Error, IAnsiConsole? Display)
{
    /// <summary>The next key that somebody pressed, null for none yet; null itself where nobody sits at a keyboard.</summary>
    public Func<char?>? Keys { get; init; }

    /// <summary>Says something while bars are shown: above them, or on the place of errors.</summary>
    public void Say(string text)
    {
        if (Display is { } display) display.WriteLine(text);
        else Error.WriteLine(text);
    }

    /// <summary>The process's own; bars are shown where somebody can see them.</summary>
    public static ToolConsole OfProcess()
    {
#pragma warning disable RS0030 // A program prints; the libraries do not.
        var (output, error, redirected) = (System.Console.Out, System.Console.Error, System.Console.IsErrorRedirected);
        Func<char?>? keys = redirected || System.Console.IsInputRedirected ? null
            : () => System.Console.KeyAvailable ? System.Console.ReadKey(intercept: true).KeyChar : null;
#pragma warning restore RS0030
        var display = redirected ? null : AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(error) });
        return new ToolConsole(output, error, display) { Keys = keys };
    }
}
