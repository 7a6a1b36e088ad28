using System.Collections.Concurrent;
using System.Numerics;
using System.Security.Cryptography;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>Images that are the same.</summary>
/// <param name="Paths">Two or more files, in the order in which they were given.</param>
/// <param name="Identical">Whether the files are equal byte for byte; otherwise the pictures look alike.</param>
public sealed record DuplicateGroup(IReadOnlyList<string> Paths, bool Identical);

/// <summary>Finds images that are there twice, as equal files or as pictures that look alike in another size or format.</summary>
public static class DuplicateFinder
{
    /// <summary>Bits of 64 that may differ between pictures that look alike: compression and scaling change one or two.</summary>
    private const int NearBits = 2;

    /// <summary>Looks through the images directly inside a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    public static IReadOnlyList<DuplicateGroup> Find(
        string folder, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Find(ImageFiles.In(folder), progress, cancellationToken);

    /// <summary>Looks through these images; files that cannot be read have no duplicates.</summary>
    /// <param name="paths">The images.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static IReadOnlyList<DuplicateGroup> Find(
        IReadOnlyList<string> paths, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var prints = new ConcurrentDictionary<string, Fingerprint>(StringComparer.Ordinal);
        FolderWork.Run([.. paths.Distinct(StringComparer.Ordinal)], "comparing images", path =>
        {
            prints[path] = Fingerprint.Of(path, ImageFile.Load(path));
            return [];
        }, progress, cancellationToken);
        return Group([.. paths.Distinct(StringComparer.Ordinal).Where(prints.ContainsKey).Select(path => (path, prints[path]))]);
    }

    /// <summary>Puts equal and alike ones together.</summary>
    internal static IReadOnlyList<DuplicateGroup> Group(IReadOnlyList<(string Path, Fingerprint Print)> images)
    {
        var groups = new List<DuplicateGroup>();
        var first = new List<(string Path, Fingerprint Print)>();
        foreach (var same in images.GroupBy(image => image.Print.Hash, StringComparer.Ordinal))
        {
            string[] paths = [.. same.Select(image => image.Path)];
            if (paths.Length > 1) groups.Add(new(paths, Identical: true));
            first.Add(same.First());
        }

        var taken = new bool[first.Count];
        for (var i = 0; i < first.Count; i++)
        {
            if (taken[i] || first[i].Print.IsFlat) continue;
            var alike = new List<string>();
            for (var j = i + 1; j < first.Count; j++)
            {
                if (taken[j] || !first[i].Print.LooksLike(first[j].Print, NearBits)) continue;
                taken[j] = true;
                alike.Add(first[j].Path);
            }

            if (alike.Count > 0) groups.Add(new([first[i].Path, .. alike], Identical: false));
        }

        return groups;
    }
}

/// <summary>What tells an image from others.</summary>
/// <param name="Hash">SHA-256 of the file.</param>
/// <param name="Look">A bit for each of 8 x 8 places: whether it grows brighter to the right.</param>
/// <param name="Aspect">Width over height.</param>
/// <param name="IsFlat">Whether the picture is of one colour nearly everywhere, so that its look says nothing.</param>
internal readonly record struct Fingerprint(string Hash, ulong Look, double Aspect, bool IsFlat)
{
    private const int Columns = 9, Rows = 8;

    /// <summary>Of a file and its picture.</summary>
    internal static Fingerprint Of(string path, PixelImage image)
    {
        using var file = File.OpenRead(path);
        return Of(image, SHA256.HashData(file));
    }

    /// <summary>Of a picture that is no file.</summary>
    internal static Fingerprint Of(PixelImage image) => Of(image, SHA256.HashData(image.Pixels));

    private static Fingerprint Of(PixelImage image, byte[] hash)
    {
        var small = ImageResize.Resize(image.WithoutAlpha(), Columns, Rows, Interpolation.Box);
        var (look, steps) = (0UL, 0);
        for (var y = 0; y < Rows; y++)
            for (var x = 0; x + 1 < Columns; x++)
            {
                var difference = Gray(small, x + 1, y) - Gray(small, x, y);
                look = (look << 1) | (difference > 0 ? 1UL : 0);
                if (Math.Abs(difference) >= 2) steps++;
            }

        return new(Convert.ToHexString(hash), look, (double)image.Width / image.Height, steps < 16);
    }

    internal bool LooksLike(Fingerprint other, int nearBits) =>
        // the cheapest first: it is asked of all pairs
        BitOperations.PopCount(Look ^ other.Look) <= nearBits && !other.IsFlat && Math.Abs(Math.Log(Aspect / other.Aspect)) < 0.02;

    private static double Gray(PixelImage image, int x, int y) =>
        image.Row(y).Slice(3 * x, 3) is [var red, var green, var blue] ? (0.299 * red) + (0.587 * green) + (0.114 * blue) : 0;
}
