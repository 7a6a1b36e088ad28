using System.Diagnostics;

namespace StableTune.Testing;

/// <summary>Starts samples that were built as these tests were.</summary>
public static class SampleProgram
{
    /// <summary>How to start a sample.</summary>
    public static ProcessStartInfo Start(string sample, params IEnumerable<string> arguments)
    {
        // bin, Release, net10.0
        var built = AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar)[^3..];
        return new ProcessStartInfo(
            "dotnet", [Path.Combine([Fixtures.Repository, "samples", sample, .. built, sample + ".dll"]), .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
    }

    /// <summary>Runs a sample to its end.</summary>
    /// <returns>Its exit code, and all that it wrote.</returns>
    public static async Task<(int ExitCode, string Text)> Run(string sample, params IEnumerable<string> arguments)
    {
        using var process = Process.Start(Start(sample, arguments))!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await errors);
    }
}
