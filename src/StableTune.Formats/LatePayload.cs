namespace StableTune.Formats;

/// <summary>A tensor that is written from where it is, or from a copy where its numbers change before it was written.</summary>
/// <param name="tensor">Reads the numbers, on any thread, until they change.</param>
/// <param name="size">In bytes, more than none.</param>
internal sealed class LatePayload(TensorPayload tensor, long size)
{
    private readonly object _turn = new();
    private MemoryBlock? _copy;
    private State _state;

    private enum State
    {
        /// <summary>Not written yet; the numbers are as they were.</summary>
        Waiting,

        /// <summary>Written; the numbers are as they were.</summary>
        Written,

        /// <summary>The numbers may have changed; there is a copy.</summary>
        Copied,

        /// <summary>The numbers may have changed, and were written before.</summary>
        Changed,

        /// <summary>Nobody will write it.</summary>
        Dropped,
    }

    /// <summary>Writes the numbers as they were.</summary>
    public void WriteTo(Stream stream)
    {
        lock (_turn)
        {
            switch (_state)
            {
                case State.Waiting or State.Written:
                    tensor.Write(stream);
                    _state = State.Written;
                    Monitor.PulseAll(_turn);
                    break;
                case State.Copied:
                    using (var place = new UnmanagedMemoryStream(_copy!, 0, size, FileAccess.Read)) place.CopyTo(stream, 1 << 20);
                    break;
                case State.Changed:
                    throw new InvalidOperationException(
                        $"'{tensor.Name}' was written, and its numbers have changed since: it can be written once.");
                default:
                    throw new ObjectDisposedException(nameof(PayloadCopies));
            }
        }
    }

    /// <summary>Lets the numbers change if they were written.</summary>
    public bool TryLetGo()
    {
        lock (_turn)
        {
            if (_state == State.Written) _state = State.Changed;
            return _state != State.Waiting;
        }
    }

    /// <summary>Copies the numbers, which are about to change, unless they were written.</summary>
    /// <param name="memory">Gives memory of a size, or none.</param>
    /// <param name="giveBack">Takes it back where copying fails.</param>
    /// <returns>False where there was no memory: then the numbers must not change yet.</returns>
    public bool TryLetGo(Func<long, MemoryBlock?> memory, Action<MemoryBlock> giveBack)
    {
        lock (_turn)
        {
            if (TryLetGo()) return true;
            if (memory(size) is not { } block) return false;
            try
            {
                using var place = new UnmanagedMemoryStream(block, 0, size, FileAccess.Write);
                var counted = new CountingStream(place, tensor.Name, size);
                tensor.Write(counted);
                counted.CheckComplete();
            }
            catch
            {
                giveBack(block);
                throw;
            }

            (_copy, _state) = (block, State.Copied);
            return true;
        }
    }

    /// <summary>Waits until it is written, or nobody will.</summary>
    public void WaitUntilWritten()
    {
        lock (_turn)
        {
            while (_state == State.Waiting) Monitor.Wait(_turn);
            if (_state == State.Written) _state = State.Changed;
        }
    }

    /// <summary>It can be written no more.</summary>
    /// <returns>The memory of its copy; null where there is none.</returns>
    public MemoryBlock? Drop()
    {
        lock (_turn)
        {
            var copy = _copy;
            (_copy, _state) = (null, State.Dropped);
            Monitor.PulseAll(_turn);
            return copy;
        }
    }
}
