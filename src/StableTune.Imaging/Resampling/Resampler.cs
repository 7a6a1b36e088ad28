using System.Buffers;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace StableTune.Imaging;

/// <summary>
/// Separable resampling, bit for bit as Pillow's: columns first, rounded to 8 bits, then rows; a direction whose size stays is
/// skipped. Rows come first where there are to be fewer of them but more columns, as in Pillow 13; before, it never did so. With alpha,
/// colours are multiplied by it before and divided by it after, in 8 bits.
/// </summary>
internal static class Resampler
{
    private const int Half = 1 << (ResampleWeights.Precision - 1);

    internal static PixelImage Resize(PixelImage image, int width, int height, ResampleKernel kernel)
    {
        if (image.Channels == 4) image = Premultiplied(image);
        var rowsFirst = height < image.Height && width > image.Width;
        if (rowsFirst) image = Vertical(image, new ResampleWeights(image.Height, height, kernel));
        if (width != image.Width) image = Horizontal(image, new ResampleWeights(image.Width, width, kernel));
        if (height != image.Height) image = Vertical(image, new ResampleWeights(image.Height, height, kernel));
        if (image.Channels == 4) Unpremultiply(image.Pixels);
        return image;
    }

    private static PixelImage Horizontal(PixelImage image, ResampleWeights weights)
    {
        var (width, channels) = (weights.First.Length, image.Channels);
        var result = PixelImage.Uninitialized(width, image.Height, channels);
        // One row as four integers a pixel, so that each weight takes a single multiplication of a vector.
        var wide = ArrayPool<int>.Shared.Rent(image.Width * 4);
        try
        {
            for (var y = 0; y < image.Height; y++)
            {
                Widen(image.Row(y), channels, wide);
                var row = result.Row(y);
                for (var x = 0; x < width; x++)
                {
                    var sum = Vector128.Create(Half);
                    ref var pixel = ref wide[weights.First[x] * 4];
                    foreach (var weight in weights[x])
                    {
                        sum += Vector128.LoadUnsafe(ref pixel) * weight;
                        pixel = ref System.Runtime.CompilerServices.Unsafe.Add(ref pixel, 4);
                    }

                    sum = Clamped(sum);
                    var at = x * channels;
                    row[at] = (byte)sum[0];
                    row[at + 1] = (byte)sum[1];
                    row[at + 2] = (byte)sum[2];
                    if (channels == 4) row[at + 3] = (byte)sum[3];
                }
            }
        }
        finally
        {
            ArrayPool<int>.Shared.Return(wide);
        }

        return result;
    }

    private static void Widen(ReadOnlySpan<byte> row, int channels, Span<int> wide)
    {
        for (int from = 0, to = 0; from < row.Length; from += channels, to += 4)
            (wide[to], wide[to + 1], wide[to + 2], wide[to + 3]) = (
                row[from], row[from + 1], row[from + 2], channels == 4 ? row[from + 3] : 0);
    }

    private static PixelImage Vertical(PixelImage image, ResampleWeights weights)
    {
        var height = weights.First.Length;
        var result = PixelImage.Uninitialized(image.Width, height, image.Channels);
        for (var y = 0; y < height; y++) Blend(
            image.Pixels.AsSpan(weights.First[y] * image.Stride), image.Stride, weights[y], result.Row(y));
        return result;
    }

    /// <summary>The weighted sum of rows that follow each other, rounded and clamped.</summary>
    private static void Blend(ReadOnlySpan<byte> rows, int stride, ReadOnlySpan<int> weights, Span<byte> result)
    {
        ref var source = ref MemoryMarshal.GetReference(rows);
        var x = 0;
        for (; x <= stride - Vector128<byte>.Count; x += Vector128<byte>.Count)
        {
            Vector128<int> a = Vector128.Create(Half), b = a, c = a, d = a;
            for (var k = 0; k < weights.Length; k++)
            {
                var (low, high) = Vector128.Widen(Vector128.LoadUnsafe(ref source, (nuint)((k * stride) + x)));
                var ((p, q), (r, s)) = (Vector128.Widen(low), Vector128.Widen(high));
                a += p.AsInt32() * weights[k];
                b += q.AsInt32() * weights[k];
                c += r.AsInt32() * weights[k];
                d += s.AsInt32() * weights[k];
            }

            var narrow = Vector128.Narrow(Vector128.Narrow(Clamped(a), Clamped(b)).AsUInt16(),
                Vector128.Narrow(Clamped(c), Clamped(d)).AsUInt16());
            narrow.CopyTo(result[x..]);
        }

        for (; x < stride; x++)
        {
            var sum = Half;
            for (var k = 0; k < weights.Length; k++) sum += rows[(k * stride) + x] * weights[k];
            result[x] = (byte)Math.Clamp(sum >> ResampleWeights.Precision, 0, 255);
        }
    }

    private static Vector128<int> Clamped(Vector128<int> sum)
        => Vector128.Min(Vector128.Max(sum >> ResampleWeights.Precision, Vector128<int>.Zero), Vector128.Create(255));

    private static PixelImage Premultiplied(PixelImage image)
    {
        var result = PixelImage.Uninitialized(image.Width, image.Height, 4);
        var (from, to) = (image.Pixels, result.Pixels);
        for (var i = 0; i < to.Length; i += 4)
        {
            var alpha = from[i + 3];
            (to[i], to[i + 1], to[i + 2], to[i + 3]) = (
                Multiply(from[i], alpha), Multiply(from[i + 1], alpha), Multiply(from[i + 2], alpha), alpha);
        }

        return result;
    }

    // value * alpha / 255, rounded, without a division
    private static byte Multiply(int value, int alpha)
    {
        var product = (value * alpha) + 128;
        return (byte)(((product >> 8) + product) >> 8);
    }

    private static void Unpremultiply(Span<byte> pixels)
    {
        for (var i = 0; i < pixels.Length; i += 4)
        {
            var alpha = pixels[i + 3];
            if (alpha is 0 or 255) continue;
            for (var c = i; c < i + 3; c++) pixels[c] = (byte)Math.Min(255 * pixels[c] / alpha, 255);
        }
    }
}
