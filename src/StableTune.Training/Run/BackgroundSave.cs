using System.Diagnostics;
using StableTune.Formats;

namespace StableTune.Training;

/// <summary>One save that is written on a thread of its own while training goes on: from what is trained, and from copies of what changes
/// before it is written.</summary>
/// <param name="moment">The moment that is saved.</param>
/// <param name="mostBytes">What the copies may take.</param>
/// <param name="memory">Where they are made.</param>
internal sealed class BackgroundSave(SaveMoment moment, long mostBytes, CopyMemory memory) : IDisposable
{
    private readonly PayloadCopies _copies = new(mostBytes, memory);
    private readonly List<Func<IReadOnlyList<string>>> _writes = [];
    private readonly Stopwatch _pause = new();
    private Task<IReadOnlyList<string>>? _writing;

    /// <summary>The moment that is saved.</summary>
    public SaveMoment Moment => moment;

    /// <summary>Whether all is written, or something failed.</summary>
    public bool IsDone => _writing?.IsCompleted == true;

    /// <summary>How long the run stood still for it.</summary>
    public TimeSpan Pause => _pause.Elapsed;

    /// <summary>Counts what is done until the result is disposed as time that the run stands still.</summary>
    public Standstill StandStill() => new(_pause);

    /// <summary>Takes, or copies, what a saver will write.</summary>
    /// <param name="saver">The saver.</param>
    /// <param name="now">What it is given.</param>
    /// <param name="stays">Whether what is trained stays in its place until the next update; else all is copied at once.</param>
    /// <returns>False where it writes at once: because it cannot do otherwise, or because copies would take too much memory.</returns>
    public bool TryPrepare(ISaver saver, SaveMoment now, bool stays)
    {
        _copies.CopiesLate = stays;
        if (saver.Prepare(now, _copies) is not { } write) return false;
        _writes.Add(write);
        return true;
    }

    /// <summary>Begins to write.</summary>
    /// <param name="files">Files of this moment that are written already.</param>
    public void Start(IReadOnlyList<string> files) => _writing = Task.Factory.StartNew(
        () => Write(files), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Copies what is not written yet, as it is about to change.</summary>
    public void CopyRest()
    {
        using var still = StandStill();
        _copies.CopyRest();
    }

    /// <summary>Waits until all is written.</summary>
    /// <returns>The files.</returns>
    /// <exception cref="IOException">Something cannot be written.</exception>
    public IReadOnlyList<string> Finish()
    {
        using var still = StandStill();
        try
        {
            return _writing?.GetAwaiter().GetResult() ?? [];
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new IOException(
                $"The save of step {moment.Step}, which was written while training went on, failed: {fault.Message}", fault);
        }
    }

    /// <summary>Frees the copies; to be called when nothing is being written.</summary>
    public void Dispose() => _copies.Dispose();

    /// <summary>A time that the run stands still.</summary>
    internal readonly struct Standstill : IDisposable
    {
        private readonly Stopwatch _clock;

        public Standstill(Stopwatch clock) => (_clock = clock).Start();

        public void Dispose() => _clock.Stop();
    }

    private IReadOnlyList<string> Write(IReadOnlyList<string> files)
    {
        try
        {
            return [.. files, .. _writes.SelectMany(write => write())];
        }
        finally
        {
            // At once: the next step may need the memory.
            _copies.Dispose();
        }
    }
}
