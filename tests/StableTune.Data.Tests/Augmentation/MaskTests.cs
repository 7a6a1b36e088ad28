using System.Runtime.InteropServices;
using System.Text.Json;
using StableTune.Imaging;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Data.Tests.Augmentation;

/// <summary>Masks and second images, read from files and from the latent cache.</summary>
public sealed class MaskTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _hints = new();
    private readonly long _liveBefore = TensorCount.Live;

    public void Dispose()
    {
        _folder.Dispose();
        _hints.Dispose();
        Assert.Equal(_liveBefore, TensorCount.Live);
    }

    [Fact]
    public void AlphaMask_OfTheReferencesCases_IsTheMeanOfItsMask()
    {
        var cases = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "image_cases.json"))).RootElement.GetProperty("alpha_mask")
            .EnumerateArray().ToList();
        using var golden = StableTune.Formats.SafetensorsFile.Open(Fixtures.Path("data", "image_cases.safetensors"));
        Assert.All(cases, item =>
        {
            var (bucket, tensors) = (item.GetProperty("bucket_reso"), item.GetProperty("tensors"));
            File.Copy(Fixtures.Path("data", "images", item.GetProperty("image").GetString()!), _folder.File("a.png"), overwrite: true);
            var dataset = new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { Mask = LossMask.Alpha })
                .WithResolution(bucket[0].GetInt32(), bucket[1].GetInt32()).Build();
            using var batch = One(dataset, null);
            Assert.Equal([1, 1, bucket[1].GetInt64() / 8, bucket[0].GetInt64() / 8], batch.Masks!.shape);

            using var scope = NewDisposeScope();
            var mask = tensor(MemoryMarshal.Cast<byte, float>(golden.Span(tensors[1].GetString()!)).ToArray()).view(1, 1,
                bucket[1].GetInt64(), bucket[0].GetInt64());
            var expected = nn.functional.interpolate(mask, size: batch.Masks.shape[2..], mode: InterpolationMode.Area);
            Assert.True((expected - batch.Masks).abs().max().ToSingle() < 1e-6);
        });
    }

    [Fact]
    public void Conditioning_OfEveryFixtureCase_IsPairedOrRefusedAsInTheReference()
    {
        foreach (var name in new[] { "a.png", "ab.png", "b.png" }) Pictures.Write(_folder.File(name), 64, 64);
        var json = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "fine_tuning", "expected.json"))).RootElement;
        Assert.All(json.GetProperty("controlnet_pairing").EnumerateArray(), item =>
        {
            foreach (var old in Directory.EnumerateFiles(_hints.Path)) File.Delete(old);
            foreach (var hint in item.GetProperty("hints").EnumerateArray()) Pictures.Write(_hints.File(hint.GetString()!), 64, 64);
            var builder = new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { ConditioningFolder = _hints.Path })
                .WithResolution(64);
            if (!item.TryGetProperty("pairs", out var pairs))
            {
                Assert.Equal("SubsetOptions.ConditioningFolder",
                    Assert.Single(Assert.Throws<InvalidOptionsException>(builder.Build).Problems).Option);
                return;
            }

            var found = builder.Build().Samples.ToDictionary(sample => "img/" + Path.GetFileName(sample.Path), sample =>
                Path.GetFileName(sample.Item.ConditioningPath));
            Assert.All(pairs.EnumerateObject(), pair => Assert.Equal(Path.GetFileName(pair.Value.GetString()), found[pair.Name]));
        });
    }

    [Fact]
    public void Conditioning_IsCutAndMirroredWithTheImage_AlsoWhenLatentsAreCached()
    {
        using var scope = NewDisposeScope();
        Pictures.Write(_folder.File("a.png"), 96, 64);
        Pictures.Write(_hints.File("a.png"), 96, 64);
        var dataset = new DatasetBuilder()
            .AddFolder(_folder.Path, new SubsetOptions { ConditioningFolder = _hints.Path, Augmentation = new() { Flip = true },
            Repeats = 8 })
            .WithResolution(64).WithBatchSize(8).Build();
        using var batch = One(dataset, null);
        Assert.True((batch.Conditioning! - ((batch.Pixels! + 1) / 2)).abs().max().ToSingle() < 1e-6);
        Assert.Equal([false, true], batch.Draws.Select(draw => draw.Flipped).Distinct().Order());

        using var cache = LatentCache.Build(dataset, new FlatEncoder(), new NamedSeeds(1));
        using var cached = One(dataset, cache);
        Assert.Null(cached.Pixels);
        Assert.True((batch.Conditioning! - cached.Conditioning!).abs().max().ToSingle() == 0);
        // The encoder's mean is the image's left half minus its right half: mirrored images have the other sign.
        for (var i = 0; i < 8; i++) Assert.Equal(batch.Draws[i].Flipped, cached.Latents![i].mean().ToSingle() > 0);
    }

    [Fact]
    public void Masks_FromTheCache_AreThoseFromFiles_DiscsToo()
    {
        using var scope = NewDisposeScope();
        Pictures.Write(_folder.File("a.png"), 64, 64);
        Pictures.Write(_hints.File("a.png"), 64, 64, seed: 9);
        var dataset = new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions
            {
                ConditioningFolder = _hints.Path, Mask = LossMask.Conditioning,
                Augmentation = new() { Flip = true, CircularMask = (0.5, 1) }, Repeats = 16,
            }).WithResolution(64).WithBatchSize(16).Build();
        using var read = One(dataset, null);
        using var cache = LatentCache.Build(dataset, new FlatEncoder(), new NamedSeeds(1));
        using var cached = One(dataset, cache);
        Assert.True((read.Masks! - cached.Masks!).abs().max().ToSingle() < 1e-6);
        Assert.Null(read.Conditioning);
        var empty = read.Masks!.eq(0).flatten(1).any(1);
        Assert.InRange(empty.sum().ToInt64(), 3, 13);                           // discs limit about half of the draws
    }

    [Fact]
    public void Conditioning_OfAnotherSize_NamesBothFiles()
    {
        Pictures.Write(_folder.File("a.png"), 64, 64);
        Pictures.Write(_hints.File("a.png"), 32, 64);
        var dataset = new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { ConditioningFolder = _hints.Path })
            .WithResolution(64).Build();
        var problem = Assert.Single(dataset.CheckImages());
        Assert.Contains("32x64", problem.Rule, StringComparison.Ordinal);
        Assert.Contains(_folder.File("a.png"), problem.Rule, StringComparison.Ordinal);
    }

    private static Batch One(TrainingDataset dataset, LatentCache? cache)
    {
        using var loader = new BatchLoader(new() { Workers = 0 }, cache);
        return Assert.Single(loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)));
    }

    private sealed class FlatEncoder : ILatentEncoder
    {
        public double ScalingFactor => 1;

        public LatentDistribution Encode(Tensor pixels)
        {
            var half = pixels.shape[3] / 2;
            var mean = (pixels.narrow(3, 0, half).mean([1, 2, 3]) - pixels.narrow(3, half, half).mean([1, 2, 3])).view(-1, 1, 1,
                1).expand(-1, 4, pixels.shape[2] / 8, pixels.shape[3] / 8);
            return new(mean, full(mean.shape, -30.0));
        }
    }
}
