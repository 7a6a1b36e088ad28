namespace StableTune.Imaging;

/// <summary>The kinds of picture files that are known; told apart by a file's first bytes, never by its name. Which are read, the codec
/// says (<see cref="IImageCodec.Formats"/>).</summary>
public enum ImageFormat
{
    /// <summary>Portable Network Graphics.</summary>
    Png,

    /// <summary>JPEG, baseline or progressive.</summary>
    Jpeg,

    /// <summary>WebP, lossy or lossless; of an animation the first frame.</summary>
    WebP,

    /// <summary>Windows bitmap.</summary>
    Bmp,

    /// <summary>Graphics Interchange Format; of an animation the first frame.</summary>
    Gif,

    /// <summary>Tagged Image File Format; of several pictures the first.</summary>
    Tiff,

    /// <summary>AV1 Image File Format.</summary>
    Avif,
}
