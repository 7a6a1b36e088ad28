using StableTune.Torch.Loading;
using TorchSharp;

namespace StableTune.Torch.Tests.Loading;

/// <summary>Loading as whole processes see it.</summary>
public sealed class NativeBackendTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Describe_ThisProcess_NamesTheLibtorchInUse()
    {
        var report = NativeBackend.Describe();
        Assert.Equal(("0.107.0", "2.10.0"), (report.TorchSharpVersion, report.LibTorchVersion));
        Assert.Equal(Libraries.IsOlderSystem, report.UsesPatchedCopy);
        Assert.Equal((false, 0), (report.IsCudaAvailable, report.CudaDeviceCount));
        if (Libraries.IsLinux) Assert.Equal(Path.Combine(Libraries.Folder, "libtorch_cpu.so"), report.LibTorchPath);
        Assert.Equal(torch.get_num_threads(), report.Threads);
        Assert.Contains($"libtorch 2.10.0 with {report.Blas} from", report.ToString());
    }

    [Fact]
    public async Task Load_ByManyProcessesAtOnce_KeepsOneCopy()
    {
        if (!Libraries.IsOlderSystem) return;
        var processes = Enumerable.Range(0, 3).Select(_ => new ChildProcess("torch first", Cache(_folder["cache"]))).ToList();
        foreach (var process in processes)
        {
            using (process) Assert.Equal((0, "12"), await process.EndAsync());
        }
        Assert.Single(Directory.GetFiles(_folder["cache", "stabletune", "native"]));
    }

    [Fact]
    public async Task Load_WithADamagedCopy_WritesItAgain()
    {
        if (!Libraries.IsOlderSystem) return;
        await Asks("report", Cache(_folder["cache"]), "patched");
        var copy = Assert.Single(Directory.GetFiles(_folder["cache", "stabletune", "native"]));
        var right = File.ReadAllBytes(copy);
        File.WriteAllBytes(copy, right[..^1000]);
        await Asks("report", Cache(_folder["cache"]), "patched");
        Assert.Equal(right, File.ReadAllBytes(copy));
    }

    [Fact]
    public async Task Load_WithAHomeThatCannotBeWritten_TakesTheTemporaryFolder()
    {
        if (!Libraries.IsOlderSystem) return;
        Directory.CreateDirectory(_folder["tmp"]);
        await Asks("report", new() { ["HOME"] = "/proc", ["XDG_CACHE_HOME"] = null, ["TMPDIR"] = _folder["tmp"] }, "patched");
        Assert.Single(Directory.GetFiles(_folder["tmp"], "libLibTorchSharp-*.so", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Load_WithNoFolderAtAll_TakesMemory()
    {
        if (!Libraries.IsOlderSystem) return;
        await Asks("report", new() { ["HOME"] = "/proc", ["XDG_CACHE_HOME"] = "/proc", ["TMPDIR"] = "/proc" }, "patched");
    }

    [Fact]
    public async Task Load_AfterTorchWasTouched_KeepsTheProgramsThreads() => await Asks("threads kept", [], "1");

    [Fact]
    public async Task Prepare_OnLinux_LetsIdleThreadsSleepSoon()
    {
        if (!Libraries.IsLinux) return;
        await Asks("spinning", new() { ["GOMP_SPINCOUNT"] = null, ["OMP_WAIT_POLICY"] = null }, "10000");
        await Asks("spinning", new() { ["GOMP_SPINCOUNT"] = "77" }, "77");
        await Asks("spinning", new() { ["GOMP_SPINCOUNT"] = null, ["OMP_WAIT_POLICY"] = "active" }, "unset");
    }

    [Fact]
    public async Task Prepare_OnLinux_AsksForHugePagesUnlessToldOtherwise()
    {
        if (!Libraries.IsLinux) return;
        await Asks("huge pages", new() { ["THP_MEM_ALLOC_ENABLE"] = null }, "1");
        await Asks("huge pages", new() { ["THP_MEM_ALLOC_ENABLE"] = "0" }, "0");
    }

    [Fact]
    public async Task Prepare_OnLinux_LetsMklGiveMemoryBackUnlessToldOtherwise()
    {
        if (!Libraries.IsLinux) return;
        await Asks("working memory", new() { ["MKL_DISABLE_FAST_MM"] = null }, "1");
        await Asks("working memory", new() { ["MKL_DISABLE_FAST_MM"] = "0" }, "0");
    }

    [Fact]
    public async Task Prepare_OnLinux_LetsOneDnnKeepMore_UnlessToldOtherwise()
    {
        if (!Libraries.IsLinux) return;
        const string name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", old = "DNNL_PRIMITIVE_CACHE_CAPACITY";
        await Asks("primitives", new() { [name] = null, [old] = null }, "4096, 4096");
        await Asks("primitives", new() { [name] = "77", [old] = null }, "77, 77");
        await Asks("primitives", new() { [name] = null, [old] = "78" }, "unset, 78");
        await Asks("primitives", new() { [name] = "0", [old] = "78" }, "0, 0");
        await Asks("primitives", new() { [name] = "", [old] = null }, ", 1024");
    }

    [Fact]
    public async Task Prepare_OnAnIntelProcessor_AsksForRepeatableProductsUnlessToldOtherwise()
    {
        if (!Libraries.IsLinux || !Processor.IsIntel) return;
        await Asks("repeatable", new() { ["MKL_CBWR"] = null }, "AUTO");
        await Asks("repeatable", new() { ["MKL_CBWR"] = "COMPATIBLE" }, "COMPATIBLE");
    }

    [Fact]
    public async Task Load_WithoutABackend_NamesThePackage()
    {
        CopyProgram(_ => false);
        using var process = new ChildProcess("report", folder: _folder.Path);
        var (code, output) = await process.EndAsync();
        Assert.Equal(3, code);
        Assert.Contains("No native backend is in the output", output);
        Assert.Contains("dotnet add package StableTune", output);
    }

    [Fact]
    public async Task Load_WithoutTorchSharp_NamesTheVersion()
    {
        CopyProgram(_ => false);
        File.Delete(_folder["TorchSharp.dll"]);
        using var process = new ChildProcess("load", folder: _folder.Path);
        Assert.Contains("TorchSharp 0.107.0 is wanted", (await process.EndAsync()).Output);
    }

    [Fact]
    public async Task Torch_TouchedFirstWithoutABackend_CarriesTheMessage()
    {
        if (!Libraries.IsLinux) return;
        CopyProgram(_ => false);
        var variables = new Dictionary<string, string?> { ["NUGET_PACKAGES"] = "/missing" };
        using var process = new ChildProcess("torch first", variables, _folder.Path);
        Assert.Contains("No native backend is in the output", (await process.EndAsync()).Output);
    }

    [Fact]
    public async Task Load_WithTwoLibtorches_NamesBoth()
    {
        if (!Libraries.IsLinux) return;
        CopyProgram(_ => true);
        File.WriteAllText(_folder["libtorch_cpu.so"], "another");
        using var process = new ChildProcess("report", folder: _folder.Path);
        var (code, output) = await process.EndAsync();
        Assert.Equal(3, code);
        Assert.Contains("Two native backends", output);
    }

    private static Dictionary<string, string?> Cache(string folder) => new() { ["XDG_CACHE_HOME"] = folder };

    private static async Task Asks(string question, Dictionary<string, string?> variables, string expected)
    {
        using var process = new ChildProcess(question, variables);
        var (code, output) = await process.EndAsync();
        Assert.True(code == 0 && output.Contains(expected, StringComparison.Ordinal), output);
    }

    /// <summary>Copies this program without its list of files, so that it starts without some of them.</summary>
    private void CopyProgram(Predicate<string> isNativeFileKept)
    {
        foreach (var file in Directory.GetFiles(AppContext.BaseDirectory, "*.dll")) File.Copy(file, _folder[Path.GetFileName(file)]);
        const string configuration = "StableTune.Torch.Tests.runtimeconfig.json";
        File.Copy(Path.Combine(AppContext.BaseDirectory, configuration), _folder[configuration]);
        var natives = Directory.CreateDirectory(_folder["runtimes", "linux-x64", "native"]).FullName;
        foreach (var file in Directory.GetFiles(Libraries.Folder).Where(isNativeFileKept.Invoke))
        {
            File.CreateSymbolicLink(Path.Combine(natives, Path.GetFileName(file)), file);
        }
    }
}
