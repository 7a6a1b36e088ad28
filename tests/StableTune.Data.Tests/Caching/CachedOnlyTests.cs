using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Data.Tests;

/// <summary>Training without source images, and what is known of images without reading them.</summary>
public sealed class CachedOnlyTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public CachedOnlyTests()
    {
        foreach (var name in new[] { "a", "b" })
        {
            Pictures.Write(_folder.File(name + ".png"), 40, 32, seed: name[0]);
            File.WriteAllText(_folder.File(name + ".caption"), "caption of " + name);
        }
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ImagesThatAreGone_AreTrainedFromTheirLatents(bool metadata)
    {
        File.WriteAllText(_folder.File("meta.json"), "{\"a\": {\"caption\": \"caption of a\"}, \"b\": {\"caption\": \"caption of b\"}}");
        var before = Builder(metadata, true).Build();
        Assert.Equal((0, 2), (before.PrepareCaches(new SquareVae()).Found, before.Samples.Count));
        Assert.Equal(2, before.PrepareCaches(new SquareVae()).Found);
        File.Delete(_folder.File("a.png"));
        var dataset = Builder(metadata, true).Build();
        Assert.Equal([("caption of a", true), ("caption of b", false)],
            dataset.Samples.Select(sample => (sample.Caption, sample.Item.IsCachedOnly)));
        Assert.Empty(dataset.CheckImages());
        using var cache = LatentCache.Open(dataset, new SquareVae().Identity,
            new() { LatentsToDisk = true, Validation = CacheValidation.Content });
        Assert.Empty(cache.Missing);
        using var memory = LatentCache.Open(before, new SquareVae().Identity, new() { LatentsToDisk = true });
        using var scope = NewDisposeScope();
        Assert.Equal(0, (cache.Collate([0, 1]) - memory.Collate([0, 1])).abs().max().ToSingle());

        // What cannot be made again is a problem, not a surprise.
        Assert.Contains("latents in files are not used",
            Assert.Throws<InvalidOptionsException>(() => LatentCache.Open(dataset, new SquareVae().Identity)).Message);
        var other = new VaeIdentity(0.5) { Hash = SquareVae.HashOf("other") };
        Assert.Contains("another VAE made it",
            Assert.Throws<InvalidOptionsException>(() => LatentCache.Open(dataset, other, new() { LatentsToDisk = true })).Message);
        if (!metadata) Assert.Single(Builder(false, false).Build().Samples);
    }

    [Fact]
    public void MetadataCache_IsSdScripts_AndSeesChanges()
    {
        var first = Build();
        using (var written = JsonDocument.Parse(File.ReadAllText(_folder.File("metadata_cache.json"))))
        {
            var entry = written.RootElement.GetProperty(_folder.File("a.png"));
            Assert.Equal(("caption of a", 40, 32), (entry.GetProperty("caption").GetString(), entry.GetProperty("resolution")[0]
                .GetInt32(), entry.GetProperty("resolution")[1].GetInt32()));
        }

        // Nothing is read again: a header that was damaged without a trace does not show.
        var (path, time) = (_folder.File("a.png"), File.GetLastWriteTimeUtc(_folder.File("a.png")));
        var bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, new byte[bytes.Length]);
        File.SetLastWriteTimeUtc(path, time);
        Assert.Equal(first, Build());

        Pictures.Write(path, 24, 48);
        File.WriteAllText(_folder.File("b.caption"), "another caption");
        Assert.Equal([("caption of a", "24x48"), ("another caption", "40x32")], Build());
        File.WriteAllText(_folder.File("metadata_cache.json"), "{ broken");
        Assert.Equal([("caption of a", "24x48"), ("another caption", "40x32")], Build());
        // as sd-scripts writes it
        File.WriteAllText(_folder.File("metadata_cache.json"), $"{{\"{path}\": {{\"caption\": \"old\", \"resolution\": [8, 8]}}}}");
        Assert.Equal([("caption of a", "24x48"), ("another caption", "40x32")], Build());

        List<(string, string)> Build() =>
            [.. new DatasetBuilder().Add(new FolderSource(_folder.Path) { CacheInfo = true }).WithResolution(16).Build()
            .Samples.Select(sample => (sample.Caption, $"{sample.ImageSize.Width}x{sample.ImageSize.Height}"))];
    }

    private DatasetBuilder Builder(bool metadata, bool taken) => (metadata ? new DatasetBuilder().AddMetadata(_folder.File("meta.json"))
        : new DatasetBuilder().Add(new FolderSource(_folder.Path) { TakeCached = taken })).WithResolution(32, 16);
}
