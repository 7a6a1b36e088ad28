using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>What of a picture file is trained otherwise than a viewer shows it.</summary>
internal static class PictureSurprises
{
    private const byte Half = 128;

    /// <summary>What the header of an image file tells; nothing of pictures that are no files, or whose files cannot be read.</summary>
    internal static IEnumerable<(FindingKind Kind, string Message)> OfHeader(TrainingSample sample)
    {
        if (Header(sample) is not { } header) yield break;
        if (header.BitsPerChannel == 16)
            yield return (FindingKind.SixteenBit, sample.Dataset.Loading.ClipSixteenBitGray && header.IsGray
                ? "its grey values of 16 bits are clipped at 255 (DatasetOptions.ClipSixteenBitGray), which makes most of such pictures "
                    + "white"
                : "it has 16 bits a channel, of which the upper 8 are trained");
        if (header.HasFurtherPictures)
            yield return (FindingKind.SeveralPictures, "it holds several pictures (an animation, or pages), of which the first is trained");
    }

    /// <summary>
    /// The share of an image's pixels that are transparent by more than a half, where their colours are trained. 0 elsewhere, and of
    /// pictures that are no files.
    /// </summary>
    internal static double Transparency(TrainingSample sample)
    {
        if (sample.Dataset.Background is not null || sample.Subset.Mask == LossMask.Alpha) return 0;
        if (Header(sample) is not { HasAlpha: true }) return 0;
        var picture = ImageFile.Load(sample.Path, sample.Dataset.Loading with { KeepAlpha = true });
        var transparent = 0L;
        for (var i = 3; i < picture.Pixels.Length; i += 4)
            if (picture.Pixels[i] < Half) transparent++;
        return (double)transparent / picture.Size.Area;
    }

    private static ImageHeader? Header(TrainingSample sample)
    {
        if (sample.Item.Image is not null || sample.Item.IsCachedOnly) return null;
        try
        {
            return ImageHeader.Read(sample.Path);
        }
        catch (Exception e) when (FileProblems.IsAboutFiles(e))
        {
            return null;                                     // told as unreadable
        }
    }
}
