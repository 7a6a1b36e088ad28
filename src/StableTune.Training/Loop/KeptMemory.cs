namespace StableTune.Training;

/// <summary>
/// Keeps freed tensor memory while a run goes on: the same sizes come again in every step. Begins after loading, whose memory is not needed
/// again, and gives everything back at the end. The setting is the process': of two runs at once the last to end switches it off.
/// </summary>
internal sealed class KeptMemory : IDisposable
{
    public KeptMemory(long bytes) => engine.keep_freed_memory(bytes);

    public void Dispose() => engine.keep_freed_memory(0);
}
