using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace StableTune.Imaging;

/// <summary>Means of areas whose borders lie within pixels: OpenCV's float32 sums in OpenCV's order, four channels at once.</summary>
internal sealed class FractionalAreaResampler : AreaResampler
{
    private const int Lanes = 4;

    private readonly AreaWeights _columns, _rows;
    private readonly int _step, _wideLength, _length;
    private readonly float[] _memory;
    private int _y;

    internal FractionalAreaResampler(int width, int step, AreaWeights columns, AreaWeights rows, PixelImage result) : base(result)
    {
        (_columns, _rows, _step) = (columns, rows, step);
        (_wideLength, _length) = ((width + columns.Taps) * Lanes, result.Width * Lanes);
        _memory = ArrayPool<float>.Shared.Rent(_wideLength + (2 * _length));
        _memory.AsSpan(width * Lanes, columns.Taps * Lanes).Clear();         // shares of 0 reach beyond the last column
        Sum.Clear();
    }

    /// <summary>A row of the picture.</summary>
    private Span<float> Wide => _memory.AsSpan(0, _wideLength);

    /// <summary>The weighted sums of its columns.</summary>
    private Span<float> Row => _memory.AsSpan(_wideLength, _length);

    /// <summary>The weighted sums of such rows.</summary>
    private Span<float> Sum => _memory.AsSpan(_wideLength + _length, _length);

    public override void Dispose() => ArrayPool<float>.Shared.Return(_memory);

    /// <summary>A row on the border of two areas belongs to both.</summary>
    protected override void Take(int y, ReadOnlySpan<byte> row)
    {
        for (var isGathered = false; _y < Result.Height && y >= _rows.First[_y]; isGathered = true)
        {
            if (!isGathered)
            {
                Widen(row, _step, Wide);
                Gather(Wide, _columns, Row);
            }

            var shares = _rows.Shares.AsSpan(_y * _rows.Taps, _rows.Taps);
            var k = y - _rows.First[_y];
            Add(Row, shares[k], Sum);
            if (k + 1 < shares.Length && shares[k + 1] != 0) return;
            Store(Sum, Result.Channels, Result.Row(_y++));
            Sum.Clear();
        }
    }

    /// <summary>A row as four floats a pixel.</summary>
    private static void Widen(ReadOnlySpan<byte> bytes, int step, Span<float> wide)
    {
        ref var source = ref MemoryMarshal.GetReference(bytes);
        ref var target = ref MemoryMarshal.GetReference(wide);
        var (x, at) = (0, 0);
        // Four pixels at once; of three bytes each, they are first spread to four, of which the last is never looked at.
        var spread = step == 3 ? Vector128.Create((byte)0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11) : Vector128<byte>.Indices;
        for (; at <= bytes.Length - Vector128<byte>.Count; x += 4 * Lanes, at += 4 * step)
        {
            var pixels = Vector128.Shuffle(Vector128.LoadUnsafe(ref source, (nuint)at), spread);
            if (Avx512F.IsSupported)
            {
                Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(pixels)).StoreUnsafe(ref target, (nuint)x);
                continue;
            }

            var (low, high) = Vector128.Widen(pixels);
            Vector128.ConvertToSingle(Vector128.WidenLower(low).AsInt32()).StoreUnsafe(ref target, (nuint)x);
            Vector128.ConvertToSingle(Vector128.WidenUpper(low).AsInt32()).StoreUnsafe(ref target, (nuint)(x + 4));
            Vector128.ConvertToSingle(Vector128.WidenLower(high).AsInt32()).StoreUnsafe(ref target, (nuint)(x + 8));
            Vector128.ConvertToSingle(Vector128.WidenUpper(high).AsInt32()).StoreUnsafe(ref target, (nuint)(x + 12));
        }

        for (; at < bytes.Length; x += Lanes, at += step)
        {
            (wide[x], wide[x + 1], wide[x + 2]) = (bytes[at], bytes[at + 1], bytes[at + 2]);
            wide[x + 3] = step == 4 ? bytes[at + 3] : 0;
        }
    }

    /// <summary>The weighted sums of a row's pixels.</summary>
    private static void Gather(ReadOnlySpan<float> wide, AreaWeights columns, Span<float> row)
    {
        ref var source = ref MemoryMarshal.GetReference(wide);
        ref var target = ref MemoryMarshal.GetReference(row);
        ref var share = ref MemoryMarshal.GetArrayDataReference(columns.Shares);
        var (first, taps) = (columns.First, columns.Taps);
        for (int x = 0, at = 0; x < first.Length; x++, at += taps)
        {
            ref var pixel = ref Unsafe.Add(ref source, first[x] * Lanes);
            ref var weight = ref Unsafe.Add(ref share, at);
            // Three at least are the rule while sides shrink; written out, because they are too few for a loop.
            var (sum, k) = (Vector128.LoadUnsafe(ref pixel) * weight, 1);
            if (taps > 2)
            {
                sum += Vector128.LoadUnsafe(ref pixel, Lanes) * Unsafe.Add(ref weight, 1);
                sum += Vector128.LoadUnsafe(ref pixel, 2 * Lanes) * Unsafe.Add(ref weight, 2);
                k = 3;
            }

            for (; k < taps; k++) sum += Vector128.LoadUnsafe(ref pixel, (nuint)(k * Lanes)) * Unsafe.Add(ref weight, k);
            sum.StoreUnsafe(ref target, (nuint)(x * Lanes));
        }
    }

    private static void Add(ReadOnlySpan<float> row, float share, Span<float> sum)
    {
        ref var source = ref MemoryMarshal.GetReference(row);
        ref var target = ref MemoryMarshal.GetReference(sum);
        var i = 0;
        for (; i <= row.Length - Vector<float>.Count; i += Vector<float>.Count)
            (Vector.LoadUnsafe(ref target, (nuint)i) + (Vector.LoadUnsafe(ref source, (nuint)i) * share)).StoreUnsafe(ref target, (nuint)i);
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
