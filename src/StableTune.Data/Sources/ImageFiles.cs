using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>Which files of a folder count as images.</summary>
internal static class ImageFiles
{
    /// <summary>The extensions that are taken where no codec is chosen, in lower case; the comparison ignores case.</summary>
    internal static readonly IReadOnlyList<string> Extensions = ImageFile.Extensions;

    /// <summary>The images directly inside the folder, by ordinal name so that every machine sees the same order.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="extensions">The extensions that are taken, in lower case; null for those that are taken where no codec is chosen.</param>
    internal static string[] In(string folder, IReadOnlyList<string>? extensions = null) =>
        [.. Directory.EnumerateFiles(folder).Where(path => IsImage(path, extensions ?? Extensions)).Order(StringComparer.Ordinal)];

    /// <summary>A sentence about the images in a folder whose kind the codec does not read; null where there are none.</summary>
    internal static string? KindsNotRead(string folder, IReadOnlyList<string> extensions)
    {
        var others = Directory.EnumerateFiles(folder).Where(path => !IsImage(path, extensions) && IsImage(path, ImageFormats.Known)).Order(StringComparer.Ordinal).ToList();
        return others.Count == 0 ? null : $"{folder}: {others.Count} image(s) are of a kind that the codec does not read and are passed over ({Path.GetFileName(others[0])}"
            + $"{(others.Count > 1 ? " ..." : "")}). Convert them, or choose another codec with DatasetOptions.Codec.";
    }

    /// <summary>The images that lie beside an earlier one of the same name but for the extension, so that files named after both would be one.</summary>
    internal static IReadOnlySet<string> Doubles(IEnumerable<string> images)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        return images.Where(path => !seen.Add(Path.ChangeExtension(path, null))).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Such an image, as left out.</summary>
    internal static SkippedFile Double(string path) => new(path, "another image has the same name without extension");

    private static bool IsImage(string path, IReadOnlyList<string> extensions) =>
        extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);
}
