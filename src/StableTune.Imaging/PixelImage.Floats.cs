using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace StableTune.Imaging;

public sealed partial class PixelImage
{
    // Three float32 operations, as the reference's transform: x / 127.5 - 1 would differ in the last bit of some values.
    private static readonly float[] s_normalized = [.. Enumerable.Range(0, 256).Select(value => ((value / 255f) - 0.5f) / 0.5f)];

    /// <summary>The colours as a network wants them, in [-1, 1]: (x / 255 - 0.5) / 0.5 in float32. Alpha is left out.</summary>
    /// <param name="destination">Receives [3, Height, Width], exactly that many elements.</param>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    public void ToFloats(Span<float> destination)
    {
        var plane = Width * Height;
        if (destination.Length != 3L * plane) throw WrongLength(destination.Length, 3L * plane, nameof(destination));
        Span<float> red = destination[..plane], green = destination.Slice(plane, plane), blue = destination.Slice(2 * plane, plane);
        var (pixels, table, channels) = (Pixels, s_normalized, Channels);
        var done = channels == 3 ? ToFloatsByGroups(pixels, red, green, blue) : 0;
        for (int i = done, at = done * channels; i < plane; i++, at += channels)
        {
            red[i] = table[pixels[at]];
            green[i] = table[pixels[at + 1]];
            blue[i] = table[pixels[at + 2]];
        }
    }

    /// <summary>Eight pixels at once, as far as whole groups go.</summary>
    /// <returns>Pixels that were done.</returns>
    private static int ToFloatsByGroups(ReadOnlySpan<byte> pixels, Span<float> red, Span<float> green, Span<float> blue)
    {
        const int group = 8;
        // The first colour of four pixels, each in the lowest byte of an integer; 255 is no place, and gives 0.
        var first = Vector128.Create(0xFFFFFF00u, 0xFFFFFF03, 0xFFFFFF06, 0xFFFFFF09).AsByte();
        var step = Vector128.Create(1u).AsByte();
        ref var source = ref MemoryMarshal.GetReference(pixels);
        var i = 0;
        for (; (3 * i) + 12 + Vector128<byte>.Count <= pixels.Length; i += group)
        {
            var (left, right) = (Vector128.LoadUnsafe(ref source, (nuint)(3 * i)), Vector128.LoadUnsafe(ref source, (nuint)((3 * i) + 12)));
            Normalized(left, right, first).StoreUnsafe(ref MemoryMarshal.GetReference(red), (nuint)i);
            Normalized(left, right, first + step).StoreUnsafe(ref MemoryMarshal.GetReference(green), (nuint)i);
            Normalized(left, right, first + step + step).StoreUnsafe(ref MemoryMarshal.GetReference(blue), (nuint)i);
        }

        return i;
    }

    // The division by 0.5 is a multiplication by 2 to the bit.
    private static Vector256<float> Normalized(Vector128<byte> left, Vector128<byte> right, Vector128<byte> places)
    {
        var values = Vector256.Create(Vector128.Shuffle(left, places), Vector128.Shuffle(right, places)).AsInt32();
        return ((Vector256.ConvertToSingle(values) / 255f) - Vector256.Create(0.5f)) * 2f;
    }

    /// <summary>The alpha channel in [0, 1], alpha / 255; all ones when the picture has none.</summary>
    /// <param name="destination">Receives [Height, Width], exactly that many elements.</param>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    public void ExtractAlpha(Span<float> destination)
    {
        if (destination.Length != Width * Height) throw WrongLength(destination.Length, (long)Width * Height, nameof(destination));
        if (Channels == 3) destination.Fill(1f);
        else
            for (var i = 0; i < destination.Length; i++) destination[i] = Pixels[(4 * i) + 3] / 255f;
    }

    /// <summary>A picture from what a decoder gives: (x / 2 + 0.5), clamped to [0, 1], times 255, rounded half to even (as
    /// diffusers).</summary>
    /// <param name="source">Values around [-1, 1], [3, height, width]; not-a-number becomes 0.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <returns>An RGB picture.</returns>
    /// <exception cref="ArgumentException">The source has another length.</exception>
    public static PixelImage FromFloats(ReadOnlySpan<float> source, int width, int height)
    {
        var result = new PixelImage(width, height);
        var plane = width * height;
        if (source.Length != 3L * plane) throw WrongLength(source.Length, 3L * plane, nameof(source));
        for (var channel = 0; channel < 3; channel++)
        {
            var values = source.Slice(channel * plane, plane);
            for (var i = 0; i < plane; i++)
            {
                var value = Math.Clamp((values[i] / 2f) + 0.5f, 0f, 1f) * 255f;
                result.Pixels[(3 * i) + channel] = float.IsNaN(value) ? (byte)0 : (byte)MathF.Round(value);
            }
        }

        return result;
    }

    private static ArgumentException WrongLength(long found, long wanted, string name) =>
        new($"the span holds {found} elements, {wanted} are needed", name);
}
