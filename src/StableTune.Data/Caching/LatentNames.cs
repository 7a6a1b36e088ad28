using System.Globalization;
using System.Text.RegularExpressions;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>The names that sd-scripts gives files of latents, which lie beside the images.</summary>
public static partial class LatentNames
{
    internal const string Sd = "_sd", Sdxl = "_sdxl", Extension = ".npz";

    /// <summary>
    /// The file for an image: <c>frog_0512x0768_sd.npz</c> for <c>frog.png</c>, with the size of the image, not of its latents.
    /// </summary>
    /// <param name="image">The image file.</param>
    /// <param name="size">Its size in pixels.</param>
    /// <param name="sdxl">Whether the latents are SDXL's.</param>
    public static string For(string image, PixelSize size, bool sdxl = false)
    {
        ArgumentNullException.ThrowIfNull(image);
        return string.Create(CultureInfo.InvariantCulture,
            $"{Stem(image)}_{size.Width:D4}x{size.Height:D4}{(sdxl ? Sdxl : Sd)}{Extension}");
    }

    /// <summary>The file that older versions wrote: <c>frog.npz</c>. Where it exists, it goes first.</summary>
    /// <param name="image">The image file.</param>
    public static string Plain(string image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return Stem(image) + Extension;
    }

    /// <summary>The size of the image that a file's name tells; null when it tells none.</summary>
    /// <param name="path">A file of latents.</param>
    public static PixelSize? ImageSize(string path) => Parse(path)?.Size;

    /// <summary>What a file's name says: the path of the image without extension, and its size; null for other names.</summary>
    internal static (string Stem, PixelSize Size)? Parse(string path)
    {
        var match = Pattern().Match(Path.GetFileName(path));
        if (!match.Success || !int.TryParse(match.Groups["width"].ValueSpan, CultureInfo.InvariantCulture, out var width)
            || !int.TryParse(match.Groups["height"].ValueSpan, CultureInfo.InvariantCulture, out var height) || width < 1
                || height < 1) return null;
        return (Path.Combine(Path.GetDirectoryName(path) ?? "", match.Groups["stem"].Value), new(width, height));
    }

    /// <summary>
    /// The files of latents in a folder: the path of each image without extension, and its size. Of several for one image the first by
    /// name.
    /// </summary>
    internal static Dictionary<string, PixelSize> In(string folder)
    {
        var found = new Dictionary<string, PixelSize>(StringComparer.Ordinal);
        foreach (var file in FolderFiles.In(folder, "*" + Extension))
            if (Parse(file) is { } latents) found.TryAdd(latents.Stem, latents.Size);
        return found;
    }

    private static string Stem(string image) => Path.Combine(Path.GetDirectoryName(image) ?? "", Path.GetFileNameWithoutExtension(image));

    [GeneratedRegex("^(?<stem>.+)_(?<width>[0-9]{4,})x(?<height>[0-9]{4,})_(sd|sdxl)\\.npz$",
        RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Pattern();
}
