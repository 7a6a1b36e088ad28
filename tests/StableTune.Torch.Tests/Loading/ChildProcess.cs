using System.Diagnostics;

namespace StableTune.Torch.Tests.Loading;

/// <summary>This assembly, started as a program: see <see cref="Program"/>.</summary>
internal sealed class ChildProcess : IDisposable
{
    private readonly Process _process;
    private readonly Task<string> _output;

    /// <param name="question">What to ask the program.</param>
    /// <param name="variables">Variables of its environment; null removes one.</param>
    /// <param name="folder">The folder of the program; null for this assembly's own.</param>
    internal ChildProcess(string question, IReadOnlyDictionary<string, string?>? variables = null, string? folder = null)
    {
        var program = Path.Combine(folder ?? AppContext.BaseDirectory, $"{typeof(ChildProcess).Assembly.GetName().Name}.dll");
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [program, question])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in variables ?? new Dictionary<string, string?>()) start.Environment[name] = value;
        _process = Process.Start(start)!;
        _output = ReadAsync(_process);
    }

    /// <summary>Waits for the end: the exit code and all that was printed.</summary>
    internal async Task<(int ExitCode, string Output)> EndAsync()
    {
        var output = await _output.WaitAsync(TimeSpan.FromMinutes(2));
        await _process.WaitForExitAsync();
        return (_process.ExitCode, output);
    }

    public void Dispose() => _process.Dispose();

    private static async Task<string> ReadAsync(Process process)
    {
        var texts = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        return string.Concat(texts).Trim();
    }
}
