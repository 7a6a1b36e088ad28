using System.Globalization;
using StableTune.Formats;

namespace StableTune.Data;

/// <summary>Where latents are kept between runs. Used by several threads at once; writing only by one for each image.</summary>
internal abstract class LatentStore
{
    /// <summary>Looks whether an image's latents are there and fit.</summary>
    internal abstract CacheFinding Find(TrainingSample sample);

    /// <summary>Reads them.</summary>
    /// <exception cref="InvalidFileException">They are gone, or do not fit.</exception>
    internal abstract CachedLatents Read(TrainingSample sample);

    /// <summary>Writes them: complete or not at all.</summary>
    internal abstract void Write(TrainingSample sample, CachedLatents latents);

    /// <summary>
    /// Whether an image that was found is mirrored at random without being asked to, because its latents came with those of its mirror
    /// image.
    /// </summary>
    internal virtual bool MirrorsAtRandom(TrainingSample sample) => false;

    /// <summary>Called when looking or writing is over.</summary>
    internal virtual void Settle() { }

    /// <summary>How an image comes to the pixels that are encoded: what is the same here gives the same pixels of the same file.</summary>
    internal static string PreparationOf(TrainingSample sample)
    {
        var ((resized, left, top, size), options) = (sample.Framing, sample.Dataset);
        var background = options.Background is var (red, green, blue) ? $"|on {red},{green},{blue}" : "";
        // codecs differ in pixels
        var codec = options.Codec is null or Imaging.SkiaCodec ? "" : $"|{options.Codec.GetType().FullName}";
        return string.Create(CultureInfo.InvariantCulture,
            $"{resized.Width}x{resized.Height}|{left},{top}|{size.Width}x{size.Height}|{sample.Interpolation}")
            + $"|{options.ApplyExifOrientation}|{options.FastDecoding}{background}{(options.ClipSixteenBitGray ? "|clipped" : "")}{codec}";
    }

    /// <summary>The shape of an image's latents.</summary>
    internal static long[] ShapeOf(TrainingSample sample, int channels) =>
        [channels, sample.Framing.Size.Height / MaskValues.Scale, sample.Framing.Size.Width / MaskValues.Scale];

    /// <summary>An array of floating-point numbers as float32; null when it holds others, or one of them is not finite.</summary>
    internal static float[]? Floats(NpyArray array)
    {
        float[]? values = array.DType switch
        {
            TensorDType.F32 => array.As<float>().ToArray(),
            TensorDType.F16 => [.. array.As<Half>().ToArray().Select(value => (float)value)],
            TensorDType.F64 => [.. array.As<double>().ToArray().Select(value => (float)value)],
            _ => null,
        };
        return values is null || values.AsSpan().ContainsAnyExceptInRange(float.MinValue, float.MaxValue) ? null : values;
    }

    /// <summary>A tensor [4, h, w] outside of all scopes.</summary>
    internal static Tensor ToTensor(float[] values, IReadOnlyList<long> shape)
        => AlignedTensor.Of(values, [.. shape]).DetachFromDisposeScope();
}
