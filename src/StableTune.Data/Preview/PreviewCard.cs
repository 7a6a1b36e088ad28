using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>One use of an image in an epoch.</summary>
/// <param name="Epoch">The epoch, from 1.</param>
/// <param name="Caption">The caption after the pipeline.</param>
/// <param name="Flipped">Whether it is mirrored.</param>
internal sealed record PreviewUse(int Epoch, string Caption, bool Flipped);

/// <summary>What the preview shows of one image.</summary>
/// <param name="Sample">The image.</param>
/// <param name="Uses">Its first use in each epoch shown.</param>
/// <param name="Picture">The image as the model sees it first, as JPEG; null when it cannot be read.</param>
/// <param name="Mask">Its mask, as JPEG; null without.</param>
/// <param name="Second">Its second image, as JPEG; null without.</param>
/// <param name="Fault">Why it cannot be read; null when it can.</param>
internal sealed record PreviewCard(
    TrainingSample Sample, IReadOnlyList<PreviewUse> Uses, byte[]? Picture, byte[]? Mask, byte[]? Second, string? Fault)
{
    private const int Quality = 80;

    /// <summary>Draws; reads the image again only where chance changes more than mirroring it.</summary>
    internal static PreviewCard Make(SampleFiles files, IReadOnlyList<PreviewUse> uses, ImageDraw draw, int side)
    {
        var sample = files.Sample;
        if (files.Image is not { } image)
            return new(sample, uses, null, null, null, files.FaultText ?? "the image is gone, its cached latents are trained");
        try
        {
            if (!draw.IsPlainOrMirrored(sample))
                (image, files) = (ImagePreparation.Load(sample, draw),
                files with { Second = files.Second is null ? null : ImagePreparation.LoadConditioning(sample, draw) });
            else if (draw.Flip) (image, files) = (image.FlipHorizontal(), files with { Second = files.Second?.FlipHorizontal() });
            return new(sample, uses, Small(image.WithoutAlpha(), side),
                MaskPicture(sample, draw, image, files.Second) is { } mask ? Small(mask, side) : null,
                files.Second is { } second ? Small(second, side) : null, null);
        }
        catch (InvalidFileException e)
        {
            return new(sample, uses, null, null, null, e.Fault);
        }
    }

    private static PixelImage? MaskPicture(TrainingSample sample, ImageDraw draw, PixelImage image, PixelImage? second)
    {
        if (!PreparedImages.HaveMasks([sample], [draw])) return null;
        var (width, height) = (image.Width / MaskValues.Scale, image.Height / MaskValues.Scale);
        var values = new float[width * height];
        PreparedImages.Mask(sample, draw, image, second, values);
        var mask = new PixelImage(width, height);
        for (var i = 0; i < values.Length; i++) mask.Pixels.AsSpan(3 * i, 3).Fill((byte)Math.Round(255 * values[i]));
        return ImageResize.Resize(mask, image.Width, image.Height, Interpolation.Nearest);
    }

    private static byte[] Small(PixelImage image, int side)
    {
        var scale = Math.Min(1.0, (double)side / Math.Max(image.Width, image.Height));
        return ImageFile.EncodeJpeg(ImageResize.Resize(
            image, Math.Max(1, (int)(image.Width * scale)), Math.Max(1, (int)(image.Height * scale))), Quality);
    }
}
