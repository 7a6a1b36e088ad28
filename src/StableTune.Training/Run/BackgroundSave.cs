using StableTune.Formats;

namespace StableTune.Training;

/// <summary>One save that is written on a thread of its own while training goes on, from copies of what was trained then.</summary>
/// <param name="moment">The moment that is saved.</param>
/// <param name="mostBytes">What the copies may take.</param>
/// <param name="memory">Where they are made.</param>
internal sealed class BackgroundSave(SaveMoment moment, long mostBytes, CopyMemory memory) : IDisposable
{
    private readonly PayloadCopies _copies = new(mostBytes, memory);
    private readonly List<Func<IReadOnlyList<string>>> _writes = [];
    private Task<IReadOnlyList<string>>? _writing;

    /// <summary>The moment that is saved.</summary>
    public SaveMoment Moment => moment;

    /// <summary>Whether all is written, or something failed.</summary>
    public bool IsDone => _writing?.IsCompleted == true;

    /// <summary>Copies what a saver will write.</summary>
    /// <returns>False where it writes at once: because it cannot do otherwise, or because copies would take too much memory.</returns>
    public bool TryPrepare(ISaver saver, SaveMoment now)
    {
        if (saver.Prepare(now, _copies) is not { } write) return false;
        _writes.Add(write);
        return true;
    }

    /// <summary>Begins to write.</summary>
    /// <param name="files">Files of this moment that are written already.</param>
    public void Start(IReadOnlyList<string> files) => _writing = Task.Factory.StartNew(
        () => Write(files), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Waits until all is written.</summary>
    /// <returns>The files.</returns>
    /// <exception cref="IOException">Something cannot be written.</exception>
    public IReadOnlyList<string> Finish()
    {
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
