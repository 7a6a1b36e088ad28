using StableTune.Hub;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

/// <summary>Names on the hub, against a cache that lies on this disk: nothing is asked of any server.</summary>
public sealed class ModelLocationTests : IDisposable
{
    private const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Load_NameInTheCache_LoadsIt()
    {
        var snapshot = Cache("someone", "tiny", FixtureModels.TinySd15(_folder));
        Assert.Empty(ModelLoader.Check("someone/tiny", Offline()));
        using var model = ModelLoader.Load("someone/tiny", Offline() with { Parts = ModelParts.Vae });
        Assert.Equal(("someone/tiny", snapshot), (model.Path, model.Details!.Path));
        Assert.Equal(5, ModelConfiguration.Find("someone/tiny", Offline())!.LargestClipSkip);
    }

    [Theory]
    [InlineData("someone/tiny:main", null)]
    [InlineData("someone/tiny:v2", null)]
    [InlineData("someone/tiny", "v2")]
    public void Load_NameWithRevision_TakesThatOne(string name, string? revision)
    {
        Cache("someone", "tiny", FixtureModels.TinySd15(_folder), "main", "v2");
        using var model = ModelLoader.Load(name, Offline() with { Parts = ModelParts.Vae, Revision = revision });
        Assert.Equal(ModelParts.Vae, model.Parts);
    }

    [Fact]
    public void Load_VaeOfTheCache_IsTaken()
    {
        Cache("someone", "other", FixtureModels.TinySd21V(_folder));
        using var model = ModelLoader.Load(
            FixtureModels.TinySd15(_folder), Offline() with { Parts = ModelParts.Vae, VaePath = "someone/other" });
        Assert.Equal([16, 16, 16, 16], model.Vae.Options.BlockOutChannels);
    }

    [Fact]
    public void Load_NameThatTheCacheLacks_SaysBoth()
    {
        var error = Assert.Throws<InvalidFileException>(() => ModelLoader.Load("someone/absent", Offline()));
        Assert.Contains("no file or folder of this name", error.Message);
        Assert.Contains("someone/absent", error.Message);
        Assert.Equal(HubFault.Offline, Assert.IsType<HubException>(error.InnerException).Fault);
        Assert.Contains("someone/absent", Assert.Single(ModelLoader.Check("someone/absent", Offline())).ToString());
    }

    [Fact]
    public void Load_PathWithASlip_NamesWhatIsThere()
    {
        var model = FixtureModels.TinySd15(_folder);
        var wrong = model[..^1] + "6";
        Assert.Contains($"Did you mean {model}?", Assert.Throws<InvalidFileException>(() => ModelLoader.Load(wrong)).Remedy,
            StringComparison.Ordinal);

        // What could be a name on the hub as well, where the hub cannot be asked.
        var unreached = new ModelLoadOptions { Hub = new HubOptions { CacheFolder = _folder.Folder("cache"), Offline = false,
            Endpoint = new Uri("http://127.0.0.1:9/"), Retries = 0 } };
        var error = Assert.Throws<InvalidFileException>(() => ModelLoader.Load("modells/tiny", unreached));
        Assert.Contains("the hub cannot be asked for it: 127.0.0.1:9 was not reached", error.Fault, StringComparison.Ordinal);
        Assert.StartsWith("If a path is meant, fix it.", error.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_NameThatIsYetToBeDownloaded_AsksNoServer()
    {
        // Nothing listens there, so that any question would be a fault.
        var online = new ModelLoadOptions { Hub = new HubOptions { CacheFolder = _folder.Folder("cache"), Offline = false,
            Endpoint = new Uri("http://127.0.0.1:9/"), Retries = 0 } };
        Assert.Empty(ModelLoader.Check("someone/absent", online));
        Assert.Empty(ModelLoader.Check(FixtureModels.TinySd15(_folder), online with { VaePath = "someone/vae" }));
        Assert.Null(ModelConfiguration.Find("someone/absent", online));
        Assert.Throws<InvalidFileException>(() => ModelLoader.Load("someone/absent", online));
    }

    [Fact]
    public void Check_ImpossibleRevision_NamesTheOption() =>
        Assert.Contains("ModelLoadOptions.Revision",
            Assert.Single(ModelLoader.Check("someone/tiny", Offline() with { Revision = "../x" })).ToString());

    private ModelLoadOptions Offline() => new() { Hub = new HubOptions { CacheFolder = _folder.Folder("cache"), Offline = true } };

    // models--owner--name/{refs/<revision>, snapshots/<commit>}
    private string Cache(string owner, string name, string model, params string[] revisions)
    {
        var repository = _folder.Folder("cache", $"models--{owner}--{name}");
        var snapshot = Path.Combine(repository, "snapshots", Commit);
        Directory.CreateDirectory(Path.GetDirectoryName(snapshot)!);
        Directory.Move(model, snapshot);
        Directory.CreateDirectory(Path.Combine(repository, "refs"));
        foreach (var revision in revisions.Append("main")) File.WriteAllText(Path.Combine(repository, "refs", revision), Commit);
        return snapshot;
    }
}
