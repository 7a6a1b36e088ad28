using System.Text;

namespace StableTune.Hub.Tests;

public sealed class ResolveTests
{
    private static readonly HubName Model = HubName.Parse(FakeHub.Name);

    [Fact]
    public void Resolve_OfAModel_BringsWhatItNeeds_WherePythonWouldLook()
    {
        using var bed = new HubBed();
        bed.Hub.WithModel();
        var found = bed.Client().Resolve(Model);
        Assert.Equal(new HubSnapshot(bed.Snapshot, FakeHub.Commit, FromCache: false), found);
        Assert.Equal(FakeHub.Commit, File.ReadAllText(Path.Combine(bed.Repository, "refs", "main")));
        string[] wanted =
        [
            "model_index.json", "scheduler/scheduler_config.json", "tokenizer/merges.txt", "tokenizer/vocab.json", "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors", "vae/config.json", "vae/diffusion_pytorch_model.safetensors",
        ];
        var there = Directory.GetFiles(bed.Snapshot, "*", SearchOption.AllDirectories).Select(p => Path.GetRelativePath(bed.Snapshot, p))
            .Order(StringComparer.Ordinal);
        Assert.Equal(wanted, there);
        foreach (var path in wanted)
        {
            Assert.Equal(bed.Hub.Files[path], bed.Placed(path));
            Assert.Equal(bed.Hub.Files[path], File.ReadAllBytes(bed.Blob(path)));
        }

        var link = new FileInfo(Path.Combine(bed.Snapshot, "unet", "config.json")).LinkTarget;
        Assert.Equal(Path.Combine("..", "..", "..", "blobs", bed.Hub.Id("unet/config.json")), link);
        Assert.Empty(Directory.GetFiles(Path.Combine(bed.Repository, "blobs"), "*.incomplete"));
    }

    [Fact]
    public void Resolve_OfWhatIsCached_AsksNobody()
    {
        using var bed = new HubBed();
        bed.Hub.WithModel();
        bed.Client().Resolve(Model);
        var asked = bed.Hub.Server.Requests.Count;
        var again = bed.Client().Resolve(Model);
        Assert.Equal(new HubSnapshot(bed.Snapshot, FakeHub.Commit, FromCache: true), again);
        Assert.Equal(bed.Snapshot, bed.Client(bed.Options with { Offline = true }).Resolve(Model).Path);
        Assert.Equal(bed.Snapshot, bed.Client().Resolve(Model.At(FakeHub.Commit)).Path);
        Assert.Equal(bed.Snapshot, bed.Client().Resolve(Model.At(FakeHub.Commit[..8])).Path);
        Assert.Equal(asked, bed.Hub.Server.Requests.Count);
    }

    [Fact]
    public void Resolve_OfAFile_BringsItsConfiguration()
    {
        using var bed = new HubBed();
        bed.Hub.Add("sd/v2.safetensors", 1000);
        bed.Hub.AddText("sd/v2.yaml", "model: {}");
        bed.Hub.AddText("other.json", "{}");
        var found = bed.Client().Resolve(HubName.Parse("frog/green/sd/v2.safetensors"));
        Assert.Equal(Path.Combine(bed.Snapshot, "sd", "v2.safetensors"), found.Path);
        Assert.Equal("model: {}", File.ReadAllText(Path.ChangeExtension(found.Path, ".yaml")));
        Assert.False(File.Exists(Path.Combine(bed.Snapshot, "other.json")));
    }

    [Fact]
    public void Resolve_OfAPartsWeights_BringsTheirConfiguration()
    {
        using var bed = new HubBed();
        bed.Hub.WithModel();
        var weights = bed.Hub.Files.Keys.Single(path =>
            path.StartsWith("vae/", StringComparison.Ordinal) && path.EndsWith(".safetensors", StringComparison.Ordinal));
        var found = bed.Client().Resolve(HubName.Parse($"frog/green/{weights}"));
        Assert.Equal(["config.json", Path.GetFileName(weights)],
            Directory.GetFiles(Path.GetDirectoryName(found.Path)!).Select(Path.GetFileName).Order());
        Assert.Single(Directory.GetDirectories(bed.Snapshot));
    }

    [Fact]
    public void Resolve_OfAnIndex_BringsItsShards()
    {
        const string Before = "unet/diffusion_pytorch_model";
        using var bed = new HubBed();
        bed.Hub.AddText($"{Before}.safetensors.index.json", "{}");
        bed.Hub.AddText("unet/config.json", "{}");
        string[] shards = [$"{Before}-00001-of-00002.safetensors", $"{Before}-00002-of-00002.safetensors"];
        foreach (var shard in shards) bed.Hub.Add(shard, 1000);
        bed.Hub.Add($"{Before}.fp16-00001-of-00001.safetensors", 1000);
        bed.Hub.Add($"{Before}.safetensors", 1000);
        var name = HubName.Parse($"frog/green/{Before}.safetensors.index.json");
        var found = bed.Client().Resolve(name);
        Assert.Equal(Path.Combine(bed.Snapshot, "unet", "diffusion_pytorch_model.safetensors.index.json"), found.Path);
        Assert.Equal(
            [.. shards.Select(Path.GetFileName), "config.json", Path.GetFileName(found.Path)],
            Directory.GetFiles(Path.GetDirectoryName(found.Path)!).Select(Path.GetFileName).Order(StringComparer.Ordinal)
                .OrderBy(file => !file!.Contains("-of-", StringComparison.Ordinal)));

        // What lacks a shard is no longer what was asked for, and is mended.
        Assert.True(bed.Client().Resolve(name).FromCache);
        File.Delete(Path.Combine(bed.Snapshot, shards[1]));
        Assert.Contains("1 shard(s)", bed.Fails(HubFault.Offline, name.ToString(), bed.Options with { Offline = true }).Reason,
            StringComparison.Ordinal);
        Assert.False(bed.Client().Resolve(name).FromCache);
        Assert.Equal(bed.Hub.Files[shards[1]], bed.Placed(shards[1]));
    }

    [Fact]
    public void Resolve_OfAFileWithoutConfiguration_RemembersThatThereIsNone()
    {
        using var bed = new HubBed();
        bed.Hub.Add("v1.ckpt", 1000);
        var name = HubName.Parse("frog/green/v1.ckpt");
        bed.Client().Resolve(name);
        Assert.True(File.Exists(Path.Combine(bed.Repository, ".no_exist", FakeHub.Commit, "v1.yaml")));
        var asked = bed.Hub.Server.Requests.Count;
        Assert.True(bed.Client().Resolve(name).FromCache);
        Assert.Equal(asked, bed.Hub.Server.Requests.Count);
    }

    [Fact]
    public void Resolve_WhereNothingCanBeNoted_WorksAllTheSame()
    {
        using var bed = new HubBed();
        bed.Hub.Add("v1.ckpt", 1000);
        bed.Write("v1", "snapshots", FakeHub.Commit, "v1.ckpt");
        File.WriteAllBytes(Path.Combine(bed.Snapshot, "v1.ckpt"), bed.Hub.Files["v1.ckpt"]);
        bed.Write("a file where a folder should be", ".no_exist");
        Assert.Equal(Path.Combine(bed.Snapshot, "v1.ckpt"), bed.Client().Resolve(HubName.Parse("frog/green/v1.ckpt")).Path);
        Assert.Contains(bed.Log.Lines, line => line.Contains("Nothing can be noted", StringComparison.Ordinal));
    }

    [Fact]
    public void Resolve_OfAFolder_BringsThePartAlone()
    {
        using var bed = new HubBed();
        bed.Hub.WithModel();
        var found = bed.Client().Resolve(HubName.Parse("frog/green/vae"));
        Assert.Equal(Path.Combine(bed.Snapshot, "vae"), found.Path);
        Assert.Equal(2, Directory.GetFiles(bed.Snapshot, "*", SearchOption.AllDirectories).Length);
    }

    [Theory]
    [InlineData("dir x/ü#%41+&=@2.txt")]
    [InlineData("模型/絵.txt")]
    public void Resolve_OfNamesThatAddressesMustEscape_FindsThem(string path)
    {
        using var bed = new HubBed();
        bed.Hub.AddText(path, "text");
        Assert.Equal("text", File.ReadAllText(bed.Client().Resolve(HubName.Parse($"frog/green/{path}")).Path));
    }

    [Fact]
    public void Resolve_WithFilter_BringsWhatItAccepts()
    {
        using var bed = new HubBed();
        bed.Hub.WithModel();
        bed.Client().Resolve(Model, HubSelection.Where(path => path.EndsWith(".md", StringComparison.Ordinal)));
        Assert.Equal("a model", Encoding.UTF8.GetString(bed.Placed("README.md")));
        Assert.Single(Directory.GetFiles(bed.Snapshot, "*", SearchOption.AllDirectories));
        Assert.Contains("files that are wanted",
            Assert.Throws<HubException>(() => bed.Client().Resolve(Model, HubSelection.Where(_ => false))).Message);
    }

    [Fact]
    public void Resolve_WhereLinksAreImpossible_PutsTheFilesThemselves()
    {
        using var bed = new HubBed();
        bed.Hub.WithModel();
        bed.Hub.AddText("vae/config.json", "{\"a\": 1}");   // the same blob as the UNet's
        bed.Client(links: false).Resolve(Model);
        Assert.Null(new FileInfo(Path.Combine(bed.Snapshot, "unet", "config.json")).LinkTarget);
        foreach (var path in new[] { "unet/config.json", "vae/config.json", "unet/diffusion_pytorch_model.safetensors" })
            Assert.Equal(bed.Hub.Files[path], bed.Placed(path));
        Assert.True(bed.Client(links: false).Resolve(Model).FromCache);
    }

    [Fact]
    public void Resolve_WhenTheBranchMovedOn_StaysUntilAskedToCheck()
    {
        using var bed = new HubBed();
        bed.Hub.WithModel();
        bed.Client().Resolve(Model);
        bed.Hub.Head = new string('b', 40);
        bed.Hub.AddText("unet/config.json", "{\"a\": 5}");
        Assert.Equal(FakeHub.Commit, bed.Client().Resolve(Model).Commit);
        var weights = bed.Hub.Server.Requests.Count(r => r.Path.EndsWith(".safetensors", StringComparison.Ordinal));
        var moved = bed.Client(bed.Options with { CheckForUpdates = true }).Resolve(Model);
        Assert.Equal(new string('b', 40), moved.Commit);
        Assert.Equal("{\"a\": 5}", File.ReadAllText(Path.Combine(moved.Path, "unet", "config.json")));
        // the same blobs
        Assert.Equal(weights, bed.Hub.Server.Requests.Count(r => r.Path.EndsWith(".safetensors", StringComparison.Ordinal)));
        Assert.Equal(moved.Commit, bed.Client().Resolve(Model).Commit);
    }

    [Fact]
    public void Resolve_ReportsMegabytesAndFiles()
    {
        using var bed = new HubBed();
        bed.Hub.WithModel();
        bed.Hub.Add("unet/diffusion_pytorch_model.safetensors", 3_500_000);
        var progress = new NotingProgress();
        bed.Client(bed.Options with { ParallelDownloads = 1 }).Resolve(Model, progress: progress);
        Assert.All(progress.Reports, report => Assert.Equal("downloading", report.Stage));
        var last = progress.Reports.Last();
        Assert.Equal((4, 4, "unet/diffusion_pytorch_model.safetensors"), (last.Done, last.Total, last.Item));
    }

    [Fact]
    public async Task List_GivesEveryFile()
    {
        using var bed = new HubBed();
        bed.Hub.WithModel();
        var files = await bed.Client().ListAsync(Model);
        Assert.Equal(bed.Hub.Files.Select(f => new HubFile(f.Key, f.Value.Length, bed.Hub.Id(f.Key))), files);
    }
}
