namespace StableTune.Imaging;

/// <summary>The picture formats that are read; told apart by a file's first bytes, never by its name.</summary>
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
}
