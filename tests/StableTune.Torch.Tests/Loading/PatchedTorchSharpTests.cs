using System.Runtime.Versioning;
using StableTune.Torch.Loading;

namespace StableTune.Torch.Tests.Loading;

[SupportedOSPlatform("linux")]
public sealed class PatchedTorchSharpTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly List<string> _loaded = [], _failures = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Load_WithAPlace_KeepsTheCopyThere()
    {
        if (!Libraries.IsLinux) return;
        Assert.Equal(7, new PatchedTorchSharp(Libraries.TorchSharp).Load(Accept, [_folder["cache"]], _failures));
        Assert.StartsWith(_folder["cache"], Assert.Single(_loaded));
        Assert.False(VersionNeeds.Wants(File.ReadAllBytes(_loaded[0]), LibStdCxx.Dispensable));
        Assert.Empty(_failures);
    }

    [Fact]
    public void Load_OfAnotherVersion_GetsACopyOfItsOwn()
    {
        if (!Libraries.IsLinux) return;
        var other = File.ReadAllBytes(Libraries.TorchSharp);
        other[^1] ^= 1;
        File.WriteAllBytes(_folder["other.so"], other);
        foreach (var original in new[] { Libraries.TorchSharp, _folder["other.so"] })
        {
            new PatchedTorchSharp(original).Load(Accept, [_folder["cache"]], _failures);
        }
        Assert.Equal(2, _loaded.Distinct().Count());
    }

    [Fact]
    public void Load_WhereTheFirstPlaceFails_TakesTheNext()
    {
        if (!Libraries.IsLinux) return;
        File.WriteAllText(_folder["file"], "");
        string[] places = [_folder["file", "cache"], _folder["second"]];
        Assert.Equal(7, new PatchedTorchSharp(Libraries.TorchSharp).Load(Accept, places, _failures));
        Assert.StartsWith(_folder["second"], Assert.Single(_loaded));
        Assert.Single(_failures);
    }

    [Fact]
    public void Load_WhereFilesCannotBeRun_TakesMemory()
    {
        if (!Libraries.IsLinux) return;
        nint OnlyFromMemory(string path)
            => path.StartsWith("/proc/self/fd/", StringComparison.Ordinal) ? Accept(path) : throw new DllNotFoundException("no");
        Assert.Equal(7, new PatchedTorchSharp(Libraries.TorchSharp).Load(OnlyFromMemory, [_folder["cache"]], _failures));
        Assert.Equal(["no"], _failures);
    }

    [Fact]
    public void Load_WhereNothingWorks_SaysWhyForEachPlace()
    {
        if (!Libraries.IsLinux) return;
        nint Refuse(string path) => throw new DllNotFoundException($"no {Path.GetDirectoryName(path)}");
        Assert.Null(new PatchedTorchSharp(Libraries.TorchSharp).Load(Refuse, [_folder["a"], _folder["b"]], _failures));
        Assert.Equal([$"no {_folder["a"]}", $"no {_folder["b"]}", "no /proc/self/fd"], _failures);
    }

    [Fact]
    public void Constructor_WithAFileThatIsNoLibrary_Throws()
    {
        File.WriteAllText(_folder["no.so"], "no library");
        Assert.Throws<InvalidDataException>(() => new PatchedTorchSharp(_folder["no.so"]));
    }

    [Fact]
    public void Places_AreBelowTheUsersCacheAndTheTemporaryFolder()
    {
        if (!Libraries.IsLinux) return;
        var places = PatchedTorchSharp.Places().ToList();
        Assert.EndsWith("stabletune/native", places[0]);
        Assert.Equal(Path.Combine(Path.GetTempPath(), $"stabletune-{SystemCalls.EffectiveUser()}"), places[^1]);
    }

    private nint Accept(string path)
    {
        _loaded.Add(path);
        return 7;
    }
}
