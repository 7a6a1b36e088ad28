using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using StableTune.Testing;
using StableTune.Training;
using Xunit.Abstractions;

namespace StableTune.Tests.Several;

/// <summary>Processes of their own: started with torchrun's variables, or by mpirun where Open MPI is installed.</summary>
public sealed class StartedProcessTests(ITestOutputHelper output) : IDisposable
{
    private static readonly string s_program =
        Path.Combine(AppContext.BaseDirectory, $"{typeof(SharingProgram).Assembly.GetName().Name}.dll");
    private static readonly string s_dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Train_WithTheVariablesOfTorchrun_LearnsWhatOneProcessLearns()
    {
        var port = ProcessRunTests.FreePort();
        var processes = Enumerable.Range(0, 2).Select(rank => Start(s_dotnet, Arguments(4), Variables(rank, port))).ToArray();
        var told = await Task.WhenAll(processes.Select(EndAsync));
        Assert.All(told, one => Assert.True(one.Code == 0, one.Text));
        AssertAsOne(told[0].Text);
    }

    /// <summary>The one that is killed says nothing: its closed connection does.</summary>
    [Fact]
    public async Task Train_AProcessThatIsKilled_EndsTheOtherWithItsName_AndTheLastStateServes()
    {
        var port = ProcessRunTests.FreePort();
        using var first = Start(s_dotnet, Arguments(1000), Variables(0, port));
        using var second = Start(s_dotnet, Arguments(1000), Variables(1, port));
        while (await first.StandardOutput.ReadLineAsync() is { } line && !line.StartsWith("training 3 ", StringComparison.Ordinal)) { }
        second.Kill();
        var (code, text) = await EndAsync(first);
        Assert.True(code == 3, text);
        Assert.Contains($"process 1 ({Environment.MachineName}, process {second.Id}) has ended: its connection was closed", text,
            StringComparison.Ordinal);
        var resumed = SharingProgram.Builder(SmallRun.Model(_folder), TinyRun.Images(_folder), _folder.Folder("out"), 6, batch: 2)
            .ResumeFromLatest(_folder.File("out")).Train();
        Assert.InRange(resumed.Losses.Count, 6, 6 + 1000);
    }

    [Fact]
    public async Task Train_StartedByMpirun_LearnsWhatOneProcessLearns()
    {
        if (!HasMpi(output)) return;
        var (code, text) = await EndAsync(Start("mpirun", [.. s_mpirun, s_dotnet, .. Arguments(4)], Variables()));
        Assert.True(code == 0, text);
        AssertAsOne(text);
    }

    [Fact]
    public void Train_WithoutAnMpiLibrary_SaysWhatIsMissing()
    {
        var library = _folder.File("libmpi.so");
        File.WriteAllText(library, "no library");
        var fault = Assert.Throws<ProcessGroupException>(() => TinyRun.Builder(_folder).On("cpu")
            .WithProcesses(new MpiProcesses { Rank = 0, Count = 2, Library = library }).Train());
        Assert.StartsWith($"Open MPI's library ({library}) cannot be loaded. Install Open MPI", fault.Message, StringComparison.Ordinal);
    }

    private static readonly string[] s_mpirun = ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", "2"];

    /// <summary>Losses and weights of one process with both images in its batch.</summary>
    private void AssertAsOne(string told)
    {
        var one = SharingProgram.Builder(SmallRun.Model(_folder), TinyRun.Images(_folder), _folder.Folder("one"), 4, batch: 2)
            .Change(plan => plan with { Save = new SaveOptions() }).Train();
        // mpirun may put the beginning of a line at the end of another process's.
        var losses = Regex.Matches(told, @"training \d+ ([-+.E0-9]+)")
            .Select(line => double.Parse(line.Groups[1].Value, CultureInfo.InvariantCulture)).ToArray();
        Assert.Equal(one.Losses.Count, losses.Length);
        Assert.All(one.Losses.Zip(losses), pair => Assert.True(Math.Abs(pair.First - pair.Second) < 1e-4 * pair.First, $"{pair}"));
        Assert.Contains("files 2, sent ", told, StringComparison.Ordinal);
    }

    private static bool HasMpi(ITestOutputHelper output)
    {
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Any(folder => File.Exists(Path.Combine(folder, "mpirun")));
        if (!found) output.WriteLine("skipped: Open MPI's mpirun is not installed");
        return found;
    }

    private string[] Arguments(int steps) => [s_program, "share", SmallRun.Model(_folder), TinyRun.Images(_folder), _folder.Folder("out"),
        steps.ToString(CultureInfo.InvariantCulture)];

    private static Dictionary<string, string> Variables(int rank, int port) => new(Variables())
    {
        ["RANK"] = $"{rank}", ["WORLD_SIZE"] = "2", ["MASTER_ADDR"] = "127.0.0.1", ["MASTER_PORT"] = $"{port}",
    };

    /// <summary>Several processes on few processors: each takes one.</summary>
    private static Dictionary<string, string> Variables() => new() { ["OMP_NUM_THREADS"] = "1" };

    private static Process Start(string program, string[] arguments, Dictionary<string, string> variables)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in variables) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    private static async Task<(int Code, string Text)> EndAsync(Process process)
    {
        var (text, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(3));
        return (process.ExitCode, await text + await errors);
    }
}
