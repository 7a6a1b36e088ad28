using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace StableTune.Imaging;

/// <summary>
/// Resizing between neighbours, not antialiased, bit for bit as OpenCV's INTER_LINEAR, INTER_CUBIC, and INTER_AREA where a side grows:
/// columns first, in integers of 11 fractional bits, then rows.
/// </summary>
internal static class FixedPointResampler
{
    private const int Lanes = 4;

    /// <summary>Bits of a sum of rows.</summary>
    private const int Precision = 2 * FixedPointWeights.Precision;

    /// <summary>As many values of a row as OpenCV blends at once; what is left at a row's end it rounds otherwise.</summary>
    private const int Group = 8;

    internal static PixelImage Linear(PixelImage image, int width, int height)
    {
        // OpenCV's rule: a half in both directions is the mean of four.
        if (image.Width == 2 * width && image.Height == 2 * height)
            return AreaResampler.Resize(PixelView.Of(image), new(width, height), new(0, 0, width, height), image.Channels);
        return Resize(image, FixedPointWeights.Linear(image.Width, width, clampsEdges: true),
            FixedPointWeights.Linear(image.Height, height, clampsEdges: false));
    }

    internal static PixelImage Cubic(PixelImage image, int width, int height)
        => Resize(image, FixedPointWeights.Cubic(image.Width, width), FixedPointWeights.Cubic(image.Height, height));

    /// <summary>INTER_AREA where a side grows: OpenCV takes two neighbours then, in both directions.</summary>
    internal static PixelImage GrowingArea(PixelImage image, int width, int height)
        => Resize(image, FixedPointWeights.Area(image.Width, width, clampsEdges: true),
            FixedPointWeights.Area(image.Height, height, clampsEdges: false));

    private static PixelImage Resize(PixelImage image, FixedPointWeights columns, FixedPointWeights rows)
    {
        var result = PixelImage.Uninitialized(columns.First.Length, rows.First.Length, image.Channels);
        var (taps, length, padding) = (rows.Taps, result.Stride + Lanes, columns.Taps * Lanes);
        var memory = ArrayPool<int>.Shared.Rent((image.Width * Lanes) + (2 * padding) + (taps * length));
        try
        {
            var wide = memory.AsSpan(0, (image.Width * Lanes) + (2 * padding));
            var blended = memory.AsSpan(wide.Length, taps * length);
            Span<int> kept = stackalloc int[taps];
            kept.Fill(-1);
            for (var y = 0; y < result.Height; y++)
            {
                for (var k = 0; k < taps; k++)
                {
                    var source = Math.Clamp(rows.First[y] + k, 0, image.Height - 1);
                    if (kept[source % taps] == source) continue;
                    kept[source % taps] = source;
                    Widen(image.Row(source), image.Channels, wide, columns.Taps);
                    Gather(wide, columns, image.Channels, blended.Slice(source % taps * length, length));
                }

                var neighbours = new Neighbours(blended, length, rows.First[y], image.Height, taps);
                if (taps == 2) BlendTwo(neighbours, rows.Weights.AsSpan(2 * y, 2), result.Row(y));
                else BlendFour(neighbours, rows.Weights.AsSpan(4 * y, 4), result.Row(y));
            }
        }
        finally
        {
            ArrayPool<int>.Shared.Return(memory);
        }

        return result;
    }

    /// <summary>
    /// A row as four integers a pixel; as many pixels of its edges before and behind it as a place of the result has weights.
    /// </summary>
    private static void Widen(ReadOnlySpan<byte> row, int channels, Span<int> wide, int padding)
    {
        var to = padding * Lanes;
        for (var from = 0; from < row.Length; from += channels, to += Lanes)
        {
            (wide[to], wide[to + 1], wide[to + 2]) = (row[from], row[from + 1], row[from + 2]);
            wide[to + 3] = channels == 4 ? row[from + 3] : 0;
        }

        for (var i = 0; i < padding; i++)
        {
            wide.Slice(padding * Lanes, Lanes).CopyTo(wide[(i * Lanes)..]);
            wide.Slice(to - Lanes, Lanes).CopyTo(wide[(to + (i * Lanes))..]);
        }
    }

    /// <summary>The weighted sums of a row's pixels, without gaps.</summary>
    private static void Gather(ReadOnlySpan<int> wide, FixedPointWeights columns, int channels, Span<int> row)
    {
        ref var source = ref MemoryMarshal.GetReference(wide);
        ref var target = ref MemoryMarshal.GetReference(row);
        ref var weight = ref MemoryMarshal.GetArrayDataReference(columns.Weights);
        var taps = columns.Taps;
        foreach (var first in columns.First)
        {
            ref var pixel = ref Unsafe.Add(ref source, (first + taps) * Lanes);
            var sum = (Vector128.LoadUnsafe(ref pixel) * weight) + (Vector128.LoadUnsafe(ref pixel, Lanes) * Unsafe.Add(ref weight, 1));
            if (taps == 4)
                sum += (Vector128.LoadUnsafe(ref pixel, 2 * Lanes) * Unsafe.Add(ref weight, 2))
                    + (Vector128.LoadUnsafe(ref pixel, 3 * Lanes) * Unsafe.Add(ref weight, 3));
            // Of three channels the fourth value is written over by the next pixel.
            sum.StoreUnsafe(ref target);
            target = ref Unsafe.Add(ref target, channels);
            weight = ref Unsafe.Add(ref weight, taps);
        }
    }

    private static void BlendTwo(Neighbours rows, ReadOnlySpan<int> weights, Span<byte> result)
    {
        ref int upper = ref rows[0], lower = ref rows[1];
        ref var target = ref MemoryMarshal.GetReference(result);
        var x = 0;
        for (; x <= result.Length - Vector128<byte>.Count; x += Vector128<byte>.Count)
        {
            var low = Vector128.Narrow(Two(ref upper, ref lower, x, weights), Two(ref upper, ref lower, x + 4, weights));
            var high = Vector128.Narrow(Two(ref upper, ref lower, x + 8, weights), Two(ref upper, ref lower, x + 12, weights));
            Vector128.Narrow(low.AsUInt16(), high.AsUInt16()).StoreUnsafe(ref target, (nuint)x);
        }

        for (; x < result.Length; x++)
            result[x] = (byte)((((weights[0] * (Unsafe.Add(ref upper, x) >> 4)) >> 16)
                + ((weights[1] * (Unsafe.Add(ref lower, x) >> 4)) >> 16) + 2) >> 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Two(ref int upper, ref int lower, int x, ReadOnlySpan<int> weights)
    {
        var above = ((Vector128.LoadUnsafe(ref upper, (nuint)x) >> 4) * weights[0]) >> 16;
        var below = ((Vector128.LoadUnsafe(ref lower, (nuint)x) >> 4) * weights[1]) >> 16;
        return (above + below + Vector128.Create(2)) >> 2;
    }

    /// <summary>In floats, halves rounded to even; the last few values of a row in integers, halves rounded up.</summary>
    private static void BlendFour(Neighbours rows, ReadOnlySpan<int> weights, Span<byte> result)
    {
        ref int a = ref rows[0], b = ref rows[1], c = ref rows[2], d = ref rows[3];
        const float scale = 1f / (1 << Precision);
        var (p, q, r, s) = (weights[0] * scale, weights[1] * scale, weights[2] * scale, weights[3] * scale);
        var x = 0;
        for (; x < result.Length - (result.Length % Group); x += Lanes)
        {
            var sum = (Floats(ref a, x) * p) + ((Floats(ref b, x) * q) + ((Floats(ref c, x) * r) + (Floats(ref d, x) * s)));
            var value = Vector128.Clamp(Vector128.ConvertToInt32Native(Vector128.Round(sum)), Vector128<int>.Zero, Vector128.Create(255));
            (result[x], result[x + 1], result[x + 2], result[x + 3]) = ((byte)value[0], (byte)value[1], (byte)value[2], (byte)value[3]);
        }

        for (; x < result.Length; x++)
        {
            var sum = (Unsafe.Add(ref a, x) * weights[0]) + (Unsafe.Add(ref b, x) * weights[1]) + (Unsafe.Add(ref c, x) * weights[2])
                + (Unsafe.Add(ref d, x) * weights[3]);
            result[x] = (byte)Math.Clamp((sum + (1 << (Precision - 1))) >> Precision, 0, 255);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Floats(ref int row, int x) => Vector128.ConvertToSingle(Vector128.LoadUnsafe(ref row, (nuint)x));

    /// <summary>The rows that one row of the result is blended from; beyond the picture its edge stands for them.</summary>
    private readonly ref struct Neighbours(Span<int> rows, int length, int first, int height, int taps)
    {
        private readonly Span<int> _rows = rows;

        internal ref int this[int k] => ref _rows[Math.Clamp(first + k, 0, height - 1) % taps * length];
    }
}
