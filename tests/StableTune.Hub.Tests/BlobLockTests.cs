namespace StableTune.Hub.Tests;

/// <summary>Two who want the same file download it once.</summary>
public sealed class BlobLockTests : IDisposable
{
    private static readonly HubName Name = HubName.Parse(FakeHub.Name);

    private readonly HubBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Fact]
    public async Task TwoClients_DownloadAFileOnce()
    {
        _bed.Hub.WithModel();
        using var first = _bed.Client();
        using var second = _bed.Client();
        var found = await Task.WhenAll(
            Task.Run(() => first.Resolve(Name)), Task.Run(() => second.Resolve(Name)), Task.Run(() => first.Resolve(Name)));
        Assert.All(found, snapshot => Assert.Equal(_bed.Snapshot, snapshot.Path));
        foreach (var path in new[] { "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
            "unet/config.json", "tokenizer/merges.txt", "model_index.json" })
        {
            Assert.Equal(1, _bed.Hub.Server.CountOf(FakeHub.FilePath(path)));
            Assert.Equal(_bed.Hub.Files[path], _bed.Placed(path));
        }
    }

    [Fact]
    public async Task WhileAnotherProgramDownloads_TheClientWaits_AndTakesWhatItLeft()
    {
        var content = _bed.Hub.Add("a.bin", 1000);
        var lockFile = Path.Combine(_bed.Cache, ".locks", "models--frog--green", _bed.Hub.Id("a.bin") + ".lock");
        Directory.CreateDirectory(Path.GetDirectoryName(lockFile)!);
        Task<HubSnapshot> waiting;
        await using (new FileStream(lockFile, FileMode.Create, FileAccess.ReadWrite, FileShare.None))
        {
            waiting = _bed.Client().ResolveAsync(HubName.Parse("frog/green/a.bin"));
            while (!_bed.Log.Lines.Any(line => line.Contains("waiting", StringComparison.Ordinal))) await Task.Delay(5);
            Assert.False(waiting.IsCompleted);
            Directory.CreateDirectory(Path.GetDirectoryName(_bed.Blob("a.bin"))!);
            File.WriteAllBytes(_bed.Blob("a.bin"), content);
        }

        Assert.Equal(content, File.ReadAllBytes((await waiting).Path));
        Assert.Equal(0, _bed.Hub.Server.CountOf(FakeHub.FilePath("a.bin")));
        Assert.True(File.Exists(lockFile));
    }

    [Fact]
    public async Task Waiting_CanBeCancelled()
    {
        _bed.Hub.Add("a.bin", 1000);
        var lockFile = Path.Combine(_bed.Cache, ".locks", "models--frog--green", _bed.Hub.Id("a.bin") + ".lock");
        Directory.CreateDirectory(Path.GetDirectoryName(lockFile)!);
        await using var held = new FileStream(lockFile, FileMode.Create, FileAccess.ReadWrite, FileShare.None);
        using var cancel = new CancellationTokenSource();
        var waiting = _bed.Client().ResolveAsync(HubName.Parse("frog/green/a.bin"), cancellationToken: cancel.Token);
        while (!_bed.Log.Lines.Any(line => line.Contains("waiting", StringComparison.Ordinal))) await Task.Delay(5);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public void OneFileWithTwoNames_IsDownloadedOnce()
    {
        _bed.Hub.AddText("a/x.json", "{\"same\": 1}");
        _bed.Hub.AddText("b/x.json", "{\"same\": 1}");
        _bed.Client().Resolve(Name, HubSelection.All);
        Assert.Equal(_bed.Placed("a/x.json"), _bed.Placed("b/x.json"));
        Assert.Equal(1, _bed.Hub.Server.CountOf(FakeHub.FilePath("a/x.json")) + _bed.Hub.Server.CountOf(FakeHub.FilePath("b/x.json")));
    }

    [Fact]
    public void ACacheThatCannotBeWrittenTo_IsAnError()
    {
        _bed.Hub.Add("a.bin", 10);
        File.WriteAllText(_bed.Cache, "a file where the folder should be");
        Assert.ThrowsAny<IOException>(() => _bed.Client().Resolve(HubName.Parse("frog/green/a.bin")));
    }
}
