using System.Runtime.CompilerServices;

namespace StableTune.Formats;

/// <summary>Copies elements that do not lie one after another: transposed, expanded, or every so many.</summary>
internal static class TensorGather
{
    /// <summary>Fills the destination with bytes of the tensor's row-major form.</summary>
    /// <param name="place">The tensor.</param>
    /// <param name="origin">The address of the storage's first byte; every element of the tensor lies in memory that may be read.</param>
    /// <param name="destination">Is filled.</param>
    /// <param name="offset">The first byte of the row-major form to copy.</param>
    public static unsafe void Copy(TensorPlace place, nint origin, Span<byte> destination, long offset)
    {
        var size = place.Type.Size();
        var (shape, strides) = Merge(place);
        var run = shape.Length > 0 && strides[^1] == 1 ? shape[^1] : 1;           // elements that lie one after another
        while (destination.Length > 0)
        {
            var (index, skipped) = Math.DivRem(offset, size);
            var source = (byte*)origin + (Locate(place.First, shape, strides, index) * size) + skipped;
            var available = ((run - (index % run)) * size) - skipped;
            var count = (int)Math.Min(available, destination.Length);
            if (run == 1 && skipped == 0 && destination.Length >= size && shape.Length > 0)
            {
                count = CopyRow(source, destination, size, shape[^1] - (index % shape[^1]), strides[^1]);
            }
            else
            {
                new ReadOnlySpan<byte>(source, count).CopyTo(destination);
            }

            destination = destination[count..];
            offset += count;
        }
    }

    /// <summary>Copies the rest of an innermost row, as far as it fits.</summary>
    /// <returns>The number of bytes.</returns>
    private static unsafe int CopyRow(byte* source, Span<byte> destination, int size, long left, long stride)
    {
        var count = (int)Math.Min(left, destination.Length / size);
        fixed (byte* target = destination)
        {
            switch (size)
            {
                case 1: for (var i = 0; i < count; i++) target[i] = source[i * stride]; break;
                case 2: for (var i = 0; i < count; i++) Unsafe.CopyBlockUnaligned(target + (i * 2), source + (i * stride * 2), 2); break;
                case 4: for (var i = 0; i < count; i++) Unsafe.CopyBlockUnaligned(target + (i * 4), source + (i * stride * 4), 4); break;
                default: for (var i = 0; i < count; i++) Unsafe.CopyBlockUnaligned(target + (i * 8), source + (i * stride * 8), 8); break;
            }
        }

        return count * size;
    }

    /// <summary>Joins dimensions that lie as one, and leaves out those of size 1.</summary>
    private static (long[] Shape, long[] Strides) Merge(TensorPlace place)
    {
        var shape = new List<long>();
        var strides = new List<long>();
        for (var i = 0; i < place.Shape.Length; i++)
        {
            if (place.Shape[i] == 1) continue;
            if (shape.Count > 0 && (Int128)place.Strides[i] * place.Shape[i] == strides[^1])
            {
                shape[^1] *= place.Shape[i];
                strides[^1] = place.Strides[i];
                continue;
            }

            shape.Add(place.Shape[i]);
            strides.Add(place.Strides[i]);
        }

        return ([.. shape], [.. strides]);
    }

    private static long Locate(long first, long[] shape, long[] strides, long index)
    {
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            (index, var here) = Math.DivRem(index, shape[i]);
            first += here * strides[i];
        }

        return first;
    }
}
