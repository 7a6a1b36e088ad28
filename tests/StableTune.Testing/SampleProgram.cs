using System.Diagnostics;

namespace StableTune.Testing;

/// <summary>Starts samples that were built as these tests were.</summary>
public static class SampleProgram
{
    /// <summary>How to start a sample.</summary>
    public static ProcessStartInfo Start(string sample, params IEnumerable<string> arguments)
    {
        return new ProcessStartInfo(
            "dotnet", [Path.Combine([Fixtures.Repository, "samples", sample, .. Built, sample + ".dll"]), .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
    }

    /// <summary>Runs a sample to its end.</summary>
    /// <returns>Its exit code, and all that it wrote.</returns>
    public static Task<(int ExitCode, string Text)> Run(string sample, params IEnumerable<string> arguments) =>
        Finish(Start(sample, arguments));

    /// <summary>Runs a program of one file to its end; the SDK builds it on the way, on the projects that these tests are built
    /// from.</summary>
    /// <param name="file">The file, in the folder of the samples.</param>
    /// <param name="arguments">What the program is given.</param>
    /// <returns>Its exit code, and all that it and the build wrote.</returns>
    public static Task<(int ExitCode, string Text)> RunScript(string file, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(
            "dotnet", ["run", "-c", Built[1], Path.Combine(Fixtures.Repository, "samples", file), "--", .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";                  // no build server stays behind
        return Finish(start);
    }

    /// <summary>bin, Release, net10.0.</summary>
    private static string[] Built =>
        AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar)[^3..];

    private static async Task<(int ExitCode, string Text)> Finish(ProcessStartInfo start)
    {
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await errors);
    }
}
