using System.Runtime.InteropServices;

namespace StableTune.Formats;

/// <summary>
/// Memory for copies that are made again and again, such as those of each save: fetching it anew from the system takes longer than filling
/// it. It is not the garbage collector's.
/// </summary>
/// <param name="mostKept">What is kept while nobody uses it, in bytes; more is given back at once.</param>
public sealed class CopyMemory(long mostKept) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<MemoryBlock> _free = [];
    private long _kept;
    private bool _disposed;

    /// <summary>Memory of at least this size; what was in it is still there.</summary>
    internal MemoryBlock Rent(long size)
    {
        lock (_lock)
        {
            // Not much larger, so that small copies do not hold large memory.
            if (_free.Where(block => block.Size >= size && block.Size <= 2 * size).MinBy(block => block.Size) is { } found)
            {
                _free.Remove(found);
                _kept -= found.Size;
                return found;
            }
        }

        return new MemoryBlock(size);
    }

    /// <summary>Takes memory back.</summary>
    internal void Return(MemoryBlock block)
    {
        lock (_lock)
        {
            if (!_disposed && _kept + block.Size <= mostKept)
            {
                _free.Add(block);
                _kept += block.Size;
                return;
            }
        }

        block.Dispose();
    }

    /// <summary>Gives back what is kept; what is in use is given back when it is returned.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var block in _free) block.Dispose();
            _free.Clear();
            (_kept, _disposed) = (0, true);
        }
    }
}

/// <summary>A piece of memory of the system.</summary>
internal sealed class MemoryBlock : SafeBuffer
{
    public MemoryBlock(long size) : base(ownsHandle: true)
    {
        Size = size;
        SetHandle(Marshal.AllocHGlobal(checked((nint)size)));
        Initialize((ulong)size);
    }

    /// <summary>In bytes.</summary>
    public long Size { get; }

    protected override bool ReleaseHandle()
    {
        Marshal.FreeHGlobal(handle);
        return true;
    }
}
