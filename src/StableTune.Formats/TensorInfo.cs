namespace StableTune.Formats;

/// <summary>What a file's header says about one tensor; checked against the file when it was opened.</summary>
/// <param name="Name">The tensor's name, unique in the file.</param>
/// <param name="DType">The element type.</param>
/// <param name="Shape">The sizes, outermost first; empty for a scalar. None is negative, any may be 0.</param>
/// <param name="Begin">Where the first byte lies, counted from the start of the file's data (behind the header).</param>
/// <param name="End">Where the byte behind the last one lies, counted as <paramref name="Begin"/>.</param>
public sealed record TensorInfo(string Name, TensorDType DType, IReadOnlyList<long> Shape, long Begin, long End)
{
    /// <summary>The size of the data in bytes.</summary>
    public long ByteCount => End - Begin;

    /// <summary>The number of elements.</summary>
    public long ElementCount => ByteCount / DType.Size();

    /// <summary>For messages: <c>F16 [320, 4, 3, 3]</c>.</summary>
    public override string ToString() => $"{DType.Name()} [{string.Join(", ", Shape)}]";

    /// <summary>The size in bytes of a tensor, or null when it does not fit into 63 bits or a size is negative.</summary>
    internal static long? SizeOf(TensorDType type, IReadOnlyList<long> shape)
    {
        // Zeros are left out until the end: a header with [0, 2^62, 2^62] has no bytes, but its strides would overflow.
        long size = type.Size();
        foreach (var length in shape)
        {
            if (length < 0) return null;
            if (Math.BigMul((ulong)size, (ulong)Math.Max(length, 1), out var low) != 0 || low > long.MaxValue) return null;
            size = (long)low;
        }

        return shape.Contains(0) ? 0 : size;
    }
}
