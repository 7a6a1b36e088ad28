using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using StableTune.Imaging;
using StableTune.Tensors;

namespace StableTune.Tool.Tests;

/// <summary>Training commands that are stopped, steered, and told of: signals to a process of its own, keys, messages.</summary>
public sealed class StoppedRunTests : ToolTests
{
    /// <summary>SIGTERM, as service managers send it, and SIGINT, as Ctrl+C does; states were not asked for.</summary>
    [SignalTheory]
    [InlineData("TERM", TerminationSignals.Terminated)]
    [InlineData("INT", StableTuneProgram.Cancelled)]
    public async Task ASignal_SavesTheState_FromWhichTheRunGoesOn(string signal, int code)
    {
        using var process = Start(["train-network", .. Words(100_000), "--logging_dir", Folder.File("logs")]);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await StepsAsync(process, 3);
        Send(signal, process);
        await EndedAsync(process);
        Assert.True(code == process.ExitCode, $"{process.ExitCode}: {await output}{await error}");
        Assert.Contains("stopping: what was done so far is saved first", await error, StringComparison.Ordinal);
        var state = Assert.Single(Directory.GetDirectories(Folder.File("out"), "*-state"));
        Assert.Contains($"go on with the same command and --resume {state}", await output, StringComparison.Ordinal);
        Assert.Single(Directory.GetFiles(Folder.File("out"), "frog-step*.safetensors"));

        var stopped = int.Parse(Path.GetFileName(state)["frog-step".Length..][..8], System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(0, await Run(["train-network", .. Words(stopped + 1), "--resume", state]));
        Assert.Contains($"{stopped + 1} steps, average loss", Output.ToString(), StringComparison.Ordinal);
        // Nothing but the result is written by a run that ends well.
        Assert.Single(Directory.GetDirectories(Folder.File("out"), "*-state"));
    }

    [SignalTheory]
    [InlineData("INT")]
    public async Task ASecondSignal_EndsAtOnce(string signal)
    {
        using var process = Start(["train-network", .. Words(100_000), "--logging_dir", Folder.File("logs"), "--console_log_file",
            Folder.File("messages.txt")]);
        var error = process.StandardError.ReadToEndAsync();
        await StepsAsync(process, 2);
        Send(signal, process);
        Send(signal, process);
        Send(signal, process);
        await EndedAsync(process);
        Assert.NotEqual(0, process.ExitCode);
    }

    [Fact]
    public async Task Keys_SteerTheRun()
    {
        var typed = new Queue<char>("sq");
        var console = new ToolConsole(Output, Errors, Display: null)
        {
            Keys = () =>
            {
                lock (typed) return typed.TryDequeue(out var key) ? key : null;
            },
        };
        Assert.Equal(0, await StableTuneProgram.RunAsync(
            ["train-network", .. Words(100_000), "--logging_dir", Folder.File("logs")], console));
        Assert.Contains("keys: p pause, and go on", Errors.ToString(), StringComparison.Ordinal);
        Assert.Contains("ending after this step", Errors.ToString(), StringComparison.Ordinal);
        Assert.True(File.Exists(Folder.File("out", "frog.safetensors")));
        Assert.NotEmpty(Directory.GetFiles(Folder.File("out"), "frog-step*.safetensors"));
    }

    [Fact]
    public async Task ConsoleLog_ShowsWhatIsAskedFor_WhereItIsAskedFor()
    {
        Assert.Equal(0, await Run(["train-network", .. Words(1)]));
        Assert.Matches(@"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO     Training \d+ parameters for 1 steps", Errors.ToString());
        Assert.DoesNotContain("Step 1/1", Errors.ToString(), StringComparison.Ordinal);

        Errors.GetStringBuilder().Clear();
        Assert.Equal(0, await Run(["train-network", .. Words(1), "--overwrite", "--console_log_level", "DEBUG", "--console_log_simple"]));
        Assert.Contains("\nStep 1/1: loss", Errors.ToString(), StringComparison.Ordinal);

        Errors.GetStringBuilder().Clear();
        Assert.Equal(0, await Run(["train-network", .. Words(1), "--overwrite", "--console_log_level", "ERROR"]));
        Assert.DoesNotContain("Training", Errors.ToString(), StringComparison.Ordinal);

        var file = Folder.File("messages", "run.txt");
        Assert.Equal(0, await Run(["train-network", .. Words(1), "--overwrite", "--console_log_file", file]));
        Assert.DoesNotContain("Training", Errors.ToString(), StringComparison.Ordinal);
        Assert.Contains("Training ", await File.ReadAllTextAsync(file), StringComparison.Ordinal);

        Assert.Equal(1, await Run(["train-network", .. Words(1), "--overwrite", "--console_log_level", "LOUD"]));
        Assert.Contains("console_log_level", Errors.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, await Run(["train-network", .. Words(1), "--overwrite", "--console_log_file", Folder.Path]));
        Assert.Contains("console_log_file is \"" + Folder.Path, Errors.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ConsoleLogFile_OfSeveralProcesses_IsWrittenByTheFirst()
    {
        var file = Folder.File("messages.txt");
        string[] words = ["train-network", .. Words(1), "--console_log_file", file];
        // Nobody listens there by now: the first process will.
        int port;
        using (var listener = new TcpListener(IPAddress.Loopback, 0))
        {
            listener.Start();
            port = ((IPEndPoint)listener.LocalEndpoint).Port;
        }

        var processes = Enumerable.Range(0, 2).Select(rank => Start(words, new()
        {
            ["RANK"] = $"{rank}", ["WORLD_SIZE"] = "2", ["MASTER_ADDR"] = "127.0.0.1", ["MASTER_PORT"] = $"{port}",
        })).ToArray();
        var told = processes.Select(process => process.StandardError.ReadToEndAsync()).ToArray();
        foreach (var (process, text) in processes.Zip(told))
        {
            await EndedAsync(process);
            Assert.True(process.ExitCode == 0, $"{process.ExitCode}: {await text}");
            process.Dispose();
        }

        Assert.Contains("Training ", await File.ReadAllTextAsync(file), StringComparison.Ordinal);
    }

    private string[] Words(int steps) =>
    [
        "--pretrained_model_name_or_path", FixtureModels.TinySd15(Folder), "--train_data_dir", TrainingImages(1), "--resolution", "64",
        "--network_module", "networks.lora", "--network_dim", "1", "--network_train_unet_only", "--max_train_steps", $"{steps}",
        "--learning_rate", "1e-3", "--seed", "1", "--output_dir", Folder.File("out"), "--output_name", "frog",
    ];

    private static Process Start(string[] words, Dictionary<string, string>? variables = null)
    {
        string[] command = [Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
            Path.Combine(AppContext.BaseDirectory, "StableTune.Tool.dll"), .. words];
        // Shells let their background jobs ignore SIGINT, and what these start inherits it.
        if (OperatingSystem.IsLinux()) command = ["env", "--default-signal=INT", .. command];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        foreach (var (name, value) in variables ?? []) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>Waits until a run has logged so many steps.</summary>
    private async Task StepsAsync(Process process, int steps)
    {
        var waited = Stopwatch.StartNew();
        while (Directory.Exists(Folder.File("logs")) is false || Lines() < steps)
        {
            Assert.False(process.HasExited, "the program ended early");
            Assert.True(waited.Elapsed < TimeSpan.FromMinutes(2), "the program does not train");
            await Task.Delay(50);
        }

        int Lines() => Directory.GetFiles(Folder.File("logs"), "log.jsonl", SearchOption.AllDirectories)
            .Sum(file => File.ReadLines(file).Count(line => line.Contains("\"step\"", StringComparison.Ordinal)));
    }

    private static async Task EndedAsync(Process process)
    {
        try
        {
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));
        }
        catch (TimeoutException)
        {
            process.Kill();
            throw;
        }
    }

    private static void Send(string signal, Process process)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"]);
        kill.WaitForExit();
    }

    /// <summary>A test that sends signals, which Windows has none of.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    private sealed class SignalTheoryAttribute : TheoryAttribute
    {
        public SignalTheoryAttribute()
        {
            if (OperatingSystem.IsWindows()) Skip = "Windows has no signals to send";
        }
    }
}
