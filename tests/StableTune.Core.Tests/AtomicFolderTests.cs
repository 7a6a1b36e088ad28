namespace StableTune.Tests;

public sealed class AtomicFolderTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("stabletune-test-").FullName;
    private readonly string _path;

    public AtomicFolderTests() => _path = Path.Combine(_root, "model");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Write_ReplacesTheFolderAndKeepsWhatTheNewOneLacks()
    {
        AtomicFolder.Write(_path, folder => Fill(folder, "first"));
        File.WriteAllText(Path.Combine(_path, "README.md"), "mine");
        Directory.CreateDirectory(Path.Combine(_path, ".git"));
        File.WriteAllText(Path.Combine(_path, "unet", "stale"), "");
        AtomicFolder.Write(_path + Path.DirectorySeparatorChar, folder => Fill(folder, "second"));

        Assert.Equal("second", File.ReadAllText(Path.Combine(_path, "unet", "a")));
        Assert.Equal(["a"], Directory.EnumerateFileSystemEntries(Path.Combine(_path, "unet")).Select(Path.GetFileName));
        Assert.Equal("mine", File.ReadAllText(Path.Combine(_path, "README.md")));
        Assert.True(Directory.Exists(Path.Combine(_path, ".git")));
        Assert.Equal([_path], Directory.EnumerateFileSystemEntries(_root));
    }

    [Fact]
    public void Write_ThatThrows_KeepsTheOldFolder()
    {
        AtomicFolder.Write(_path, folder => Fill(folder, "first"));
        Assert.Throws<InvalidOperationException>(() => AtomicFolder.Write(_path, folder =>
        {
            Fill(folder, "second");
            throw new InvalidOperationException("stop");
        }));
        Assert.Equal("first", File.ReadAllText(Path.Combine(_path, "unet", "a")));
        Assert.Equal([_path], Directory.EnumerateFileSystemEntries(_root));
    }

    [Fact]
    public void Write_AfterAProcessWasKilled_RemovesWhatItLeft()
    {
        Fill(_path + ".partial", "half");
        File.WriteAllText(Path.Combine(_path + ".partial", "more"), "");
        AtomicFolder.Write(_path, folder => Fill(folder, "first"));
        Assert.Equal(["unet"], Directory.EnumerateFileSystemEntries(_path).Select(Path.GetFileName));
        Assert.Equal([_path], Directory.EnumerateFileSystemEntries(_root));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Write_AfterAProcessWasKilledWhileItExchanged_LosesNothing(bool newHasItsName)
    {
        Fill(_path + ".replaced", "first");
        File.WriteAllText(Path.Combine(_path + ".replaced", "README.md"), "mine");
        if (newHasItsName) Fill(_path, "second");
        Assert.Throws<InvalidOperationException>(() => AtomicFolder.Write(_path, _ => throw new InvalidOperationException("stop")));
        Assert.Equal(newHasItsName ? "second" : "first", File.ReadAllText(Path.Combine(_path, "unet", "a")));
        Assert.Equal("mine", File.ReadAllText(Path.Combine(_path, "README.md")));
        AtomicFolder.Write(_path, folder => Fill(folder, "third"));
        Assert.Equal("third", File.ReadAllText(Path.Combine(_path, "unet", "a")));
        Assert.Equal("mine", File.ReadAllText(Path.Combine(_path, "README.md")));
        Assert.Equal([_path], Directory.EnumerateFileSystemEntries(_root));
    }

    [Fact]
    public void Write_WhereAFileStands_IsRefused()
    {
        File.WriteAllText(_path, "file");
        Assert.Contains(_path, Assert.Throws<IOException>(() => AtomicFolder.Write(_path, folder => Fill(folder, "first"))).Message);
        Assert.Equal("file", File.ReadAllText(_path));
    }

    private static void Fill(string folder, string text)
    {
        Directory.CreateDirectory(Path.Combine(folder, "unet"));
        File.WriteAllText(Path.Combine(folder, "unet", "a"), text);
    }
}
