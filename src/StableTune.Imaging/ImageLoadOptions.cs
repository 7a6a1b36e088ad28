namespace StableTune.Imaging;

/// <summary>How pictures are loaded.</summary>
public sealed record ImageLoadOptions : OptionsBase
{
    /// <summary>
    /// Whether a picture is turned upright as its EXIF orientation says. Default true; false gives the stored pixels, which is
    /// what sd-scripts trains on (a photo held sideways stays sideways).
    /// </summary>
    public bool ApplyExifOrientation { get; init; } = true;

    /// <summary>
    /// Whether the result is RGBA, opaque where the file has no alpha. Default false: RGB, with transparency dropped and the
    /// colours under transparent pixels as stored, unless there is a <see cref="Background"/>.
    /// </summary>
    public bool KeepAlpha { get; init; }

    /// <summary>
    /// A colour on which transparent pictures are put, as a web page shows them. Null, the default, takes the colours as they are stored
    /// also where nothing of them is to be seen, which is what sd-scripts trains on.
    /// </summary>
    public PixelColor? Background { get; init; }

    /// <summary>
    /// Whether grey values of 16 bits (PNG) above 255 become 255, which turns most such pictures white: what sd-scripts trains on. Default
    /// false: they are scaled to 8 bits, as colours of 16 bits always are.
    /// </summary>
    public bool ClipSixteenBitGray { get; init; }

    /// <summary>
    /// The largest picture that is decoded, in pixels; a larger one is refused from its header, before memory is taken for it.
    /// Default 178,956,970, where Pillow too refuses a picture as a decompression bomb.
    /// </summary>
    public long MaxPixels { get; init; } = 178_956_970;

    /// <summary>
    /// Whether <see cref="ImageFile.LoadResized"/> may decode a JPEG at a half, a fourth or an eighth of its size, where that is still no
    /// smaller than the picture is wanted: faster, but pixels differ from those of the exact way (docs/images.md has figures). Default
    /// false; of no effect with a codec that is no <see cref="IStreamingImageCodec"/>.
    /// </summary>
    public bool FastDecoding { get; init; }

    /// <summary>What decodes; null means <see cref="SkiaCodec"/>.</summary>
    public IImageCodec? Codec { get; init; }

    internal IImageCodec UsedCodec => Codec ?? SkiaCodec.Instance;

    /// <summary>Whether the decoded pixels of such a picture are changed before anything else is done with them.</summary>
    internal bool Changes(ImageHeader header) => Clips(header) || (Background is not null && header.HasAlpha);

    /// <summary>Whether grey values of such a picture are clipped.</summary>
    internal bool Clips(ImageHeader header) =>
        ClipSixteenBitGray && header is { Format: ImageFormat.Png, IsGray: true, BitsPerChannel: 16 };

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (MaxPixels < 1) yield return Problem(MaxPixels, "the limit must be at least 1 pixel", "leave it out for the default");
    }
}
