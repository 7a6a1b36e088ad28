using StableTune.Testing;

namespace StableTune.Imaging.Tests;

public sealed class NativeLibrarySearchTests
{
    [Fact]
    public void Load_Nowhere_TellsPlacesAndRemedy()
    {
        var error = Assert.Throws<NativeLibraryException>(() => NativeLibrarySearch.Load("x", ["/no/where/libx.so", "/nor/here/libx.so"]));
        Assert.Contains("/no/where/libx.so, /nor/here/libx.so", error.Message, StringComparison.Ordinal);
        Assert.Contains("install-deps.sh", error.Message, StringComparison.Ordinal);
        Assert.Contains("STABLETUNE_NATIVE", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_BrokenFile_NamesItAndGoesOnToTheNextPlace()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("libx.so"), "no library");
        var error = Assert.Throws<NativeLibraryException>(() => NativeLibrarySearch.Load("x", [folder.File("libx.so")]));
        Assert.StartsWith(folder.File("libx.so") + " cannot be loaded: ", error.Message, StringComparison.Ordinal);

        var real = NativeLibrarySearch.Places(NativeLibrarySearch.FileName("stabletune_imaging")).First(File.Exists);
        Assert.NotEqual(0, NativeLibrarySearch.Load("x", [folder.File("libx.so"), real]));
    }

    [Fact]
    public void Places_AreAssemblyThenBuildOutput()
    {
        string[] places = [.. NativeLibrarySearch.Places("libx.so")];
        Assert.StartsWith(AppContext.BaseDirectory, places[0], StringComparison.Ordinal);
        Assert.Contains("runtimes", places[0], StringComparison.Ordinal);
        Assert.EndsWith(Path.Combine("StableTune.Imaging", "obj", "native", "libx.so"), places[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Version_IsOpenCv4() => Assert.StartsWith("4.", OpenCvCodec.Version, StringComparison.Ordinal);
}
