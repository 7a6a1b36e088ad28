using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace StableTune.Imaging;

/// <summary>
/// Means of areas whose borders lie within pixels: OpenCV's float32 sums in OpenCV's order, four channels of four rows at once, as all
/// rows share the weights of
/// their columns.
/// </summary>
internal sealed class FractionalAreaResampler : AreaResampler
{
    private const int Lanes = 4, Group = InterleavedRows.Count;

    private readonly AreaWeights _columns, _rows;
    private readonly int _step, _interleavedLength, _length;
    private readonly byte[] _interleaved;
    private readonly float[] _sums;
    private int _y;

    internal FractionalAreaResampler(int width, int step, AreaWeights columns, AreaWeights rows, PixelImage result) : base(result)
    {
        (_columns, _rows, _step) = (columns, rows, step);
        (_interleavedLength, _length) = ((width + columns.Taps) * Lanes * Group, result.Width * Lanes);
        _interleaved = ArrayPool<byte>.Shared.Rent(_interleavedLength);
        _sums = ArrayPool<float>.Shared.Rent((Group + 1) * _length);
        _interleaved.AsSpan(width * Lanes * Group, columns.Taps * Lanes * Group).Clear();     // shares of 0 reach beyond the last column
        Sum.Clear();
    }

    /// <summary>The weighted sums of columns, row by row.</summary>
    private Span<float> Rows => _sums.AsSpan(0, Group * _length);

    /// <summary>The weighted sums of such rows.</summary>
    private Span<float> Sum => _sums.AsSpan(Group * _length, _length);

    public override void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_interleaved);
        ArrayPool<float>.Shared.Return(_sums);
    }

    internal override void Take(int y, ReadOnlySpan<byte> rows, int stride)
    {
        for (; rows.Length > 0 && _y < Result.Height; y += Group, rows = rows[Math.Min(Group * stride, rows.Length)..])
        {
            var taken = Math.Min(rows.Length / stride, Group);
            if (y + taken <= _rows.First[_y]) continue;
            // Where fewer are left, the last one stands for the others; what comes of these is not looked at.
            InterleavedRows.Write(rows, stride, taken, _step, _interleaved.AsSpan(0, _interleavedLength));
            Gather(_interleaved, _columns, Rows, _length);
            for (var i = 0; i < taken; i++) Accumulate(y + i, Rows.Slice(i * _length, _length));
        }
    }

    /// <summary>A row on the border of two areas belongs to both.</summary>
    private void Accumulate(int y, ReadOnlySpan<float> row)
    {
        while (_y < Result.Height && y >= _rows.First[_y])
        {
            var shares = _rows.Shares.AsSpan(_y * _rows.Taps, _rows.Taps);
            var k = y - _rows.First[_y];
            Add(row, shares[k], Sum);
            if (k + 1 < shares.Length && shares[k + 1] != 0) return;
            Store(Sum, Result.Channels, Result.Row(_y++));
            Sum.Clear();
        }
    }

    /// <summary>The weighted sums of the pixels of a group of rows.</summary>
    private static void Gather(ReadOnlySpan<byte> interleaved, AreaWeights columns, Span<float> rows, int length)
    {
        ref var source = ref MemoryMarshal.GetReference(interleaved);
        ref var target = ref MemoryMarshal.GetReference(rows);
        ref var weight = ref MemoryMarshal.GetArrayDataReference(columns.Shares);
        var taps = columns.Taps;
        foreach (var first in columns.First)
        {
            ref var pixel = ref Unsafe.Add(ref source, first * Lanes * Group);
            var (upper, lower) = Avx512F.IsSupported ? Wide(ref pixel, ref weight, taps) : Halves(ref pixel, ref weight, taps);
            upper.GetLower().StoreUnsafe(ref target);
            upper.GetUpper().StoreUnsafe(ref target, (nuint)length);
            lower.GetLower().StoreUnsafe(ref target, (nuint)(2 * length));
            lower.GetUpper().StoreUnsafe(ref target, (nuint)(3 * length));
            target = ref Unsafe.Add(ref target, Lanes);
            weight = ref Unsafe.Add(ref weight, taps);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float> Upper, Vector256<float> Lower) Wide(ref byte pixel, ref float weight, int taps)
    {
        var sum = InterleavedRows.Floats(ref pixel) * weight;
        for (var k = 1; k < taps; k++)
            sum += InterleavedRows.Floats(ref Unsafe.Add(ref pixel, k * Lanes * Group)) * Unsafe.Add(ref weight, k);
        return (sum.GetLower(), sum.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float> Upper, Vector256<float> Lower) Halves(ref byte pixel, ref float weight, int taps)
    {
        var (upper, lower) = InterleavedRows.HalfFloats(ref pixel);
        (upper, lower) = (upper * weight, lower * weight);
        for (var k = 1; k < taps; k++)
        {
            var (above, below) = InterleavedRows.HalfFloats(ref Unsafe.Add(ref pixel, k * Lanes * Group));
            upper += above * Unsafe.Add(ref weight, k);
            lower += below * Unsafe.Add(ref weight, k);
        }

        return (upper, lower);
    }

    private static void Add(ReadOnlySpan<float> row, float share, Span<float> sum)
    {
        ref var source = ref MemoryMarshal.GetReference(row);
        ref var target = ref MemoryMarshal.GetReference(sum);
        var i = 0;
        for (; i <= row.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            var added = Vector.LoadUnsafe(ref source, (nuint)i) * share;
            (Vector.LoadUnsafe(ref target, (nuint)i) + added).StoreUnsafe(ref target, (nuint)i);
        }

        for (; i < row.Length; i++) sum[i] += row[i] * share;
    }

    /// <summary>Rounds half to even.</summary>
    private static void Store(ReadOnlySpan<float> sums, int channels, Span<byte> row)
    {
        for (int from = 0, to = 0; to < row.Length; from += Lanes, to += channels)
        {
            var sum = Vector128.LoadUnsafe(ref MemoryMarshal.GetReference(sums), (nuint)from);
            var value = Vector128.Min(Vector128.ConvertToInt32Native(Vector128.Round(sum)), Vector128.Create(255));
            row[to] = (byte)value[0];
            row[to + 1] = (byte)value[1];
            row[to + 2] = (byte)value[2];
            if (channels == 4) row[to + 3] = (byte)value[3];
        }
    }
}
