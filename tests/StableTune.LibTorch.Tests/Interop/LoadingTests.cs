using StableTune.Testing;

namespace StableTune.LibTorch.Tests;

public sealed class LoadingTests
{
    private static string RealShim => Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native", LibraryLoader.FileName);

    [Fact]
    public void Candidates_ComeInTheDocumentedOrder()
    {
        var candidates = LibraryLoader.Candidates("/app/base", "/app/lib/StableTune.LibTorch.dll", name => name == "STABLETUNE_NATIVE" ? "/mine" : null);
        Assert.StartsWith("/app/lib/runtimes/", candidates[0]);
        Assert.Contains("/app/lib/libstabletune_torch.so", candidates);
        Assert.Equal("/mine/libstabletune_torch.so", candidates[^1]);
        Assert.True(candidates.ToList().FindIndex(path => path.StartsWith("/app/base/")) < candidates.Count - 1);
        Assert.Equal("/x/y.so", LibraryLoader.Candidates("/app", "", _ => "/x/y.so")[^1]);
    }

    [Fact]
    public void Candidates_FromASourceTree_EndInItsBuildFolder()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.File("src/StableTune.LibTorch"));
        var candidates = LibraryLoader.Candidates(folder.File("tests/X/bin"), "", _ => null);
        Assert.Equal(folder.File("src/StableTune.LibTorch/obj/native/libstabletune_torch.so"), candidates[^1]);
    }

    [Fact]
    public void Shim_ThatIsMissing_IsNamedWithEveryPlaceAndTheRemedy()
    {
        var error = Assert.Throws<LibTorchNotFoundException>(() => LibraryLoader.Load(["/nowhere/a.so", "/nowhere/b.so"], null).ToString());
        Assert.Contains("/nowhere/a.so", error.Message);
        Assert.Contains("/nowhere/b.so", error.Message);
        Assert.Contains("install-deps.sh", error.Message);
        Assert.Contains("STABLETUNE_NATIVE", error.Message);
    }

    [Fact]
    public void File_ThatIsNoLibrary_IsNamed()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("libstabletune_torch.so");
        System.IO.File.WriteAllText(path, "not a library");
        var error = Assert.Throws<LibTorchNotFoundException>(() => LibraryLoader.Load([path], null).ToString());
        Assert.Contains(path, error.Message);
        Assert.Contains("not a StableTune shim", error.Message);
    }

    [Fact]
    public void Shim_WhoseLibTorchIsMissing_SaysWhatWasWantedAndWhatIsThere()
    {
        // The real shim with another name for the library it needs: what a machine without libtorch, or with another one, sees.
        using var folder = new TemporaryFolder();
        var path = folder.File("libstabletune_torch.so");
        var bytes = System.IO.File.ReadAllBytes(RealShim);
        var at = bytes.AsSpan().IndexOf("libtorch_cpu.so"u8);
        Assert.True(at > 0);
        "libtorch_xyz.so"u8.CopyTo(bytes.AsSpan(at));
        System.IO.File.WriteAllBytes(path, bytes);
        var error = Assert.Throws<LibTorchNotFoundException>(() => LibraryLoader.Load([path], null).ToString());
        Assert.Contains("libtorch_xyz.so", error.Message);
        Assert.Contains("built for libtorch " + LoadErrors.WantedVersion(RealShim), error.Message);
        Assert.Contains("STABLETUNE_LIBTORCH", error.Message);
        Assert.Contains("install-deps.sh", error.Message);
    }

    [Fact]
    public void LibTorchFolder_WithoutLibraries_IsNamed()
    {
        using var folder = new TemporaryFolder();
        var shim = folder.File("broken.so");
        System.IO.File.WriteAllText(shim, "");
        var error = Assert.Throws<LibTorchNotFoundException>(() => LibraryLoader.Load([shim], folder.File("mine")).ToString());
        Assert.Contains(folder.File("mine/lib/libc10.so"), error.Message);
    }

    [Fact]
    public void RealShim_TellsTheVersionItWasBuiltFor_AndFits()
    {
        var wanted = LoadErrors.WantedVersion(RealShim);
        Assert.NotNull(wanted);
        Assert.True(LoadErrors.Fits(wanted, engine.version), $"{wanted} and {engine.version}");
        Assert.NotEqual(0, (long)LibraryLoader.Load([RealShim], null));
    }

    [Theory]
    [InlineData("1.13.0", "1.13.1", true)]
    [InlineData("2.4.0", "2.4.1+cpu", true)]
    [InlineData("1.13.1", "2.0.0", false)]
    [InlineData("2.1.0", "2.14.0", false)]
    public void Versions_FitWithinOneMinor(string wanted, string found, bool fits) => Assert.Equal(fits, LoadErrors.Fits(wanted, found));

    [Fact]
    public void Messages_OfMisfits_NameFileWantedFoundAndRemedy()
    {
        var version = LoadErrors.WrongVersion("/a/shim.so", "1.13.1", "2.4.0", "/b/libtorch_cpu.so");
        foreach (var part in (string[])["/a/shim.so", "1.13.1", "2.4.0", "/b/libtorch_cpu.so", "dotnet build", "STABLETUNE_LIBTORCH"]) Assert.Contains(part, version);
        Assert.Contains("contract 7", LoadErrors.WrongContract("/a/shim.so", 1, 7));
        Assert.Contains("not a StableTune shim", LoadErrors.WrongContract("/a/shim.so", 1, null));
        Assert.Equal("2.4.1+cpu", LoadErrors.VersionOf("PyTorch built with: ... TORCH_VERSION=2.4.1+cpu, USE_CUDA=0"));
        Assert.Null(LoadErrors.VersionOf("nothing"));
    }

    [Fact]
    public void LibTorch_IsFoundByName()
    {
        using var folder = new TemporaryFolder();
        Assert.Null(LoadErrors.FindLibTorch([folder.Path, "/nowhere"]));
        System.IO.File.WriteAllText(folder.File("libtorch_cpu.so"), "");
        System.IO.File.WriteAllText(folder.File("libtorch_cpu.so.9.9.9"), "");
        Assert.Equal(folder.File("libtorch_cpu.so.9.9.9"), LoadErrors.FindLibTorch([folder.Path]));
    }
}
