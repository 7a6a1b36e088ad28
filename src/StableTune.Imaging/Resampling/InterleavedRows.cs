using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace StableTune.Imaging;

/// <summary>Four rows of pixels, column by column: of each column four bytes of each row.</summary>
internal static class InterleavedRows
{
    /// <summary>Rows of a group.</summary>
    internal const int Count = 4;

    private const int Lanes = 4, Column = Count * Lanes;

    /// <summary>Interleaves rows. Where a fourth channel is missing, its place holds anything.</summary>
    /// <param name="rows">Rows without gaps.</param>
    /// <param name="stride">Bytes in a row.</param>
    /// <param name="count">1 to 4 rows; the last one stands for those that are missing.</param>
    /// <param name="step">Bytes of a pixel, 3 or 4.</param>
    /// <param name="result">Receives 16 bytes a column.</param>
    internal static void Write(ReadOnlySpan<byte> rows, int stride, int count, int step, Span<byte> result)
    {
        ref var a = ref MemoryMarshal.GetReference(rows);
        ref var b = ref Unsafe.Add(ref a, stride * Math.Min(1, count - 1));
        ref var c = ref Unsafe.Add(ref a, stride * Math.Min(2, count - 1));
        ref var d = ref Unsafe.Add(ref a, stride * Math.Min(3, count - 1));
        ref var target = ref MemoryMarshal.GetReference(result);
        // Four pixels at once; of three bytes each, they are first spread to four, of which the last is never looked at.
        var spread = step == 3 ? Vector128.Create((byte)0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11) : Vector128<byte>.Indices;
        var at = 0;
        for (; at <= stride - Vector128<byte>.Count; at += 4 * step, target = ref Unsafe.Add(ref target, 4 * Column))
        {
            var (first, second) = (Pixels(ref a, at, spread), Pixels(ref b, at, spread));
            var (third, fourth) = (Pixels(ref c, at, spread), Pixels(ref d, at, spread));
            var (low, high) = (Low(first, second).AsInt64(), Low(third, fourth).AsInt64());
            Low(low, high).AsByte().StoreUnsafe(ref target);
            High(low, high).AsByte().StoreUnsafe(ref target, Column);
            (low, high) = (High(first, second).AsInt64(), High(third, fourth).AsInt64());
            Low(low, high).AsByte().StoreUnsafe(ref target, 2 * Column);
            High(low, high).AsByte().StoreUnsafe(ref target, 3 * Column);
        }

        for (; at < stride; at += step, target = ref Unsafe.Add(ref target, Column))
            for (var channel = 0; channel < step; channel++)
            {
                Unsafe.Add(ref target, channel) = Unsafe.Add(ref a, at + channel);
                Unsafe.Add(ref target, Lanes + channel) = Unsafe.Add(ref b, at + channel);
                Unsafe.Add(ref target, (2 * Lanes) + channel) = Unsafe.Add(ref c, at + channel);
                Unsafe.Add(ref target, (3 * Lanes) + channel) = Unsafe.Add(ref d, at + channel);
            }
    }

    /// <summary>A column as floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> Floats(ref byte column)
        => Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.LoadUnsafe(ref column)));

    /// <summary>A column as floats, two rows and two rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static (Vector256<float> Upper, Vector256<float> Lower) HalfFloats(ref byte column)
    {
        var (upper, lower) = Vector128.Widen(Vector128.LoadUnsafe(ref column));
        return (Vector256.ConvertToSingle(Integers(upper)), Vector256.ConvertToSingle(Integers(lower)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Integers(Vector128<ushort> values) => Avx2.IsSupported ? Avx2.ConvertToVector256Int32(values)
        : Vector256.Create(Vector128.WidenLower(values), Vector128.WidenUpper(values)).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Pixels(ref byte row, int at, Vector128<byte> spread)
        => Vector128.ShuffleNative(Vector128.LoadUnsafe(ref row, (nuint)at), spread).AsInt32();

    /// <summary>The lower elements of both, in turn.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Low(Vector128<int> left, Vector128<int> right) => Sse2.IsSupported ? Sse2.UnpackLow(left, right)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(left, right) : Vector128.Create(left[0], right[0], left[1], right[1]);

    /// <summary>The upper elements of both, in turn.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> High(Vector128<int> left, Vector128<int> right) => Sse2.IsSupported ? Sse2.UnpackHigh(left, right)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(left, right) : Vector128.Create(left[2], right[2], left[3], right[3]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<long> Low(Vector128<long> left, Vector128<long> right) => Sse2.IsSupported ? Sse2.UnpackLow(left, right)
        : Vector128.Create(left.GetLower(), right.GetLower());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<long> High(Vector128<long> left, Vector128<long> right) => Sse2.IsSupported ? Sse2.UnpackHigh(left, right)
        : Vector128.Create(left.GetUpper(), right.GetUpper());
}
