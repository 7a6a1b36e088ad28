namespace StableTune.Hub.Tests;

/// <summary>What other programs have left in the cache is found, and nothing is found that is not there.</summary>
public sealed class HubCacheTests
{
    private const string Index = """{"unet": ["diffusers", "UNet2DConditionModel"], "scheduler": ["diffusers", "DDIMScheduler"]}""";
    private static readonly HubName Model = HubName.Parse(FakeHub.Name);
    private static readonly string Other = new('c', 40);

    [Theory]
    [InlineData("main", null)]
    [InlineData("fp16", "fp16")]
    [InlineData("refs/pr/3", "refs/pr/3")]
    public void FindInCache_FollowsRefs(string written, string? asked)
    {
        using var bed = new HubBed();
        WriteModel(bed, FakeHub.Commit);
        WriteModel(bed, Other);
        bed.Write(FakeHub.Commit + "\n", ["refs", .. written.Split('/')]);
        Assert.Equal(bed.Snapshot, bed.Client().FindInCache(Model.At(asked))!.Path);
    }

    [Fact]
    public void FindInCache_FindsCommits_WholeAndShort()
    {
        using var bed = new HubBed();
        WriteModel(bed, FakeHub.Commit);
        WriteModel(bed, Other);
        Assert.Equal(FakeHub.Commit, bed.Client().FindInCache(Model.At(FakeHub.Commit))!.Commit);
        Assert.Equal(Other, bed.Client().FindInCache(Model.At(Other[..7]))!.Commit);
        Assert.Null(bed.Client().FindInCache(Model.At(Other[..6])));
        Assert.Null(bed.Client().FindInCache(Model.At(new string('d', 40))));
    }

    [Fact]
    public void FindInCache_WithoutRefs_TakesTheNewestForMainAlone()
    {
        using var bed = new HubBed();
        WriteModel(bed, FakeHub.Commit);
        WriteModel(bed, Other);
        Directory.SetLastWriteTimeUtc(Path.Combine(bed.Repository, "snapshots", Other),
            new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        Assert.Equal(FakeHub.Commit, bed.Client().FindInCache(Model)!.Commit);
        Directory.SetLastWriteTimeUtc(Path.Combine(bed.Repository, "snapshots", Other),
            new DateTime(2050, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        Assert.Equal(Other, bed.Client().FindInCache(Model)!.Commit);
        Assert.Null(bed.Client().FindInCache(Model.At("fp16")));
    }

    [Fact]
    public void FindInCache_ReadsLinksToBlobs_AndNotThoseThatLeadNowhere()
    {
        using var bed = new HubBed();
        WriteModel(bed, FakeHub.Commit);
        var weights = Path.Combine(bed.Snapshot, "unet", "diffusion_pytorch_model.safetensors");
        File.Delete(weights);
        File.CreateSymbolicLink(weights, "../../../blobs/" + Other);
        Assert.Null(bed.Client().FindInCache(Model));
        bed.Write("weights", "blobs", Other);
        Assert.Equal(bed.Snapshot, bed.Client().FindInCache(Model)!.Path);
    }

    [Fact]
    public void FindInCache_OfDataSets_LooksIntoTheirFolder()
    {
        using var bed = new HubBed();
        var path = Path.Combine(bed.Cache, "datasets--frog--green", "snapshots", Other, "a.png");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, "x");
        Assert.Equal(path, bed.Client().FindInCache(HubName.Parse("frog/green/a.png:main:dataset"))!.Path);
        Assert.Null(bed.Client().FindInCache(HubName.Parse("frog/green/a.png")));
    }

    [Theory]
    [InlineData("../../evil")]
    [InlineData("")]
    [InlineData("0123")]
    public void FindInCache_RefusesRefsThatHoldNoCommit(string content)
    {
        using var bed = new HubBed();
        WriteModel(bed, FakeHub.Commit);
        var path = bed.Write(content, "refs", "main");
        var error = Assert.Throws<InvalidFileException>(() => bed.Client().FindInCache(Model));
        Assert.Equal(path, error.Path);
        Assert.Contains("40 hexadecimal digits", error.Message);
    }

    [Fact]
    public void FindInCache_OfATornIndex_NamesTheFile()
    {
        using var bed = new HubBed();
        var path = bed.Write("{\"unet\": [", "snapshots", FakeHub.Commit, "model_index.json");
        Assert.Equal(path, Assert.Throws<InvalidFileException>(() => bed.Client().FindInCache(Model)).Path);
    }

    [Fact]
    public void Offline_SaysWhatWasLookedForAndWhere()
    {
        using var bed = new HubBed();
        using var client = bed.Client(bed.Options with { Offline = true });
        var nothing = Assert.Throws<HubException>(() => client.Resolve(Model));
        Assert.Equal(HubFault.Offline, nothing.Fault);
        Assert.Contains($"there is no folder {bed.Repository}", nothing.Message);
        Assert.Contains("HF_HUB_OFFLINE", nothing.Remedy);

        WriteModel(bed, FakeHub.Commit);
        Assert.Contains("does not hold its revision \"fp16\"", Assert.Throws<HubException>(() => client.Resolve(Model.At("fp16"))).Message);
        File.Delete(Path.Combine(bed.Snapshot, "unet", "diffusion_pytorch_model.safetensors"));
        Assert.Contains("unet: weights", Assert.Throws<HubException>(() => client.Resolve(Model)).Message);
        Assert.Contains("x.ckpt", Assert.Throws<HubException>(() => client.Resolve(HubName.Parse("frog/green/x.ckpt"))).Message);
        Assert.Empty(bed.Hub.Server.Requests);
    }

    [Fact]
    public async Task Offline_AsksNobody_NotForListsEither()
    {
        using var bed = new HubBed();
        var error = await Assert.ThrowsAsync<HubException>(() => bed.Client(bed.Options with { Offline = true }).ListAsync(Model));
        Assert.Equal(HubFault.Offline, error.Fault);
        Assert.Empty(bed.Hub.Server.Requests);
    }

    private static void WriteModel(HubBed bed, string commit)
    {
        bed.Write(Index, "snapshots", commit, "model_index.json");
        bed.Write("{}", "snapshots", commit, "unet", "config.json");
        bed.Write("weights", "snapshots", commit, "unet", "diffusion_pytorch_model.safetensors");
        bed.Write("{}", "snapshots", commit, "scheduler", "scheduler_config.json");
    }
}
