using StableTune.Torch.Loading;

namespace StableTune.Torch.Tests.Loading;

public sealed class KeptLibraryTests : IDisposable
{
    private static readonly byte[] _content = [.. Enumerable.Range(0, 70_000).Select(value => (byte)value)];
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Keep_Twice_WritesOnce()
    {
        var path = KeptLibrary.Keep(_folder.Path, "a.so", _content);
        Assert.Equal(_content, File.ReadAllBytes(path));
        var written = DateTime.UnixEpoch.AddYears(40);
        File.SetLastWriteTimeUtc(path, written);
        Assert.Equal(path, KeptLibrary.Keep(_folder.Path, "a.so", _content));
        Assert.Equal(written, File.GetLastWriteTimeUtc(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(69_999)]
    [InlineData(70_001)]
    public void Keep_OverACopyOfAnotherLength_WritesAgain(int length) => KeepsOver(new byte[length]);

    [Fact]
    public void Keep_OverACopyWithOneDamagedByte_WritesAgain() => KeepsOver([.. _content[..^1], (byte)(_content[^1] ^ 1)]);

    [Fact]
    public void Keep_WhereALinkStands_ReplacesTheLink()
    {
        File.WriteAllBytes(_folder["other"], _content);
        File.CreateSymbolicLink(_folder["a.so"], _folder["other"]);
        var path = KeptLibrary.Keep(_folder.Path, "a.so", _content);
        Assert.Null(new FileInfo(path).LinkTarget);
    }

    [Fact]
    public void Keep_WhereAFolderStands_Throws()
    {
        Directory.CreateDirectory(_folder["a.so", "inner"]);
        Assert.ThrowsAny<Exception>(() => KeptLibrary.Keep(_folder.Path, "a.so", _content));
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Keep_ByManyAtOnce_GivesAllTheSame()
    {
        Parallel.For(0, 50, _ => Assert.Equal(_content, File.ReadAllBytes(KeptLibrary.Keep(_folder.Path, "a.so", _content))));
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    private void KeepsOver(byte[] damaged)
    {
        File.WriteAllBytes(_folder["a.so"], damaged);
        Assert.Equal(_content, File.ReadAllBytes(KeptLibrary.Keep(_folder.Path, "a.so", _content)));
    }
}
