using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace StableTune.Formats;

/// <summary>
/// Copies of tensors' bytes in host memory, so that a file of what tensors hold now can be written later, on any thread, while they
/// change. The memory is not the garbage collector's, and goes when this is disposed of.
/// </summary>
/// <param name="mostBytes">What all copies together may take.</param>
public sealed class PayloadCopies(long mostBytes) : IDisposable
{
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
        if (all.Sum(SizeOf) > mostBytes - Bytes) return null;
        var blocks = Array.ConvertAll(all, tensor => SizeOf(tensor) is > 0 and var size ? new Block(size) : null);
        _kept.AddRange(blocks.OfType<IDisposable>());
        Bytes += all.Sum(SizeOf);
        // Fetching fresh memory from the system takes longer than filling it: by all processors.
        try
        {
            Parallel.For(0, all.Length, i => blocks[i]?.Fill(all[i]));
        }
        catch (AggregateException faults)
        {
            ExceptionDispatchInfo.Throw(faults.InnerExceptions[0]);
        }

        return [.. all.Zip(blocks, (tensor, block) => tensor with { Write = block is null ? _ => { } : block.WriteTo })];
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

    /// <summary>Memory of one tensor.</summary>
    private sealed class Block : SafeBuffer
    {
        private readonly long _size;

        public Block(long size) : base(ownsHandle: true)
        {
            _size = size;
            SetHandle(Marshal.AllocHGlobal(checked((nint)size)));
            Initialize((ulong)size);
        }

        public void Fill(TensorPayload tensor)
        {
            using var memory = new UnmanagedMemoryStream(this, 0, _size, FileAccess.Write);
            var counted = new CountingStream(memory, tensor.Name, _size);
            tensor.Write(counted);
            counted.CheckComplete();
        }

        public void WriteTo(Stream stream)
        {
            using var memory = new UnmanagedMemoryStream(this, 0, _size, FileAccess.Read);
            memory.CopyTo(stream, 1 << 20);
        }

        protected override bool ReleaseHandle()
        {
            Marshal.FreeHGlobal(handle);
            return true;
        }
    }
}
