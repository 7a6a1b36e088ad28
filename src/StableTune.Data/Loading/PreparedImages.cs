using System.Runtime.InteropServices;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>The images of one batch as tensors, in the scope in which they were made.</summary>
/// <param name="Pixels">[B, 3, H, W], float32 in [-1, 1]; null when they are not wanted.</param>
/// <param name="Masks">[B, 1, H/8, W/8], float32 in [0, 1]; null when no image has a mask.</param>
/// <param name="Conditioning">[B, 3, H, W], float32 in [0, 1]; null when the images have no second ones.</param>
internal sealed record PreparedImages(Tensor? Pixels, Tensor? Masks, Tensor? Conditioning)
{
    /// <summary>Reads images of one training size.</summary>
    /// <param name="samples">The images.</param>
    /// <param name="draws">What chance decided about each.</param>
    /// <param name="cancellationToken">Looked at between images.</param>
    /// <param name="hintsOnly">Whether pixels and masks are at hand already, so that only second images are read.</param>
    internal static PreparedImages Load(IReadOnlyList<TrainingSample> samples, IReadOnlyList<ImageDraw> draws,
        CancellationToken cancellationToken, bool hintsOnly = false)
    {
        var (size, count) = (samples[0].Framing.Size, samples.Count);
        using var scope = NewDisposeScope();
        var colors = hintsOnly ? null : empty([count, 3, size.Height, size.Width], dtype: ScalarType.Float32);
        var shares = hintsOnly || !HaveMasks(samples, draws) ? null : NewMasks(count, size);
        var hints = samples.All(HasHint) ? empty([count, 3, size.Height, size.Width], dtype: ScalarType.Float32) : null;
        for (var i = 0; i < count; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var image = hintsOnly ? null : ImagePreparation.Load(samples[i], draws[i]);
            var hint = hints is not null || (shares is not null && samples[i].Item.ConditioningPath is not null)
                ? ImagePreparation.LoadConditioning(samples[i], draws[i]) : null;
            if (colors is not null) image!.ToFloats(Slice(colors, i));
            if (hints is not null) ToShares(hint!, Slice(hints, i));
            if (shares is not null) Mask(samples[i], draws[i], image, hint, Slice(shares, i));
        }

        return new(colors?.MoveToOuterDisposeScope(), shares?.MoveToOuterDisposeScope(), hints?.MoveToOuterDisposeScope());
    }

    /// <summary>Whether some places of these images count less than others.</summary>
    internal static bool HaveMasks(IReadOnlyList<TrainingSample> samples, IReadOnlyList<ImageDraw> draws)
    {
        for (var i = 0; i < samples.Count; i++)
            if (samples[i].Subset.Mask != LossMask.None || samples[i].Item.MaskPath is not null || draws[i].Disc is not null) return true;
        return false;
    }

    /// <summary>[B, 1, H/8, W/8], not yet filled.</summary>
    internal static Tensor NewMasks(int count, PixelSize size) =>
        empty([count, 1, size.Height / MaskValues.Scale, size.Width / MaskValues.Scale], dtype: ScalarType.Float32);

    /// <summary>Whether the sample's second image is to be shown to the model, and no mask.</summary>
    private static bool HasHint(TrainingSample sample) => sample.Item.ConditioningPath is not null
        && sample.Subset.Mask != LossMask.Conditioning;

    /// <summary>One sample's part of a batch.</summary>
    internal static Span<float> Slice(Tensor batch, int index)
    {
        var length = (int)(batch.numel() / batch.shape[0]);
        return MemoryMarshal.Cast<byte, float>(batch.bytes).Slice(index * length, length);
    }

    /// <summary>Fills one sample's mask, [H/8, W/8].</summary>
    internal static void Mask(TrainingSample sample, ImageDraw draw, PixelImage? image, PixelImage? hint, Span<float> values)
    {
        var size = sample.Framing.Size;
        if (sample.Subset.Mask == LossMask.Alpha) MaskValues.Fill(image!, 3, values);
        else if (sample.Subset.Mask == LossMask.Conditioning && hint is not null) MaskValues.Fill(hint, 0, values);
        else values.Fill(1);
        if (sample.Item.MaskPath is not null) SampleMask.Given(sample, draw.Flip, values);
        if (draw.Disc is { } disc) MaskValues.Limit(values, size.Width / MaskValues.Scale, size.Height / MaskValues.Scale, disc);
    }

    /// <summary>x / 255, [3, H, W].</summary>
    private static void ToShares(PixelImage image, Span<float> values)
    {
        var plane = image.Width * image.Height;
        for (var i = 0; i < plane; i++)
            for (var channel = 0; channel < 3; channel++)
                values[(channel * plane) + i] = image.Pixels[(i * image.Channels) + channel] / 255f;
    }
}
