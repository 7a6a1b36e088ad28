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
    /// colours under transparent pixels as stored; nothing is put on a background.
    /// </summary>
    public bool KeepAlpha { get; init; }

    /// <summary>
    /// The largest picture that is decoded, in pixels; a larger one is refused from its header, before memory is taken for it.
    /// Default 178,956,970, where Pillow too refuses a picture as a decompression bomb.
    /// </summary>
    public long MaxPixels { get; init; } = 178_956_970;

    /// <summary>
    /// Whether <see cref="ImageFile.LoadResized"/> may decode a JPEG at a half, a fourth or an eighth of its size, where that is still no smaller than
    /// the picture is wanted: faster, but pixels differ from those of the exact way (docs/images.md has figures). Default false;
    /// of no effect with a codec that is no <see cref="IStreamingImageCodec"/>.
    /// </summary>
    public bool FastDecoding { get; init; }

    /// <summary>What decodes; null means <see cref="SkiaCodec"/>.</summary>
    public IImageCodec? Codec { get; init; }

    internal IImageCodec UsedCodec => Codec ?? SkiaCodec.Instance;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (MaxPixels < 1) yield return Problem(MaxPixels, "the limit must be at least 1 pixel", "leave it out for the default");
    }
}
