namespace StableTune.Imaging;

/// <summary>What is known of the kinds of picture files.</summary>
public static class ImageFormats
{
    private static readonly (ImageFormat Format, string Name, string[] Extensions)[] s_kinds =
    [
        (ImageFormat.Png, "PNG", [".png"]), (ImageFormat.Jpeg, "JPEG", [".jpg", ".jpeg"]), (ImageFormat.WebP, "WebP", [".webp"]),
        (ImageFormat.Bmp, "BMP", [".bmp"]), (ImageFormat.Gif, "GIF", [".gif"]), (ImageFormat.Tiff, "TIFF", [".tif", ".tiff"]),
        (ImageFormat.Avif, "AVIF", [".avif"]),
    ];

    /// <summary>The extensions of all kinds that are known, in lower case.</summary>
    public static IReadOnlyList<string> Known { get; } = [.. s_kinds.SelectMany(kind => kind.Extensions)];

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
