using StableTune.Data;
using StableTune.Testing;

namespace StableTune.Preparation.Tests.Preparation;

/// <summary>Searching folders inside folders: links that lead back, folders that cannot be listed.</summary>
public sealed class ImageSearchTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public ImageSearchTests()
    {
        foreach (var name in new[] { "root.png", "a/one.png", "a/b/two.png", "a-b/three.png" })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_folder.File(name))!);
            Pictures.Write(_folder.File(name), 8, 8);
            File.WriteAllText(Path.ChangeExtension(_folder.File(name), ".txt"), name);
        }
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void In_Recursive_GivesTheFolderFirst_ThenThoseInsideByName() =>
        Assert.Equal(["root.png", "a/one.png", "a-b/three.png", "a/b/two.png"], Names(ImageSearch.In(_folder.Path, recursive: true)));

    [Fact]
    public void In_NotRecursive_GivesTheFolderAlone() => Assert.Equal(["root.png"], Names(ImageSearch.In(_folder.Path, recursive: false)));

    [Fact]
    public void In_LinksToOtherFolders_AreFollowed()
    {
        Directory.CreateSymbolicLink(_folder.File("a-b/link"), "../a/b");
        Directory.CreateSymbolicLink(_folder.File("gone"), "nowhere");
        var search = ImageSearch.In(_folder.Path, recursive: true);
        Assert.Equal(["root.png", "a/one.png", "a-b/three.png", "a-b/link/two.png", "a/b/two.png"], Names(search));
        Assert.Empty(search.LeftOut);
    }

    /// <summary>Two such links would double the folders with every level, until the system calls the paths too long.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Run_LinksThatLeadBack_AreLeftOutByName(bool throughLink)
    {
        var root = _folder.Path;
        using var elsewhere = new TemporaryFolder();
        if (throughLink) Directory.CreateSymbolicLink(root = elsewhere.File("link"), _folder.Path);
        Directory.CreateSymbolicLink(_folder.File("a/up"), "..");
        Directory.CreateSymbolicLink(_folder.File("a/b/whole"), _folder.Path);
        Directory.CreateSymbolicLink(_folder.File("a/b/self"), ".");
        var report = MetadataMerge.Run(
            new MetadataMergeOptions { ImageFolder = root, Output = elsewhere.File("meta.json"), Text = MergedText.Tags, FullPath = true,
            Recursive = true });
        Assert.Equal(4, report.Done);
        Assert.Equal(["a/b/self", "a/b/whole", "a/up"], report.Skipped.Select(folder => Path.GetRelativePath(root, folder.Path)));
        Assert.All(report.Skipped, folder => Assert.Contains("which it lies in", folder.Reason));
    }

    /// <summary>Root may read everything, so that the fault is made here.</summary>
    [Fact]
    public void In_FoldersThatCannotBeListed_AreLeftOutByName()
    {
        var search = ImageSearch.In(_folder.Path, recursive: true, folder => Path.GetFileName(folder) == "b"
            ? throw new UnauthorizedAccessException("Access is denied.") : (ImageFiles.In(folder), Directory.GetDirectories(folder)));
        Assert.Equal(["root.png", "a/one.png", "a-b/three.png"], Names(search));
        Assert.Equal(new SkippedFile(_folder.File("a/b"), "the folder cannot be listed: Access is denied"), Assert.Single(search.LeftOut));
    }

    [Fact]
    public void In_TheFolderItself_IsNamedWithARemedy()
    {
        var error = Assert.Throws<InvalidFileException>(() =>
            ImageSearch.In(_folder.Path, recursive: false, _ => throw new UnauthorizedAccessException("Access is denied.")));
        Assert.Equal(_folder.Path, error.Path);
        Assert.Contains("Access is denied", error.Message);
        Assert.Contains("may be read", error.Message);
    }

    private string[] Names(ImageSearch search)
    {
        Assert.All(search.Images, image => Assert.Equal(image.Key, image.Path));
        return [.. search.Images.Select(image => Path.GetRelativePath(_folder.Path, image.Path))];
    }
}
