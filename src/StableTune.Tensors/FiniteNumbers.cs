using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using StableTune.Formats;

namespace StableTune.Tensors;

/// <summary>Finds NaN and infinities in tensors, which ruin everything that is computed with them.</summary>
public static class FiniteNumbers
{
    private const int ChunkBytes = 1 << 20;
    private const ushort HalfExponent = 0x7C00, BrainExponent = 0x7F80;
    private const uint SingleExponent = 0x7F80_0000;
    private const ulong DoubleExponent = 0x7FF0_0000_0000_0000;

    /// <summary>Says which numbers of a tensor are NaN or infinite.</summary>
    /// <param name="tensor">Any tensor; those of whole numbers, and those without memory, have none.</param>
    /// <returns>"3 of 4096 numbers are NaN or infinite, the first at [0, 5]"; null where all are finite.</returns>
    public static string? Fault(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (!tensor.dtype.IsFloat() || tensor.device.type == DeviceType.META || tensor.numel() == 0) return null;
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        // One pass without a temporary. A sum of finite numbers may overflow, so it only acquits.
        if (double.IsFinite(tensor.sum(type: ScalarType.Float32).ToDouble())) return null;
        var broken = tensor.isfinite().logical_not().flatten();
        var count = broken.sum().ToInt64();
        return count == 0 ? null : Words(count, tensor.shape, broken.to(ScalarType.Byte).argmax().ToInt64());
    }

    /// <summary>As <see cref="Fault(Tensor)"/>, of a tensor in a file, of which a megabyte at a time is read.</summary>
    /// <param name="file">The file.</param>
    /// <param name="info">One of its tensors; 8-bit floats are passed over.</param>
    /// <param name="cancellationToken">Looked at every megabyte.</param>
    /// <exception cref="InvalidFileException">The file became shorter since it was opened.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static string? Fault(ITensorFile file, TensorInfo info, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(info);
        if (info.DType is not (TensorDType.F16 or TensorDType.BF16 or TensorDType.F32 or TensorDType.F64)) return null;
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(info.ByteCount, ChunkBytes));
        try
        {
            var (count, first) = (0L, -1L);
            var size = info.DType.Size();
            for (long begin = 0, length; begin < info.ByteCount; begin += length)
            {
                cancellationToken.ThrowIfCancellationRequested();
                length = Math.Min(ChunkBytes, info.ByteCount - begin);
                var bytes = buffer.AsSpan(0, (int)length);
                file.Read(info, bytes, begin);
                var (found, at) = Broken(bytes, info.DType);
                if (found > 0 && first < 0) first = (begin / size) + at;
                count += found;
            }

            return count == 0 ? null : Words(count, info.Shape, first);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Whether all numbers of a piece of memory are finite; always so of whole numbers.</summary>
    internal static bool AreAll(ReadOnlySpan<byte> bytes, ScalarType type) => type switch
    {
        ScalarType.Float16 => AreAll<ushort>(bytes, HalfExponent),
        ScalarType.BFloat16 => AreAll<ushort>(bytes, BrainExponent),
        ScalarType.Float32 => AreAll<uint>(bytes, SingleExponent),
        ScalarType.Float64 => AreAll<ulong>(bytes, DoubleExponent),
        _ => true,
    };

    /// <summary>The tensor itself, if all its numbers are finite.</summary>
    /// <param name="path">The file that it comes from.</param>
    /// <param name="name">Its name there.</param>
    /// <param name="tensor">The tensor.</param>
    /// <exception cref="InvalidFileException">Some numbers are NaN or infinite; the message counts them and names the first.</exception>
    public static Tensor Checked(string path, string name, Tensor tensor) =>
        Fault(tensor) is not { } fault ? tensor : throw Broken(path, name, fault);

    /// <summary>The error of a file with such numbers.</summary>
    /// <param name="path">The file.</param>
    /// <param name="name">The tensor's name there.</param>
    /// <param name="fault">What <see cref="Fault(Tensor)"/> says.</param>
    public static InvalidFileException Broken(string path, string name, string fault) => new(
        path, $"the tensor '{name}' is broken: {fault}.",
        "The training that made it diverged, or the file was damaged: take an earlier save, or get the file again.");

    /// <summary>The error of a tensor that was loaded and holds such numbers: the file does, or they are too large for the type that it was
    /// loaded in.</summary>
    /// <param name="file">The file.</param>
    /// <param name="stored">The tensor there.</param>
    /// <param name="name">Its name for the message.</param>
    /// <param name="loaded">What was made of it.</param>
    /// <param name="remedy">What helps where the type is too narrow.</param>
    /// <param name="part">The part of a model that it belongs to, such as "unet"; null for none.</param>
    /// <param name="cancellationToken">Looked at every megabyte of the file.</param>
    /// <exception cref="InvalidFileException">The file became shorter since it was opened.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static InvalidFileException Broken(
        WeightFile file, TensorInfo stored, string name, Tensor loaded, string remedy, string? part = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(stored);
        ArgumentNullException.ThrowIfNull(loaded);
        var fault = Fault(loaded) ?? "numbers are NaN or infinite";
        if (Fault(file.Source, stored, cancellationToken) is not null) return Broken(file.Path, name, fault);
        var whose = part is null ? "" : $" of the {part}";
        return new InvalidFileException(
            file.Path, $"'{name}'{whose} does not fit into {loaded.dtype}: {fault}; the file has it as {stored}.", remedy);
    }

    /// <summary>Not finite is what has all bits of the exponent.</summary>
    private static (long Count, int First) Broken(ReadOnlySpan<byte> bytes, TensorDType type) => type switch
    {
        TensorDType.F16 => Count<ushort>(bytes, HalfExponent),
        TensorDType.BF16 => Count<ushort>(bytes, BrainExponent),
        TensorDType.F32 => Count<uint>(bytes, SingleExponent),
        _ => Count<ulong>(bytes, DoubleExponent),
    };

    private static bool AreAll<T>(ReadOnlySpan<byte> bytes, T exponent) where T : unmanaged, IBinaryInteger<T>
    {
        var numbers = MemoryMarshal.Cast<byte, T>(bytes);
        var vectors = MemoryMarshal.Cast<T, Vector<T>>(numbers);
        var all = new Vector<T>(exponent);
        foreach (var vector in vectors)
            if (Vector.EqualsAny(vector & all, all)) return false;
        foreach (var number in numbers[(vectors.Length * Vector<T>.Count)..])
            if ((number & exponent) == exponent) return false;
        return true;
    }

    private static (long Count, int First) Count<T>(ReadOnlySpan<byte> bytes, T exponent) where T : unmanaged, IBinaryInteger<T>
    {
        var (count, first) = (0L, -1);
        if (AreAll(bytes, exponent)) return (count, first);
        var numbers = MemoryMarshal.Cast<byte, T>(bytes);
        for (var i = 0; i < numbers.Length; i++)
        {
            if ((numbers[i] & exponent) != exponent) continue;
            if (first < 0) first = i;
            count++;
        }

        return (count, first);
    }

    private static string Words(long count, IReadOnlyList<long> shape, long first)
    {
        var index = new long[shape.Count];
        var flat = first;
        for (var d = shape.Count - 1; d >= 0; d--) (flat, index[d]) = Math.DivRem(flat, shape[d]);
        return $"{count} of {shape.Aggregate(1L, (product, size) => product * size)} numbers {(count == 1 ? "is" : "are")} NaN or " +
            $"infinite, the first at [{string.Join(", ", index)}]";
    }
}
