using System.Runtime.Versioning;
using StableTune.Torch.Loading;

namespace StableTune.Torch.Tests.Loading;

[SupportedOSPlatform("linux")]
public sealed class TorchSharpResolverTests : IDisposable
{
    private const string File = "libLibTorchSharp.so";
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Load_WhereAnotherVersionIsMissing_NamesItAndPatchesNothing()
    {
        if (!Libraries.IsLinux) return;
        var library = System.IO.File.ReadAllBytes(Libraries.TorchSharp);
        "GLIBCXX_3.4.99"u8.CopyTo(library.AsSpan(library.AsSpan().IndexOf("GLIBCXX_3.4.32"u8)));
        var message = MessageWith(library);
        Assert.Contains("it wants GLIBCXX_3.4.99", message);
        Assert.Contains($"ends at {LibStdCxx.OfSystem().Newest}", message);
        Assert.False(Directory.Exists(_folder["cache"]));
    }

    [Fact]
    public void Load_OfAFileThatIsNoLibrary_SaysWhatTheSystemSaid()
    {
        if (!Libraries.IsLinux) return;
        var message = MessageWith("no library"u8.ToArray());
        Assert.Contains(_folder["native", File], message);
        Assert.Contains("build the program again", message);
    }

    [Fact]
    public void Load_OnThisSystem_PatchesWhereItMust()
    {
        if (!Libraries.IsLinux) return;
        Assert.NotEqual(0, TorchSharpResolver.Load(new NativeFiles([Libraries.Folder], []), [_folder["cache"]]));
        Assert.Equal(Libraries.IsOlderSystem, Directory.Exists(_folder["cache"]));
    }

    /// <summary>What loading says of this content in place of TorchSharp's library.</summary>
    private string MessageWith(byte[] library)
    {
        var natives = Directory.CreateDirectory(_folder["native"]).FullName;
        foreach (var file in Directory.GetFiles(Libraries.Folder).Where(path => Path.GetFileName(path) != File))
        {
            System.IO.File.CreateSymbolicLink(Path.Combine(natives, Path.GetFileName(file)), file);
        }
        System.IO.File.WriteAllBytes(Path.Combine(natives, File), library);
        var files = new NativeFiles([natives], []);
        return Assert.Throws<NativeBackendException>(() => TorchSharpResolver.Load(files, [_folder["cache"]])).Message;
    }
}
