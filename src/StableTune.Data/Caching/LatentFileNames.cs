using System.Security.Cryptography;
using System.Text;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>
/// Which file beside an image holds its latents: sd-scripts' name, unless two things would share it. Where another picture has the same
/// name but for the extension, files are named after the whole name; where one image is trained at one size in several ways, after the way
/// too.
/// </summary>
internal sealed class LatentFileNames
{
    private readonly Dictionary<string, HashSet<string>> _doubles = new(StringComparer.Ordinal);
    private readonly HashSet<string> _paths;
    private readonly HashSet<(string Path, PixelSize Size)> _inSeveralWays;
    private readonly bool _sdxl;

    /// <param name="samples">All images of the data set.</param>
    /// <param name="sdxl">Whether the latents are SDXL's.</param>
    internal LatentFileNames(IReadOnlyList<TrainingSample> samples, bool sdxl)
    {
        _sdxl = sdxl;
        var files = samples.Where(sample => sample.Item.Image is null).ToList();
        _paths = files.Select(sample => Path.GetFullPath(sample.Path)).ToHashSet(StringComparer.Ordinal);
        _inSeveralWays = [.. from sample in files
                             group LatentStore.PreparationOf(sample) by (Path.GetFullPath(sample.Path), sample.Framing.Size) into ways
                             where ways.Distinct().Count() > 1
                             select ways.Key];
        foreach (var folder in files.Select(sample => FolderOf(sample.Path)).Distinct(StringComparer.Ordinal))
            _doubles[folder] = DoublesIn(folder);
    }

    /// <summary>Whether the usual names say too little to tell the image's latents from others.</summary>
    internal bool IsContested(TrainingSample sample) => HasDouble(sample) || InSeveralWays(sample);

    /// <summary>The file that is written.</summary>
    internal string For(TrainingSample sample)
    {
        var name = LatentNames.For(HasDouble(sample) ? sample.Path + ".npz" : sample.Path, sample.ImageSize, _sdxl);
        if (!InSeveralWays(sample)) return name;
        var way = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(LatentStore.PreparationOf(sample))))[..8];
        return Path.ChangeExtension(name, $".{way}{LatentNames.Extension}");
    }

    /// <summary>The files that may hold an image's latents, the one that goes first at the front.</summary>
    /// <param name="sample">The image.</param>
    /// <param name="acceptSdxlNames">Whether files that are named as SDXL's are taken too.</param>
    internal IEnumerable<string> Candidates(TrainingSample sample, bool acceptSdxlNames)
    {
        var (own, usual) = (For(sample), LatentNames.For(sample.Path, sample.ImageSize, _sdxl));
        if (own != usual) yield return own;
        yield return LatentNames.Plain(sample.Path);
        yield return usual;
        if (acceptSdxlNames && !_sdxl) yield return LatentNames.For(sample.Path, sample.ImageSize, sdxl: true);
        var full = LatentNames.For(sample.Path + ".npz", sample.ImageSize, _sdxl);             // from when the image had a double
        if (full != own) yield return full;
    }

    private static string FolderOf(string path) => Path.GetDirectoryName(Path.GetFullPath(path)) ?? "";

    private bool InSeveralWays(TrainingSample sample) => _inSeveralWays.Contains((Path.GetFullPath(sample.Path), sample.Framing.Size));

    private bool HasDouble(TrainingSample sample) =>
        _doubles.TryGetValue(FolderOf(sample.Path), out var stems) && stems.Contains(Path.GetFileNameWithoutExtension(sample.Path));

    /// <summary>
    /// Stems that several pictures of a folder have, be they trained or not: latents of both may be there from other runs.
    /// </summary>
    private HashSet<string> DoublesIn(string folder)
    {
        var there = Directory.Exists(folder) ? ImageFiles.In(folder, ImageFormats.Known) : [];
        return [.. from path in there.Concat(_paths.Where(path => FolderOf(path) == folder)).Distinct(StringComparer.Ordinal)
                   group path by Path.GetFileNameWithoutExtension(path) into alike
                   where alike.Count() > 1
                   select alike.Key];
    }
}
