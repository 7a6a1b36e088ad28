using StableTune.Torch.Loading;

namespace StableTune.Torch.Tests.Loading;

public sealed class LibStdCxxTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void MissingVersion_IsReadFromTheLoadersMessage()
    {
        Assert.Equal("GLIBCXX_3.4.32", LibStdCxx.MissingVersion("x.so: Version »GLIBCXX_3.4.32« nicht gefunden (required by y.so)"));
        Assert.Null(LibStdCxx.MissingVersion("libtorch.so: cannot open shared object file"));
        Assert.Null(LibStdCxx.MissingVersion("version `GLIBC_2.38' not found"));
    }

    [Fact]
    public void NewestIn_ComparesNumbers()
    {
        File.WriteAllText(_folder["a"], "GLIBCXX_3.4\0GLIBCXX_3.4.9\0GLIBCXX_3.4.30\0GLIBCXX_3.4.21\0GLIBCXX_TUNABLES\0");
        Assert.Equal("GLIBCXX_3.4.30", LibStdCxx.NewestIn(_folder["a"]));
        File.WriteAllText(_folder["b"], "nothing");
        Assert.Null(LibStdCxx.NewestIn(_folder["b"]));
        Assert.Null(LibStdCxx.NewestIn(_folder["missing"]));
    }

    [Fact]
    public void OfSystem_OnLinux_FindsFileAndVersion()
    {
        if (!Libraries.IsLinux) return;
        var (path, newest) = LibStdCxx.OfSystem();
        Assert.True(File.Exists(path), path);
        Assert.StartsWith("GLIBCXX_3.4.", newest);
    }

    [Fact]
    public void TooOld_NamesBothVersionsAndTheRemedy()
    {
        var system = ("/lib/libstdc++.so.6", "GLIBCXX_3.4.30");
        var message = LoadFailure.TooOld("lib.so", "GLIBCXX_3.4.32", system, ["/home/a is full", "no memory"], new IOException()).Message;
        Assert.Contains("wants GLIBCXX_3.4.32", message);
        Assert.Contains("(/lib/libstdc++.so.6) ends at GLIBCXX_3.4.30", message);
        Assert.Contains("/home/a is full; no memory", message);
        Assert.Contains("GCC 13.2", message);
        Assert.Contains("XDG_CACHE_HOME", message);
    }

    [Fact]
    public void TooOld_WithoutATry_SaysNothingOfCopies()
    {
        var message = LoadFailure.TooOld("lib.so", "GLIBCXX_3.4.40", ("libstdc++.so.6", null), [], new IOException()).Message;
        Assert.DoesNotContain("copy", message);
        Assert.DoesNotContain("XDG_CACHE_HOME", message);
    }
}
