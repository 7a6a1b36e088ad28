using System.Diagnostics;
using System.Text.Json;
using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.Tests.Resume;

/// <summary>A run that is killed again and again goes on each time as if it had never stopped.</summary>
public sealed class KilledRunTests : IDisposable
{
    private const int Kills = 5;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Train_KilledAtRandomMoments_EndsWithTheSameTensorsBitForBit()
    {
        var (model, images) = (SmallRun.Model(_folder), TinyRun.Images(_folder));
        var (whole, broken) = (_folder.Folder("whole"), _folder.Folder("broken"));
        var expected = Program.Run(model, images, whole).Train();
        // Another moment each time the tests are run; said when it fails.
        var random = new Random(Environment.TickCount);
        var moments = new List<string>();
        for (var kill = 0; kill < Kills; kill++)
        {
            var (steps, wait) = (random.Next(1, 4), random.Next(0, 120));
            moments.Add($"{steps} steps and {wait} ms");
            await KillAfterAsync(model, images, broken, steps, wait);
        }

        var result = Program.Run(model, images, broken).Train();
        var told = $"killed after {string.Join(", ", moments)}";
        Assert.True(expected.Losses.SequenceEqual(result.Losses), $"the losses differ: {told}");
        AssertSame(expected.Files[0], result.Files[0], told);
        Assert.Equal(expected.Steps, result.Steps);
        Assert.Equal(expected.Samples.Select(Stable), result.Samples.Select(Stable));
        Assert.Equal(Steps(Path.Combine(whole, "log.jsonl")), Steps(Path.Combine(broken, "log.jsonl")));
        Assert.Empty(Directory.GetFileSystemEntries(broken, "*.partial"));
    }

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

    private static void AssertSame(string expected, string actual, string told)
    {
        using var one = SafetensorsFile.Open(expected);
        using var other = SafetensorsFile.Open(actual);
        Assert.Equal(one.Tensors.Select(tensor => tensor.Name), other.Tensors.Select(tensor => tensor.Name));
        foreach (var tensor in one.Tensors)
            Assert.True(one.Span(tensor.Name).SequenceEqual(other.Span(tensor.Name)), $"{tensor.Name} differs: {told}");
        string[] mayDiffer = ["ss_training_started_at", "ss_training_finished_at", "ss_session_id", "modelspec.date", "sshs_model_hash",
            "sshs_legacy_hash"];
        foreach (var (key, value) in one.Metadata.Where(entry => !mayDiffer.Contains(entry.Key)))
            Assert.Equal((key, value), (key, other.Metadata.GetValueOrDefault(key)));
        Assert.Equal(one.Metadata["sshs_model_hash"], other.Metadata["sshs_model_hash"]);
    }

    private static async Task KillAfterAsync(string model, string images, string output, int steps, int wait)
    {
        var program = Path.Combine(AppContext.BaseDirectory, $"{typeof(Program).Assembly.GetName().Name}.dll");
        var start = new ProcessStartInfo(
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [program, "train", model, images, output])
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
