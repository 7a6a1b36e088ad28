using System.Buffers;
using SixLabors.ImageSharp.Memory;

namespace StableTune.Imaging;

/// <summary>
/// Gives ImageSharp as much memory as decoding a picture of one size may need, and no more, whatever a damaged file says.
/// </summary>
internal sealed class LimitedAllocator : MemoryAllocator
{
    /// <summary>
    /// Tables and buffers of rows, and what a pixel may take: two images of 16 bits with four channels, and JPEG's coefficients.
    /// </summary>
    private const long Base = 16 << 20, BytesPerPixel = 32;

    private const int MostAtOnce = 1 << 22;

    private readonly long _limit;
    private long _given;

    internal LimitedAllocator(PixelSize size) => _limit = Base + (size.Area * BytesPerPixel);

    /// <inheritdoc/>
    protected override int GetBufferCapacityInBytes() => MostAtOnce;

    /// <inheritdoc/>
    public override IMemoryOwner<T> Allocate<T>(int length, AllocationOptions options = AllocationOptions.None)
    {
        var bytes = (long)length * System.Runtime.CompilerServices.Unsafe.SizeOf<T>();
        if (length < 0 || Interlocked.Add(ref _given, bytes) > _limit)
            throw new InvalidDataException($"the decoder wants more memory than a picture of the header's size can need ({_limit} bytes)");
        return new Owner<T>(new T[length], () => Interlocked.Add(ref _given, -bytes));
    }

    private sealed class Owner<T>(T[] memory, Action returned) : IMemoryOwner<T>
    {
        private int _disposed;

        public Memory<T> Memory => memory;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0) returned();
        }
    }
}
