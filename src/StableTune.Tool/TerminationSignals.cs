using System.Runtime.InteropServices;

namespace StableTune.Tool;

/// <summary>
/// Turns Ctrl+C, SIGTERM and a closed terminal into cancellation: what was done so far is saved. A second one ends the program at once,
/// as the system does it.
/// </summary>
internal sealed class TerminationSignals : IDisposable
{
    /// <summary>The exit code of a program that SIGTERM ended, by custom 128 and the signal's number.</summary>
    public const int Terminated = 143;

    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;
    private readonly TextWriter _error;

    /// <summary>Begins to listen.</summary>
    /// <param name="error">Told what the signal does.</param>
    public TerminationSignals(TextWriter error)
    {
        _error = error;
        _registrations =
        [
            .. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT }
                .Select(signal => PosixSignalRegistration.Create(signal, Take)),
        ];
    }

    /// <summary>Set by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Whether it was not a person at the keyboard who ended the program.</summary>
    public bool IsTerminated { get; private set; }

    /// <summary>What the program ends with.</summary>
    /// <param name="code">Its exit code.</param>
    public int ExitCode(int code) => code == StableTuneProgram.Cancelled && IsTerminated ? Terminated : code;

    /// <summary>Takes a signal.</summary>
    internal void Take(PosixSignalContext context)
    {
        if (_source.IsCancellationRequested) return;                         // the second: the system ends the program
        context.Cancel = true;
        IsTerminated = context.Signal is PosixSignal.SIGTERM or PosixSignal.SIGHUP;
        _error.WriteLine("stopping: what was done so far is saved first; the same again ends the program at once");
        _source.Cancel();
    }

    /// <summary>Leaves signals to the system again.</summary>
    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
        _source.Dispose();
    }
}
