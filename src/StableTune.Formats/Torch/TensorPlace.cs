namespace StableTune.Formats;

/// <summary>Where a tensor's elements lie in a storage; the last of them lies within the storage.</summary>
/// <param name="Type">The element type.</param>
/// <param name="Shape">The sizes, outermost first.</param>
/// <param name="Strides">How many elements of the storage lie between neighbours, per dimension; 0 or more.</param>
/// <param name="First">The place of the first element, in elements.</param>
/// <param name="Storage">The storage.</param>
/// <param name="ByteCount">The number of bytes of all elements, row by row.</param>
internal sealed record TensorPlace(TensorDType Type, long[] Shape, long[] Strides, long First, TensorStorage Storage, long ByteCount)
{
    /// <summary>The most dimensions a tensor may have, as in a safetensors header.</summary>
    public const int MaximumDimensions = 64;

    /// <summary>Where in the file the first element lies; meaningful once the storage is found, and lies in the file.</summary>
    public long Offset => Storage.Stored.Offset + (First * Type.Size());

    /// <summary>Whether the elements lie one after another, row by row.</summary>
    public bool IsContiguous
    {
        get
        {
            var expected = 1L;
            for (var i = Shape.Length - 1; i >= 0; i--)
            {
                if (Shape[i] == 0) return true;
                if (Shape[i] != 1 && Strides[i] != expected) return false;
                expected *= Shape[i];
            }

            return true;
        }
    }

    /// <summary>The place, or null when it is impossible: a negative number, an overflow, or an element outside the storage.</summary>
    public static TensorPlace? Create(TensorDType type, long[] shape, long[] strides, long first, TensorStorage storage)
    {
        if (shape.Length != strides.Length || shape.Length > MaximumDimensions || first < 0) return null;
        if (TensorInfo.SizeOf(type, shape) is not { } size) return null;
        var last = (Int128)first;      // 64 products of 63-bit numbers fit easily
        for (var i = 0; i < shape.Length; i++)
        {
            if (strides[i] < 0) return null;
            last += (Int128)strides[i] * (shape[i] - 1);
        }

        // Python objects of no elements may point anywhere: nothing is read from there.
        if (size > 0 && (last + 1) * type.Size() > storage.ByteCount) return null;
        return new TensorPlace(type, shape, strides, size == 0 ? 0 : first, storage, size);
    }

    /// <summary>The strides of elements that lie one after another, row by row.</summary>
    public static long[] RowMajor(long[] shape)
    {
        var strides = new long[shape.Length];
        var step = 1L;
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            strides[i] = step;
            step = unchecked(step * Math.Max(shape[i], 1));     // overflows only where a size is 0 or the place is refused
        }

        return strides;
    }

    public override string ToString() => $"{Type.Name()} [{string.Join(", ", Shape)}]";
}
