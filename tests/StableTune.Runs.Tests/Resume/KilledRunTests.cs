using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Tests.Resume;

/// <summary>A run that is killed again and again goes on each time as if it had never stopped.</summary>
public sealed class KilledRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Twenty kills in all; two hundred with tests/run.sh --all.</summary>
    public static TheoryData<string, int> Kills => new()
    {
        { "lora", Exhaustive.Runs(8, 68) }, { "model", Exhaustive.Runs(6, 66) }, { "word", Exhaustive.Runs(6, 66) },
    };

    [Theory]
    [MemberData(nameof(Kills))]
    public async Task Train_KilledAtRandomMoments_EndsWithTheSameTensorsBitForBit(string kind, int kills)
    {
        var (model, images) = (SmallRun.Model(_folder), TinyRun.Images(_folder));
        var (whole, broken) = (_folder.Folder("whole"), _folder.Folder("broken"));
        // Another moment each time the tests are run; said when it fails.
        var random = new Random(Environment.TickCount);
        var moments = new List<string>();
        for (var kill = 0; kill < kills; kill++)
        {
            // Now and then before the first step is done.
            var (after, wait) = (random.Next(0, 3), random.Next(0, 60));
            if (after == 0) wait = random.Next(200, 1500);
            moments.Add($"{after} steps and {wait} ms");
            await KillAfterAsync([kind, model, images, broken, "1000000"], after, wait);
            SavedFiles.AssertComplete(broken);
        }

        // The length may be another one when a run goes on.
        var steps = LastStep(broken) + 2;
        var expected = Program.Run(kind, model, images, whole, steps).Train();
        var result = Program.Run(kind, model, images, broken, steps).Train();
        var told = $"killed after {string.Join(", ", moments)}";
        Assert.True(expected.Losses.SequenceEqual(result.Losses), $"the losses differ: {told}");
        SavedFiles.AssertSame(Path.Combine(whole, "frog.safetensors"), Path.Combine(broken, "frog.safetensors"), told);
        Assert.Equal(expected.Steps, result.Steps);
        Assert.Equal(expected.Samples.Select(Stable), result.Samples.Select(Stable));
        Assert.Equal(Steps(Path.Combine(whole, "log.jsonl")), Steps(Path.Combine(broken, "log.jsonl")));
        Assert.Empty(Directory.GetFileSystemEntries(broken, "*.partial"));
    }

    private static int LastStep(string folder) => Directory.GetDirectories(folder, "frog-step*-state")
        .Select(state => int.Parse(Path.GetFileName(state).AsSpan("frog-step".Length, 8), CultureInfo.InvariantCulture))
        .DefaultIfEmpty().Max();

    /// <summary>Names of samples end with the time and the seed.</summary>
    private static string Stable(string sample) => string.Join('_', Path.GetFileName(sample).Split('_').Take(2));

    /// <summary>Each step's number and loss, as the log tells them: none twice, none missing.</summary>
    private static List<(int Step, double Loss)> Steps(string log) =>
    [
        .. from line in File.ReadLines(log)
           let entry = JsonDocument.Parse(line).RootElement
           where entry.GetProperty("event").GetString() == "step"
           select (entry.GetProperty("step").GetInt32(), entry.GetProperty("loss").GetDouble()),
    ];

    private static async Task KillAfterAsync(string[] arguments, int steps, int wait)
    {
        var program = Path.Combine(AppContext.BaseDirectory, $"{typeof(Program).Assembly.GetName().Name}.dll");
        var start = new ProcessStartInfo(
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [program, "train", .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        try
        {
            while (steps > 0 && await process.StandardOutput.ReadLineAsync() is { } line)
                if (line.StartsWith("training ", StringComparison.Ordinal)) steps--;
            Assert.True(steps == 0, $"the program ended early: {(steps == 0 ? "" : await errors)}");
            await Task.Delay(wait);
        }
        finally
        {
            process.Kill();                                                  // SIGKILL
            await process.WaitForExitAsync();
        }
    }
}
