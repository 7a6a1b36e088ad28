using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace StableTune.Imaging;

/// <summary>
/// The mean of the covered area, bit for bit OpenCV's INTER_AREA where no side grows, several times faster: the same float32 sums in the same
/// order, four channels at once. Only the part of the result that is wanted is computed.
/// </summary>
internal static class AreaResampler
{
    private const int Lanes = 4;

    /// <summary>While factors are whole, sums of columns are kept in 16 bits, and those of places in 32, as long as they fit.</summary>
    private const int MostRows = ushort.MaxValue / byte.MaxValue, MostColumns = short.MaxValue;

    /// <summary>Resizes a picture to <paramref name="resized"/> and cuts a part out of the result.</summary>
    /// <param name="from">The picture; no side may grow.</param>
    /// <param name="extent">What part of its columns and rows the picture fills: their numbers, unless it was decoded at a fraction of its size.</param>
    /// <param name="resized">The size of the whole.</param>
    /// <param name="part">The part of it that is wanted; must lie within.</param>
    /// <param name="channels">Channels of the result: 3, or as many as the picture has.</param>
    internal static PixelImage Resize(PixelView from, (double Width, double Height) extent, PixelSize resized, PixelArea part, int channels)
    {
        var result = PixelImage.Uninitialized(part.Width, part.Height, channels);
        if (extent == (from.Width, from.Height) && AreWhole(from.Size, resized)) ResizeWhole(from, from.Width / resized.Width, from.Height / resized.Height, part, result);
        else
            ResizeAny(from, new(extent.Width, from.Width, resized.Width, part.Left, part.Width), new(extent.Height, from.Height, resized.Height, part.Top, part.Height), result);
        return result;
    }

    /// <summary>OpenCV computes otherwise, in integers, where both factors are whole numbers.</summary>
    private static bool AreWhole(PixelSize from, PixelSize to) => IsWhole(AreaWeights.Scale(from.Width, to.Width)) && IsWhole(AreaWeights.Scale(from.Height, to.Height));

    private static bool IsWhole(double scale) => Math.Abs(scale - Math.Round(scale)) < Math.BitIncrement(1.0) - 1;

    private static void ResizeAny(PixelView from, AreaWeights columns, AreaWeights rows, PixelImage result)
    {
        var (wideLength, length) = ((from.Width + columns.Taps) * Lanes, result.Width * Lanes);
        var memory = ArrayPool<float>.Shared.Rent(wideLength + (2 * length));
        try
        {
            var wide = memory.AsSpan(0, wideLength);
            var row = memory.AsSpan(wideLength, length);
            var sum = memory.AsSpan(wideLength + length, length);
            wide[(from.Width * Lanes)..].Clear();                            // shares of 0 reach beyond the last column
            var kept = -1;
            for (var y = 0; y < result.Height; y++)
            {
                sum.Clear();
                for (var k = 0; k < rows.Taps; k++)
                {
                    var (share, source) = (rows.Shares[(y * rows.Taps) + k], rows.First[y] + k);
                    if (share == 0) break;
                    if (source != kept)                                      // a row on the border of two belongs to both
                    {
                        Widen(from, source, wide);
                        Gather(wide, columns, row);
                        kept = source;
                    }

                    Add(row, share, sum);
                }

                Store(sum, result.Channels, result.Row(y));
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(memory);
        }
    }

    /// <summary>A row as four floats a pixel.</summary>
    private static void Widen(PixelView from, int y, Span<float> wide)
    {
        var bytes = from.Row(y);
        var step = from.Channels;
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

    /// <summary>Whole factors: sums of integers. 2 x 2 rounds halves up, all others to even.</summary>
    private static void ResizeWhole(PixelView from, int across, int down, PixelArea part, PixelImage result)
    {
        if (down > MostRows || across > MostColumns)
        {
            ResizeVast(from, across, down, part, result);
            return;
        }

        var (step, length) = (from.Channels, part.Width * across * from.Channels);
        var (isQuarter, share) = (across == 2 && down == 2, 1f / (across * down));
        var columns = ArrayPool<ushort>.Shared.Rent(length);
        try
        {
            var sums = columns.AsSpan(0, length);
            for (var y = 0; y < part.Height; y++)
            {
                sums.Clear();
                for (var k = 0; k < down; k++) Add(from.Row(((part.Top + y) * down) + k).Slice(part.Left * across * step, length), sums);
                var row = result.Row(y);
                for (int to = 0, start = 0; to < row.Length; to += result.Channels, start += across * step)
                    for (var c = 0; c < result.Channels; c++)
                    {
                        var sum = 0;
                        for (var k = 0; k < across; k++) sum += sums[start + (k * step) + c];
                        row[to + c] = isQuarter ? (byte)((sum + 2) >> 2) : (byte)MathF.Round(sum * share);
                    }
            }
        }
        finally
        {
            ArrayPool<ushort>.Shared.Return(columns);
        }
    }

    /// <summary>As <see cref="ResizeWhole"/>, for factors so large that its sums would not fit. (OpenCV's own fit as long as an area has less than 8.4 million places.)</summary>
    private static void ResizeVast(PixelView from, int across, int down, PixelArea part, PixelImage result)
    {
        var share = 1f / ((float)across * down);
        for (var y = 0; y < part.Height; y++)
            for (var x = 0; x < part.Width; x++)
                for (var c = 0; c < result.Channels; c++)
                {
                    var sum = 0L;
                    for (var k = 0; k < down; k++) sum += Sum(from.Row(((part.Top + y) * down) + k).Slice((part.Left + x) * across * from.Channels, across * from.Channels), c, from.Channels);
                    result.Row(y)[(x * result.Channels) + c] = (byte)MathF.Min(MathF.Round(sum * share), byte.MaxValue);
                }
    }

    private static long Sum(ReadOnlySpan<byte> row, int first, int step)
    {
        var sum = 0L;
        for (var i = first; i < row.Length; i += step) sum += row[i];
        return sum;
    }

    private static void Add(ReadOnlySpan<byte> row, Span<ushort> sums)
    {
        ref var source = ref MemoryMarshal.GetReference(row);
        ref var target = ref MemoryMarshal.GetReference(sums);
        var i = 0;
        for (; i <= row.Length - Vector<byte>.Count; i += Vector<byte>.Count)
        {
            Vector.Widen(Vector.LoadUnsafe(ref source, (nuint)i), out var low, out var high);
            (Vector.LoadUnsafe(ref target, (nuint)i) + low).StoreUnsafe(ref target, (nuint)i);
            (Vector.LoadUnsafe(ref target, (nuint)(i + Vector<ushort>.Count)) + high).StoreUnsafe(ref target, (nuint)(i + Vector<ushort>.Count));
        }

        for (; i < row.Length; i++) sums[i] += row[i];
    }
}
