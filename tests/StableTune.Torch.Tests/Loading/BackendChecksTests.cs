using StableTune.Torch.Loading;

namespace StableTune.Torch.Tests.Loading;

public sealed class BackendChecksTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void CheckPlatform_WithMusl_NamesTheSystemsThatWork()
    {
        var message = Message(() => BackendChecks.CheckPlatform("linux-musl-x64"));
        Assert.Contains("linux-musl-x64", message);
        Assert.Contains("linux-x64, win-x64, win-arm64, osx-arm64", message);
        BackendChecks.CheckPlatform("linux-x64");
    }

    [Theory]
    [InlineData("0.106.0.0", "0.106.0 is in use")]
    [InlineData("1.107.0.0", "1.107.0 is in use")]
    [InlineData(null, "no TorchSharp of this version or later")]
    public void CheckTorchSharp_WithAnotherVersion_NamesBothAndTheCommand(string? found, string expected)
    {
        var message = Message(() => BackendChecks.CheckTorchSharp(found is null ? null : Version.Parse(found), new Version(0, 107, 0, 0)));
        Assert.Contains("TorchSharp 0.107.0 is wanted", message);
        Assert.Contains(expected, message);
        Assert.Contains("dotnet add package TorchSharp --version 0.107.0", message);
    }

    [Fact]
    public void CheckTorchSharp_WithTheVersionInUse_IsContent()
    {
        var wanted = TorchSharpAssembly.BuiltFor;
        Assert.Equal((0, 107), (wanted.Major, wanted.Minor));
        BackendChecks.CheckTorchSharp(TorchSharpAssembly.Find()!.GetName().Version, wanted);
        BackendChecks.CheckTorchSharp(new Version(0, 107, 9), wanted);
    }

    [Fact]
    public void CheckOnlyOne_WithPackagesOfBothKinds_NamesThem()
    {
        string[] packages = ["TorchSharp", "libtorch-cpu-linux-x64", "libtorch-cuda-12.8-linux-x64"];
        var message = Message(() => BackendChecks.CheckOnlyOne(Files(), packages));
        Assert.Contains("libtorch-cpu-linux-x64 and libtorch-cuda-12.8-linux-x64", message);
        Assert.Contains("dotnet remove package", message);
        BackendChecks.CheckOnlyOne(Files(), ["libtorch-cpu", "libtorch-cpu-linux-x64"]);
    }

    [Fact]
    public void CheckOnlyOne_WithTwoDifferentFiles_NamesThem()
    {
        var (first, second) = (Library("a", "torch_cpu", 10), Library("b", "torch_cpu", 20));
        Assert.Contains($"{first} and {second}", Message(() => BackendChecks.CheckOnlyOne(Files("a", "b"), [])));
        Library("b", "torch_cpu", 10);
        BackendChecks.CheckOnlyOne(Files("a", "b"), []);
    }

    [Fact]
    public void CheckInterface_OfALibraryWithoutIt_NamesTheLibrary()
    {
        if (!Libraries.IsLinux) return;
        var library = Path.Combine(Libraries.Folder, "libgomp-98b21ff3.so.1");
        var message = Message(() => BackendChecks.CheckInterface(library));
        Assert.Contains(library, message);
        Assert.Contains("torch_call_dispatcher", message);
        BackendChecks.CheckInterface(Path.Combine(Libraries.Folder, "libtorch_cpu.so"));
    }

    [Fact]
    public void CheckInterface_OfAFileThatIsNoLibrary_SaysWhatTheSystemSaid()
    {
        var path = Library("a", "torch_cpu", 10);
        Assert.Contains(path, Message(() => BackendChecks.CheckInterface(path)));
    }

    [Fact]
    public void Find_LooksInTheProgramsFoldersFirst()
    {
        var (own, system) = (Library("own", "c10", 1), Library("system", "c10", 1));
        var extra = Library("system", "c10_cuda", 1);
        var files = new NativeFiles([_folder["own"]], [_folder["system"]]);
        Assert.Equal(own, files.Find("c10"));
        Assert.Equal(extra, files.Find("c10_cuda"));
        Assert.Equal([own], files.FindAll("c10"));
        Assert.Null(files.Find("torch_cuda"));
        Assert.NotEqual(own, system);
    }

    [Fact]
    public void OfProcess_FindsTheLibrariesOfThisProgram()
    {
        Assert.NotNull(NativeFiles.OfProcess().Find("torch_cpu"));
        Assert.Single(NativeFiles.OfProcess().FindAll("LibTorchSharp").Select(path => new FileInfo(path).Length).Distinct());
    }

    private NativeFiles Files(params string[] folders) => new([.. folders.Select(folder => _folder[folder])], []);

    private string Library(string folder, string name, int length)
    {
        Directory.CreateDirectory(_folder[folder]);
        var path = _folder[folder, NativeFiles.FileName(name)];
        File.WriteAllBytes(path, new byte[length]);
        return path;
    }

    private static string Message(Action check) => Assert.Throws<NativeBackendException>(check).Message;
}
