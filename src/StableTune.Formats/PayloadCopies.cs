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
    private readonly List<IDisposable> _kept = [];

    /// <summary>What the copies take.</summary>
    public long Bytes { get; private set; }

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

        if (end > mostBytes - Bytes) return null;
        if (end == 0) return [.. all.Select(tensor => tensor with { Write = _ => { } })];
        var lease = new Lease(_memory, _memory.Rent(end));
        _kept.Add(lease);
        Bytes += end;
        // Fetching fresh memory from the system takes longer than filling it: by all processors.
        try
        {
            Parallel.For(0, all.Length, i => lease.Fill(all[i], places[i].Offset, places[i].Size));
        }
        catch (AggregateException faults)
        {
            ExceptionDispatchInfo.Throw(faults.InnerExceptions[0]);
        }

        return [.. all.Zip(places, (tensor, place) => tensor with { Write = stream => lease.WriteTo(stream, place.Offset, place.Size) })];
    }

    /// <summary>Keeps something open that files are written from, such as a file whose content is carried over, as long as the
    /// copies.</summary>
    /// <param name="open">Disposed of with this.</param>
    public void Keep(IDisposable open) => _kept.Add(open);

    /// <summary>Frees the copies: what they were made for can be written no more.</summary>
    public void Dispose()
    {
        foreach (var kept in _kept) kept.Dispose();
        _kept.Clear();
        Bytes = 0;
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
