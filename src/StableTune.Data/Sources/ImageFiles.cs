namespace StableTune.Data;

/// <summary>Which files of a folder count as images.</summary>
internal static class ImageFiles
{
    /// <summary>The extensions that are taken, in lower case; the comparison ignores case.</summary>
    internal static readonly string[] Extensions = [".png", ".jpg", ".jpeg", ".webp", ".bmp"];

    /// <summary>The images directly inside the folder, by ordinal name so that every machine sees the same order.</summary>
    internal static string[] In(string folder) =>
        [.. Directory.EnumerateFiles(folder).Where(IsImage).Order(StringComparer.Ordinal)];

    private static bool IsImage(string path) =>
        Extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);
}
