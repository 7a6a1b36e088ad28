using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace StableTune.Formats;

/// <summary>
/// Copies of tensors' bytes in host memory, so that a file of what tensors hold now can be written later, on any thread, while they
/// change. The memory is not the garbage collector's, and goes when this is disposed of.
/// </summary>
/// <param name="mostBytes">What all copies together may take.</param>
/// <param name="memory">Memory to make them in, which they return; null for memory of their own.</param>
public sealed class PayloadCopies(long mostBytes, CopyMemory? memory = null) : IDisposable
{
    private readonly CopyMemory _memory = memory ?? new CopyMemory(0);
    private readonly Lock _lock = new();
    private readonly List<IDisposable> _kept = [];
    private readonly List<LatePayload> _late = [];
    private List<LatePayload> _unchanged = [];

    /// <summary>What the copies take.</summary>
    public long Bytes { get; private set; }

    /// <summary>Whether <see cref="TakeLasting"/> copies nothing before it must. Default false: at once.</summary>
    public bool CopiesLate { get; set; }

    /// <summary>Copies tensors.</summary>
    /// <param name="tensors">Each is asked for its bytes once, now, several at the same time.</param>
    /// <returns>The same tensors with bytes of their own, until this is disposed of; null where they would take more memory than they may.
    /// Then nothing was copied.</returns>
    /// <exception cref="InvalidOperationException">A tensor wrote more or fewer bytes than its shape takes.</exception>
    public IReadOnlyList<TensorPayload>? Take(IEnumerable<TensorPayload> tensors)
    {
        TensorPayload[] all = [.. tensors];
        var places = new (long Offset, long Size)[all.Length];
        var end = 0L;
        for (var i = 0; i < all.Length; i++)
        {
            places[i] = (end, SizeOf(all[i]));
            end = checked(end + places[i].Size);
        }

        if (end == 0) return [.. all.Select(tensor => tensor with { Write = _ => { } })];
        if (Rent(end) is not { } block) return null;
        var lease = new Lease(_memory, block);
        Keep(lease);
        // Fetching fresh memory from the system takes longer than filling it: by all processors.
        ForAll(all.Length, i => lease.Fill(all[i], places[i].Offset, places[i].Size));
        return [.. all.Zip(places, (tensor, place) => tensor with { Write = stream => lease.WriteTo(stream, place.Offset, place.Size) })];
    }

    /// <summary>
    /// Takes tensors whose numbers stay as they are until <see cref="CopyRest"/>: where <see cref="CopiesLate"/> is set, what is written by
    /// then is written from where it is, and only the rest is copied. Else as <see cref="Take"/>.
    /// </summary>
    /// <param name="tensors">Each is asked for its bytes once, on any thread, until this is disposed of.</param>
    /// <returns>The same tensors, of which each can be written once, until this is disposed of; null where they are copied now and would
    /// take more memory than they may.</returns>
    /// <exception cref="InvalidOperationException">A tensor wrote more or fewer bytes than its shape takes.</exception>
    public IReadOnlyList<TensorPayload>? TakeLasting(IEnumerable<TensorPayload> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        if (!CopiesLate) return Take(tensors);
        var taken = new List<TensorPayload>();
        foreach (var tensor in tensors)
        {
            if (SizeOf(tensor) is not (var size and > 0))
            {
                taken.Add(tensor with { Write = _ => { } });
                continue;
            }

            var late = new LatePayload(tensor, size);
            taken.Add(tensor with { Write = late.WriteTo });
            lock (_lock)
            {
                _late.Add(late);
                _unchanged.Add(late);
            }
        }

        return taken;
    }

    /// <summary>
    /// To be called before the numbers of lasting tensors change: copies those that are not written yet, as many as may be, and waits until
    /// the others are written. Does nothing where there are none.
    /// </summary>
    /// <exception cref="InvalidOperationException">A tensor wrote more or fewer bytes than its shape takes.</exception>
    public void CopyRest()
    {
        List<LatePayload> unchanged;
        lock (_lock) (unchanged, _unchanged) = (_unchanged, []);
        // Mostly all is written, and no other thread needs to be asked. What comes last is written last, and would be waited for longest.
        LatePayload[] rest = [.. unchanged.Where(late => !late.TryLetGo()).Reverse()];
        if (rest.Length == 0) return;
        var uncopied = new ConcurrentBag<LatePayload>();
        ForAll(rest.Length, i =>
        {
            if (!rest[i].TryLetGo(Rent, GiveBack)) uncopied.Add(rest[i]);
        });
        foreach (var late in uncopied) late.WaitUntilWritten();
    }

    /// <summary>Keeps something open that files are written from, such as a file whose content is carried over, as long as the
    /// copies.</summary>
    /// <param name="open">Disposed of with this.</param>
    public void Keep(IDisposable open)
    {
        lock (_lock) _kept.Add(open);
    }

    /// <summary>Frees the copies: what they were made for can be written no more.</summary>
    public void Dispose()
    {
        LatePayload[] late;
        IDisposable[] kept;
        lock (_lock)
        {
            (late, kept) = ([.. _late], [.. _kept]);
            _late.Clear();
            _kept.Clear();
            _unchanged = [];
        }

        foreach (var dropped in late)
            if (dropped.Drop() is { } copy) _memory.Return(copy);
        foreach (var open in kept) open.Dispose();
        lock (_lock) Bytes = 0;
    }

    private MemoryBlock? Rent(long size)
    {
        lock (_lock)
        {
            if (size > mostBytes - Bytes) return null;
            Bytes += size;
        }

        return _memory.Rent(size);
    }

    private void GiveBack(MemoryBlock block) => _memory.Return(block);

    private static void ForAll(int count, Action<int> act)
    {
        try
        {
            Parallel.For(0, count, act);
        }
        catch (AggregateException faults)
        {
            ExceptionDispatchInfo.Throw(faults.InnerExceptions[0]);
        }
    }

    private static long SizeOf(TensorPayload tensor) =>
        tensor.Shape.Aggregate((long)tensor.DType.Size(), (size, length) => checked(size * length));

    /// <summary>The memory of one call, as long as the copies are there.</summary>
    private sealed class Lease(CopyMemory memory, MemoryBlock block) : IDisposable
    {
        private MemoryBlock? _block = block;

        private MemoryBlock Block => _block ?? throw new ObjectDisposedException(nameof(PayloadCopies));

        public void Fill(TensorPayload tensor, long offset, long size)
        {
            using var place = new UnmanagedMemoryStream(Block, offset, size, FileAccess.Write);
            var counted = new CountingStream(place, tensor.Name, size);
            tensor.Write(counted);
            counted.CheckComplete();
        }

        public void WriteTo(Stream stream, long offset, long size)
        {
            using var place = new UnmanagedMemoryStream(Block, offset, size, FileAccess.Read);
            place.CopyTo(stream, 1 << 20);
        }

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _block, null) is { } returned) memory.Return(returned);
        }
    }
}
