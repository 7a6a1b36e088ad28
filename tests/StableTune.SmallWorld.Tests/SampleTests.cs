using System.Diagnostics;
using StableTune.Checkpoints;
using StableTune.Testing;

namespace StableTune.SmallWorld.Tests;

/// <summary>The samples, run as a reader runs them, with few steps.</summary>
public sealed class SampleTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void FromScratch_Quick_GoesThroughAllStages_AndSkipsThoseThatAreThere()
    {
        var text = Run("FromScratch", 0, "--quick", "--out", _folder.File("out"), "--prompts", "2");
        Assert.Contains("of 2 pictures show what the prompt says", text);
        using (var model = ModelLoader.Load(_folder.File("out", "model")))
            Assert.NotEqual(0.18215, model.Vae.Options.ScalingFactor);
        Directory.Delete(_folder.File("out", "model"), recursive: true);
        var before = File.GetLastWriteTimeUtc(_folder.File("out", "vae.jsonl"));
        Assert.Contains("2/2", Run("FromScratch", 0, "--quick", "--out", _folder.File("out"), "--prompts", "1"));
        Assert.Equal(before, File.GetLastWriteTimeUtc(_folder.File("out", "vae.jsonl")));
        Assert.Contains("nothing", Run("FromScratch", 2, "--measure", _folder.File("nothing")));
        Assert.Contains("Usage", Run("FromScratch", 2, "--prompts", "0"));
    }

    private static string Run(string sample, int exitCode, params string[] arguments)
    {
        // bin, Release, net10.0
        var built = AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar)[^3..];
        var start = new ProcessStartInfo("dotnet",
            [Path.Combine([Fixtures.Repository, "samples", sample, .. built, sample + ".dll"]), .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var text = process.StandardOutput.ReadToEnd() + errors.Result;
        process.WaitForExit();
        Assert.True(process.ExitCode == exitCode, $"{sample} ended with {process.ExitCode}:\n{text}");
        return text;
    }
}
