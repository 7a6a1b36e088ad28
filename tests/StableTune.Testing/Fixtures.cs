namespace StableTune.Testing;

/// <summary>Finds files below tests/fixtures, wherever the tests run from.</summary>
public static class Fixtures
{
    /// <summary>The folder tests/fixtures.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The full path of a fixture; fails when it is not there.</summary>
    public static string Path(params string[] parts)
    {
        var path = System.IO.Path.Combine([Root, .. parts]);
        Assert.True(File.Exists(path) || Directory.Exists(path), $"fixture missing: {path}");
        return path;
    }

    private static string FindRoot()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = System.IO.Path.GetDirectoryName(folder))
            if (File.Exists(System.IO.Path.Combine(folder, "StableTune.sln"))) return System.IO.Path.Combine(folder, "tests", "fixtures");
        throw new DirectoryNotFoundException("StableTune.sln was not found above " + AppContext.BaseDirectory);
    }
}
