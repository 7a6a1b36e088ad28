namespace StableTune.Data;

/// <summary>Which files of a folder count as images.</summary>
internal static class ImageFiles
{
    /// <summary>The extensions that are taken, in lower case; the comparison ignores case.</summary>
    internal static readonly string[] Extensions = [".png", ".jpg", ".jpeg", ".webp", ".bmp"];

    /// <summary>The images directly inside the folder, by ordinal name so that every machine sees the same order.</summary>
    internal static string[] In(string folder) =>
        [.. Directory.EnumerateFiles(folder).Where(IsImage).Order(StringComparer.Ordinal)];

    /// <summary>The images that lie beside an earlier one of the same name but for the extension, so that files named after both would be one.</summary>
    internal static IReadOnlySet<string> Doubles(IEnumerable<string> images)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        return images.Where(path => !seen.Add(Path.ChangeExtension(path, null))).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Such an image, as left out.</summary>
    internal static SkippedFile Double(string path) => new(path, "another image has the same name without extension");

    private static bool IsImage(string path) =>
        Extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);
}
