using System.IO.Compression;
using StableTune.Data;

namespace StableTune.Samples;

/// <summary>Pictures of a ZIP archive, each with its caption in a <c>.txt</c> entry of the same name. They stay in the archive: one is read
/// when its turn comes.</summary>
/// <param name="path">The archive.</param>
internal sealed class ZipSource(string path) : IDatasetSource
{
    public string Name => path;

    public IEnumerable<DatasetItem> Items()
    {
        using var archive = ZipFile.OpenRead(path);
        foreach (var picture in archive.Entries.Where(IsPicture).OrderBy(entry => entry.FullName, StringComparer.Ordinal))
        {
            var name = picture.FullName;
            var caption = archive.GetEntry(Path.ChangeExtension(name, ".txt"))
                ?? throw new InvalidOptionsException([new OptionProblem("ZipSource.path", path, $"{name} has no caption",
                    $"add {Path.ChangeExtension(name, ".txt")} to the archive")]);
            using var text = new StreamReader(caption.Open());
            yield return new DatasetItem(HostImage.FromStream(name, () => Open(name)), text.ReadToEnd().Trim());
        }
    }

    private static bool IsPicture(ZipArchiveEntry entry) => entry.Name.EndsWith(".png", StringComparison.OrdinalIgnoreCase);

    /// <summary>Pictures are read on several threads, and an archive is read by one at a time: each opens it anew.</summary>
    private MemoryStream Open(string name)
    {
        using var archive = ZipFile.OpenRead(path);
        using var entry = (archive.GetEntry(name) ?? throw new FileNotFoundException($"{path} holds no {name} any more.", name)).Open();
        var bytes = new MemoryStream();
        entry.CopyTo(bytes);
        bytes.Position = 0;
        return bytes;
    }
}
