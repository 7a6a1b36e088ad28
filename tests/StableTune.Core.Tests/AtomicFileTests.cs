namespace StableTune.Tests;

public sealed class AtomicFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("stabletune-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Write_ReplacesTheFileAndLeavesNothingElse()
    {
        var path = Path.Combine(_folder, "new", "a.txt");
        AtomicFile.WriteText(path, "first");
        AtomicFile.WriteText(path, "second");
        Assert.Equal("second", File.ReadAllText(path));
        Assert.Single(Directory.GetFileSystemEntries(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void Write_ANameAsLongAsNamesMayBe_Works()
    {
        var path = Path.Combine(_folder, new string('n', 251) + ".txt");
        AtomicFile.WriteText(path, "long");
        Assert.Equal("long", File.ReadAllText(path));
    }

    [Fact]
    public void Write_ThatThrows_KeepsTheOldFile()
    {
        var path = Path.Combine(_folder, "a.txt");
        AtomicFile.WriteText(path, "first");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(path, stream =>
        {
            stream.WriteByte(1);
            throw new InvalidOperationException("stop");
        }));
        Assert.Equal("first", File.ReadAllText(path));
        Assert.Single(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void Write_WhereNothingCanBeWritten_NamesThePathAndTheRemedy()
    {
        var file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "x");
        Directory.CreateDirectory(Path.Combine(_folder, "folder"));
        Assert.All([Path.Combine(_folder, "folder"), Path.Combine(file, "inside")], path =>
        {
            var error = Assert.ThrowsAny<Exception>(() => AtomicFile.WriteText(path, "y"));
            Assert.True(error is IOException or UnauthorizedAccessException, $"{error}");
            Assert.StartsWith($"{path} cannot be written: ", error.Message, StringComparison.Ordinal);
            Assert.EndsWith("or give another path.", error.Message, StringComparison.Ordinal);
        });
        Assert.Equal(2, Directory.GetFileSystemEntries(_folder).Length);
    }

    [Fact]
    public void CanWriteInto_AFileInsteadOfAFolder_SaysWhyNot()
    {
        var path = Path.Combine(_folder, "file");
        File.WriteAllText(path, "");
        Assert.False(AtomicFile.CanWriteInto(Path.Combine(path, "below"), out var reason));
        Assert.NotEmpty(reason);
        Assert.True(AtomicFile.CanWriteInto(_folder, out _));
        Assert.Single(Directory.GetFileSystemEntries(_folder));
    }
}
