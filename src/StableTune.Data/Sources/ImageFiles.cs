using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>Which files of a folder count as images.</summary>
internal static class ImageFiles
{
    /// <summary>The extensions that are taken where no codec is chosen, in lower case; the comparison ignores case.</summary>
    internal static readonly IReadOnlyList<string> Extensions = ImageFile.Extensions;

    private const int Shown = 5;

    /// <summary>The images directly inside the folder, by ordinal name so that every machine sees the same order.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="extensions">The extensions that are taken, in lower case; null for those that are taken where no codec is
    /// chosen.</param>
    internal static string[] In(string folder, IReadOnlyList<string>? extensions = null) =>
        [.. FolderFiles.In(folder).Where(path => IsImage(path, extensions ?? Extensions))];

    /// <summary>The pictures directly inside the folder whose kind is not read.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="extensions">As in the other method.</param>
    internal static List<string> NotRead(string folder, IReadOnlyList<string>? extensions = null) =>
        [.. FolderFiles.In(folder).Where(path => !IsImage(path, extensions ?? Extensions)
            && (IsImage(path, ImageFormats.Known) || IsImage(path, ImageFormats.NeverRead)))];

    /// <summary>The pictures in a folder that a tool leaves out, because their kind is not read.</summary>
    internal static IEnumerable<SkippedFile> LeftOut(string folder) =>
        NotRead(folder).Select(path => new SkippedFile(path, "pictures of this kind are not read: convert it"));

    /// <summary>A sentence about the pictures in a folder whose kind the codec does not read; null where there are none.</summary>
    internal static string? KindsNotRead(string folder, IReadOnlyList<string> extensions)
    {
        var others = NotRead(folder, extensions);
        return others.Count == 0 ? null
            : $"{folder}: {others.Count} file(s) are pictures of kinds that are not read, and are passed over: {Names(others)}. "
            + "Convert them, or choose another codec with DatasetOptions.Codec (VipsCodec of the package StableTune.Imaging.Vips reads "
            + "GIF, TIFF and AVIF too).";
    }

    /// <summary>The names of a few files.</summary>
    internal static string Names(IReadOnlyList<string> paths) =>
        string.Join(", ", paths.Take(Shown).Select(Path.GetFileName)) + (paths.Count > Shown ? " ..." : "");

    /// <summary>
    /// The images that lie beside an earlier one of the same name but for the extension, so that files named after both would be one.
    /// </summary>
    internal static IReadOnlySet<string> Doubles(IEnumerable<string> images)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        return images.Where(path => !seen.Add(Path.ChangeExtension(path, null))).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Such an image, as left out.</summary>
    internal static SkippedFile Double(string path) => new(path, "another image has the same name without extension");

    internal static bool IsImage(string path, IReadOnlyList<string> extensions) =>
        extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);
}
