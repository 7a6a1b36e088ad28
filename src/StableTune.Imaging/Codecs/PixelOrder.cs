using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace StableTune.Imaging;

/// <summary>From four bytes a pixel to three and back, and what else decoders leave to do.</summary>
internal static class PixelOrder
{
    private const int Alpha = 3;

    /// <summary>Copies the colours of RGBA pixels.</summary>
    internal static void DropAlpha(ReadOnlySpan<byte> rgba, Span<byte> rgb)
    {
        ref var source = ref MemoryMarshal.GetReference(rgba);
        ref var target = ref MemoryMarshal.GetReference(rgb);
        var order = Vector128.Create((byte)0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 255, 255, 255, 255);
        var (from, to) = (0, 0);
        // Four pixels at once; the last four bytes of what is stored are written over by the next four pixels.
        for (; to <= rgb.Length - Vector128<byte>.Count; from += 16, to += 12)
            Vector128.Shuffle(Vector128.LoadUnsafe(ref source, (nuint)from), order).StoreUnsafe(ref target, (nuint)to);
        for (; to < rgb.Length; from += 4, to += 3) (rgb[to], rgb[to + 1], rgb[to + 2]) = (rgba[from], rgba[from + 1], rgba[from + 2]);
    }

    /// <summary>Copies RGB pixels and makes them opaque.</summary>
    internal static void AddAlpha(ReadOnlySpan<byte> rgb, Span<byte> rgba)
    {
        for (int from = 0, to = 0; from < rgb.Length; from += 3, to += 4)
            (rgba[to], rgba[to + 1], rgba[to + 2], rgba[to + Alpha]) = (rgb[from], rgb[from + 1], rgb[from + 2], byte.MaxValue);
    }

    internal static void MakeOpaque(Span<byte> rgba)
    {
        var opaque = BitConverter.IsLittleEndian ? 0xFF000000 : 0xFF;
        foreach (ref var pixel in MemoryMarshal.Cast<byte, uint>(rgba)) pixel |= opaque;
    }

    /// <summary>
    /// Of grey values of 16 bits, whose low byte stands in alpha, to grey ones of 8: what does not fit becomes 255, as in the
    /// reference's loader.
    /// </summary>
    internal static void ClipGray(Span<byte> rgba)
    {
        for (var i = 0; i < rgba.Length; i += 4)
        {
            var value = rgba[i] > 0 ? byte.MaxValue : rgba[i + Alpha];
            (rgba[i], rgba[i + 1], rgba[i + 2], rgba[i + Alpha]) = (value, value, value, byte.MaxValue);
        }
    }
}
