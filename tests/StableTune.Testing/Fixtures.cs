using System.IO.Compression;

namespace StableTune.Testing;

/// <summary>Finds files below tests/fixtures, wherever the tests run from.</summary>
public static class Fixtures
{
    /// <summary>The folder of the repository.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>The folder tests/fixtures.</summary>
    public static string Root { get; } = System.IO.Path.Combine(Repository, "tests", "fixtures");

    /// <summary>The full path of a fixture; fails when it is not there. One that is stored compressed (<c>name.br</c>) is unpacked beside
    /// the tests first.</summary>
    public static string Path(params string[] parts)
    {
        var path = System.IO.Path.Combine([Root, .. parts]);
        if (File.Exists(path + ".br"))
            return Unpacked(path + ".br", System.IO.Path.Combine([AppContext.BaseDirectory, "unpacked", .. parts]));
        Assert.True(File.Exists(path) || Directory.Exists(path), $"fixture missing: {path}");
        return path;
    }

    private static string Unpacked(string packed, string path)
    {
        if (File.Exists(path) && File.GetLastWriteTimeUtc(path) >= File.GetLastWriteTimeUtc(packed)) return path;
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        // Several tests may come here at once: each unpacks for itself, the last one to finish stays.
        var partial = $"{path}.{Guid.NewGuid():N}";
        using (var source = new BrotliStream(File.OpenRead(packed), CompressionMode.Decompress))
        using (var target = File.Create(partial))
            source.CopyTo(target);
        File.Move(partial, path, overwrite: true);
        return path;
    }

    private static string FindRepository()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = System.IO.Path.GetDirectoryName(folder))
            if (File.Exists(System.IO.Path.Combine(folder, "StableTune.sln"))) return folder;
        throw new DirectoryNotFoundException("StableTune.sln was not found above " + AppContext.BaseDirectory);
    }
}
