namespace StableTune.Imaging;

/// <summary>What is known of the kinds of picture files.</summary>
public static class ImageFormats
{
    private static readonly (ImageFormat Format, string Name, string[] Extensions)[] s_kinds =
    [
        (ImageFormat.Png, "PNG", [".png", ".apng"]), (ImageFormat.Jpeg, "JPEG", [".jpg", ".jpeg", ".jfif", ".jpe"]),
        (ImageFormat.WebP, "WebP", [".webp"]), (ImageFormat.Bmp, "BMP", [".bmp", ".dib"]), (ImageFormat.Gif, "GIF", [".gif"]),
            (ImageFormat.Tiff, "TIFF", [".tif", ".tiff"]),
        (ImageFormat.Avif, "AVIF", [".avif"]),
    ];

    /// <summary>The extensions of all kinds that are known, in lower case.</summary>
    public static IReadOnlyList<string> Known { get; } = [.. s_kinds.SelectMany(kind => kind.Extensions)];

    /// <summary>
    /// Extensions, in lower case, of pictures of kinds that no codec of ours reads: phones' and cameras' own, drawings, new formats.
    /// </summary>
    public static IReadOnlyList<string> NeverRead { get; } =
    [
        ".heic", ".heif", ".hif", ".avifs", ".jxl", ".jp2", ".j2k", ".jxr", ".wdp", ".mpo", ".qoi", ".tga", ".dds", ".ico", ".pcx", ".ppm",
            ".pgm", ".pbm", ".pnm",
        ".exr", ".hdr", ".psd", ".psb", ".xcf", ".kra", ".clip", ".svg", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf",
    ];

    /// <summary>The extensions by which files that a codec reads are found in folders, in lower case.</summary>
    /// <param name="codec">The codec; null means <see cref="SkiaCodec"/>.</param>
    public static IReadOnlyList<string> Extensions(IImageCodec? codec = null)
        => [.. s_kinds.Where(kind => (codec ?? SkiaCodec.Instance).Formats.Contains(kind.Format)).SelectMany(kind => kind.Extensions)];

    /// <summary>The kinds in words, such as "PNG, JPEG and WebP".</summary>
    internal static string Words(IEnumerable<ImageFormat> formats, string last)
    {
        string[] names = [.. s_kinds.Where(kind => formats.Contains(kind.Format)).Select(kind => kind.Name)];
        return names.Length < 2 ? string.Concat(names) : $"{string.Join(", ", names[..^1])} {last} {names[^1]}";
    }

    internal static string Name(ImageFormat format) => s_kinds.First(kind => kind.Format == format).Name;
}
