using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>What is done to the values of a picture before a network takes them: (value * Scale) + Shift, for red, green and
/// blue.</summary>
/// <param name="Scale">The factors.</param>
/// <param name="Shift">What is added.</param>
internal readonly record struct PixelScaling((float R, float G, float B) Scale, (float R, float G, float B) Shift)
{
    /// <summary>Values as they are, 0 to 255.</summary>
    internal static PixelScaling Bytes { get; } = new((1, 1, 1), (0, 0, 0));

    /// <summary>Values in [0, 1].</summary>
    internal static PixelScaling Unit { get; } = Of((0, 0, 0), (1, 1, 1));

    /// <summary>Values in [-1, 1].</summary>
    internal static PixelScaling Signed { get; } = Of((0.5f, 0.5f, 0.5f), (0.5f, 0.5f, 0.5f));

    /// <summary>Values in [0, 1] with a mean taken off, divided by a deviation.</summary>
    internal static PixelScaling Of((float R, float G, float B) mean, (float R, float G, float B) deviation) =>
        new((1 / (255 * deviation.R), 1 / (255 * deviation.G), 1 / (255 * deviation.B)),
            (-mean.R / deviation.R, -mean.G / deviation.G, -mean.B / deviation.B));
}

/// <summary>The input of a network that takes pictures: what its file says of it.</summary>
/// <param name="Value">The input.</param>
/// <param name="Width">The width of its pictures; null where it takes any.</param>
/// <param name="Height">The height of its pictures; null where it takes any.</param>
/// <param name="ChannelsLast">Whether colours are the last dimension ([N, H, W, 3]) or the second ([N, 3, H, W]).</param>
internal sealed record PictureInput(OnnxValue Value, int? Width, int? Height, bool ChannelsLast)
{
    private const int Colours = 3;

    /// <summary>Pictures that the network takes at once; null for any number.</summary>
    internal int? Batch => Value.Shape[0] > 0 ? Value.Shape[0] : null;

    /// <summary>The input of a model.</summary>
    /// <exception cref="InvalidFileException">It has no input for pictures; the message lists those that there are.</exception>
    internal static PictureInput Of(OnnxModel model)
    {
        var found = model.Inputs.Select(Read).OfType<PictureInput>().ToList();
        return found.Count == 1 ? found[0] : throw model.Unfit(
            $"it has {(found.Count == 0 ? "no input" : "several inputs")} for pictures: {string.Join("; ", model.Inputs)}.",
            "Take a model with one input [N, H, W, 3] or [N, 3, H, W] of float32, float16 or bytes.");
    }

    private static PictureInput? Read(OnnxValue value)
    {
        if (value.Shape.Count != 4 || value.Type is not (TensorElementType.Float or TensorElementType.Float16 or TensorElementType.UInt8))
            return null;
        if (value.Shape[1] == Colours) return new(value, Size(3), Size(2), ChannelsLast: false);
        return value.Shape[3] == Colours ? new(value, Size(2), Size(1), ChannelsLast: true) : null;

        int? Size(int dimension) => value.Shape[dimension] > 0 ? value.Shape[dimension] : null;
    }

    /// <summary>The pictures as the network takes them.</summary>
    /// <param name="pictures">Pictures of one size, RGB.</param>
    /// <param name="count">How many the network takes: where it takes more than there are, the rest is zeros.</param>
    /// <param name="scaling">What is done to their values; where the network takes bytes, nothing is.</param>
    /// <param name="bgr">Whether blue comes first.</param>
    internal OrtValue ToValue(IReadOnlyList<PixelImage> pictures, int count, PixelScaling scaling, bool bgr)
    {
        var (width, height) = (pictures[0].Width, pictures[0].Height);
        var plane = width * height;
        if (Value.Type == TensorElementType.UInt8) scaling = PixelScaling.Bytes;
        var values = new float[Colours * plane * count];
        Parallel.For(0, pictures.Count, index => Fill(pictures[index], values.AsSpan(index * Colours * plane, Colours * plane), scaling,
            bgr));
        long[] shape = ChannelsLast ? [count, height, width, Colours] : [count, Colours, height, width];
        return Value.Type switch
        {
            TensorElementType.Float16 => OrtValue.CreateTensorValueFromMemory(Halves(values), shape),
            TensorElementType.UInt8 => OrtValue.CreateTensorValueFromMemory(Array.ConvertAll(values, value => (byte)value),
                shape),
            _ => OrtValue.CreateTensorValueFromMemory(values, shape),
        };
    }

    private void Fill(PixelImage picture, Span<float> values, PixelScaling scaling, bool bgr)
    {
        var (pixels, plane, channels) = (picture.Pixels, picture.Width * picture.Height, picture.Channels);
        var (scale, shift) = scaling;
        var (red, blue) = bgr ? (2, 0) : (0, 2);
        var (step, apart) = ChannelsLast ? (Colours, 1) : (1, plane);
        for (int i = 0, at = 0, to = 0; i < plane; i++, at += channels, to += step)
        {
            values[to + (red * apart)] = (pixels[at] * scale.R) + shift.R;
            values[to + apart] = (pixels[at + 1] * scale.G) + shift.G;
            values[to + (blue * apart)] = (pixels[at + 2] * scale.B) + shift.B;
        }
    }

    private static Float16[] Halves(float[] values)
    {
        var halves = new Float16[values.Length];
        var span = MemoryMarshal.Cast<Float16, Half>(halves.AsSpan());
        for (var i = 0; i < values.Length; i++) span[i] = (Half)values[i];
        return halves;
    }
}
