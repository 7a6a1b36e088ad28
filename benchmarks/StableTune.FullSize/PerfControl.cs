namespace StableTune.FullSize;

/// <summary>Lets <c>perf record --control fifo:CONTROL,ACK</c> sample a part of a program alone. Without the variable
/// <c>PERF_CONTROL</c> nothing happens.</summary>
internal sealed class PerfControl : IDisposable
{
    private readonly string? _acknowledgements = Environment.GetEnvironmentVariable("PERF_ACK");

    /// <summary>Begins to sample.</summary>
    public PerfControl() => Say("enable");

    /// <summary>Ends it.</summary>
    public void Dispose() => Say("disable");

    private void Say(string what)
    {
        if (Environment.GetEnvironmentVariable("PERF_CONTROL") is not { Length: > 0 } control) return;
        File.WriteAllText(control, what + "\n");
        if (_acknowledgements is null) return;
        using var answer = new StreamReader(_acknowledgements);
        answer.ReadLine();
    }
}
