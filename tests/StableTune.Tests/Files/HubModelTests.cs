using System.Collections.Concurrent;
using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>From a name on the hub to a model that computes, through a server on loopback that has bad days.</summary>
public sealed class HubModelTests : IDisposable
{
    private const string UNet = "unet/diffusion_pytorch_model.safetensors", Vae = "vae/diffusion_pytorch_model.safetensors",
        Text = "text_encoder/model.safetensors";

    private readonly ModelForms _forms = new();
    private readonly FakeHub _hub = new();

    private ModelLoadOptions Options => new()
    {
        Hub = new HubOptions
        {
            Endpoint = _hub.Server.Address, CacheFolder = _forms.Folder.Folder("cache"), Offline = false, Token = "",
            RetryDelay = TimeSpan.FromMilliseconds(1),
        },
    };

    private ModelLoadOptions Offline => Options with { Hub = Options.Hub! with { Offline = true } };

    public void Dispose()
    {
        _hub.Dispose();
        _forms.Dispose();
    }

    [Fact]
    public void Load_Repository_DownloadsItFromAServerThatMisbehaves()
    {
        _hub.AddFolder(_forms.Path("tiny-sd15"));
        _hub.AddText("README.md", "a model");
        _hub.Add("tiny.safetensors", 1000);
        _hub.Next(FakeHub.InfoPath(), _ => Reply.Of(429, ("Retry-After", "0")), _ => Reply.Of(503));
        _hub.Next(FakeHub.FilePath(UNet), request => _hub.File(request) with { CutAfter = 5000 }, request =>
            _hub.File(request) with { CutAfter = 7000 });
        _hub.Next(FakeHub.FilePath(Text), request => _hub.File(request) with { Body = new byte[_hub.Files[Text].Length] });
        _hub.Next(FakeHub.FilePath(Vae), _ => Reply.RedirectTo("/storage/vae?signature=1", ("X-Linked-ETag", $"\"{_hub.Id(Vae)}\"")));
        _hub.Always("/storage/vae", _ => new Reply { Body = _hub.Files[Vae] });

        var progress = new Notes();
        Assert.Empty(ModelLoader.Check(FakeHub.Name, Options));
        Assert.Empty(_hub.Server.Requests);
        using var model = ModelLoader.Load(FakeHub.Name, Options with { Progress = progress });
        using var local = ModelLoader.Load(_forms.Path("tiny-sd15"));
        ModelMatrixTests.AssertSame(local, model, null);
        Assert.Equal(FakeHub.Name, model.Path);
        Assert.Equal([0L, 5000, 12000], _hub.Server.Requests.Where(r => r.Path == FakeHub.FilePath(UNet)).Select(r => r.From));
        Assert.Equal(2, _hub.Server.CountOf(FakeHub.FilePath(Text)));
        Assert.Equal(0, _hub.Server.CountOf(FakeHub.FilePath("README.md")) + _hub.Server.CountOf(FakeHub.FilePath("tiny.safetensors")));
        Assert.Equal(["downloading", "loading"], progress.Stages.Distinct());

        _hub.Server.Dispose();
        Assert.Empty(ModelLoader.Check(FakeHub.Name, Offline));
        using var again = ModelLoader.Load(FakeHub.Name, Offline);
        ModelMatrixTests.AssertSame(local, again, null);
    }

    [Fact]
    public void Load_SingleFile_BringsItsYaml()
    {
        var file = _forms.Path("tiny-sd21-v.safetensors");
        _hub.AddFile("checkpoints/tiny.safetensors", file);
        _hub.AddFile("checkpoints/tiny.yaml", Path.ChangeExtension(file, ".yaml"));
        _hub.Add("checkpoints/other.safetensors", 1000);
        var reading = Options with { ConfigurationPath = _forms.Reading("tiny-sd21-v.safetensors").ConfigurationPath };
        using var model = ModelLoader.Load($"{FakeHub.Name}/checkpoints/tiny.safetensors", reading);
        using var local = ModelLoader.Load(file, _forms.Reading("tiny-sd21-v.safetensors"));
        ModelMatrixTests.AssertSame(local, model, null);
        Assert.Equal(ModelPrediction.V, model.Details!.Prediction);
        Assert.Equal((1, 0), (_hub.Server.CountOf(FakeHub.FilePath("checkpoints/tiny.yaml")),
            _hub.Server.CountOf(FakeHub.FilePath("checkpoints/other.safetensors"))));
    }

    [Theory]
    [InlineData(FakeHub.Name)]
    [InlineData(FakeHub.Name + "/vae")]
    [InlineData(FakeHub.Name + "/" + Vae)]
    public void Load_VaeOfARepository_FetchesNothingElse(string name)
    {
        var other = _forms.Path("tiny-sd21-v");
        _hub.AddFolder(other);
        using var model = ModelLoader.Load(_forms.Path("tiny-sd15"), Options with { VaePath = name });
        using var local = ModelLoader.Load(other, new ModelLoadOptions { Parts = ModelParts.Vae });
        using var scope = NewDisposeScope();
        var actual = model.Vae.state_dict();
        foreach (var (key, tensor) in local.Vae.state_dict()) GoldenComparison.AssertClose(key, tensor, actual[key], 0);
        var fetched = _hub.Server.Requests.Select(r => r.Path).Where(path => path.Contains("/resolve/", StringComparison.Ordinal))
            .Distinct().ToList();
        Assert.Contains(FakeHub.FilePath(Vae), fetched);
        Assert.All(fetched, path => Assert.StartsWith(FakeHub.FilePath("vae/"), path));
    }

    [Fact]
    public void Train_OnARepository_LearnsWhatItLearnsOnTheFolder()
    {
        _hub.AddFolder(_forms.Path("tiny-sd15"));
        var notes = new Notes();
        var result = TinyRun.Builder(_forms.Folder, "hub").WithModel(FakeHub.Name, Options).Train(notes);
        Assert.Equal(TinyRun.Builder(_forms.Folder, "folder").WithModel(_forms.Path("tiny-sd15")).Train().Losses, result.Losses);
        Assert.Equal(TinyRun.Weights(TinyRun.Output(_forms.Folder, "folder")), TinyRun.Weights(result.Files[0]));
        Assert.Equal("downloading", notes.Stages.First());
        Assert.Equal(1, _hub.Server.CountOf(FakeHub.FilePath(UNet)));
    }

    private sealed class Notes : IProgress<TrainingProgress>, IProgress<WorkProgress>
    {
        public ConcurrentQueue<string> Stages { get; } = new();

        public void Report(TrainingProgress value) => Stages.Enqueue(value.Stage());

        public void Report(WorkProgress value) => Stages.Enqueue(value.Stage);
    }
}
