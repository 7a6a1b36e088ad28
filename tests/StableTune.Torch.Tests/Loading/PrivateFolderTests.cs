using System.Runtime.Versioning;
using StableTune.Torch.Loading;

namespace StableTune.Torch.Tests.Loading;

[SupportedOSPlatform("linux")]
public sealed class PrivateFolderTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_NewFolder_IsItsOwnersAlone()
    {
        if (!Libraries.IsLinux) return;
        var path = Open("a", "b");
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(path));
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(_folder["a"]));
        Assert.Equal(path, Open("a", "b"));
    }

    [Fact]
    public void Open_OwnFolderThatOthersMayWriteTo_IsClosedToThem()
    {
        if (!Libraries.IsLinux) return;
        Directory.CreateDirectory(_folder["a"]);
        File.SetUnixFileMode(_folder["a"], OwnerOnly | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite);
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(Open("a")));
    }

    [Fact]
    public void Open_FolderOfAnotherUser_IsRefused()
    {
        if (!Libraries.IsLinux) return;
        Directory.CreateDirectory(_folder["a"]);
        if (!TestFolder.TryGiveAway(_folder["a"])) return;
        Assert.Contains("another user", Assert.Throws<IOException>(() => Open("a")).Message);
    }

    [Fact]
    public void Open_BelowAFolderOfAnotherUser_IsRefused()
    {
        if (!Libraries.IsLinux) return;
        Directory.CreateDirectory(_folder["a", "b"], OwnerOnly);
        if (!TestFolder.TryGiveAway(_folder["a"])) return;
        Assert.Contains("another user", Assert.Throws<IOException>(() => Open("a", "b")).Message);
    }

    [Fact]
    public void Open_BelowAFolderThatOthersMayChange_IsRefused()
    {
        if (!Libraries.IsLinux) return;
        Directory.CreateDirectory(_folder["a", "b"], OwnerOnly);
        File.SetUnixFileMode(_folder["a"], OwnerOnly | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute);
        Assert.Contains("other users may change", Assert.Throws<IOException>(() => Open("a", "b")).Message);
        File.SetUnixFileMode(_folder["a"], OwnerOnly | UnixFileMode.OtherWrite | UnixFileMode.StickyBit);
        Assert.NotEmpty(Open("a", "b"));
    }

    [Fact]
    public void Open_ALink_IsRefused_AndLinksAboveAreFollowed()
    {
        if (!Libraries.IsLinux) return;
        Directory.CreateDirectory(_folder["real", "inner"], OwnerOnly);
        Directory.CreateSymbolicLink(_folder["link"], _folder["real"]);
        Assert.Contains("a link", Assert.Throws<IOException>(() => Open("link")).Message);
        Assert.Equal(_folder["real", "inner"], Open("link", "inner"));
    }

    [Fact]
    public void Open_BehindALinkIntoAnotherUsersFolder_IsRefused()
    {
        if (!Libraries.IsLinux) return;
        Directory.CreateDirectory(_folder["theirs", "inner"], OwnerOnly);
        Directory.CreateSymbolicLink(_folder["link"], _folder["theirs"]);
        if (!TestFolder.TryGiveAway(_folder["theirs"])) return;
        Assert.Throws<IOException>(() => Open("link", "inner"));
    }

    [Fact]
    public void Open_WhereAFileStands_Throws()
    {
        if (!Libraries.IsLinux) return;
        File.WriteAllText(_folder["a"], "");
        Assert.ThrowsAny<IOException>(() => Open("a"));
    }

    private string Open(params string[] names) => PrivateFolder.Open(_folder[names], SystemCalls.EffectiveUser());
}
