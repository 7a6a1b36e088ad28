using System.Text.Json;
using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests;

/// <summary>Files of sd-scripts: names, contents, and which of them serve.</summary>
public sealed class LatentFilesParityTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly long _liveBefore = TensorCount.Live;
    private readonly JsonElement _cases = JsonDocument.Parse(
        File.ReadAllText(Fixtures.Path("data", "latents_cache", "latents_cache.json"))).RootElement;

    public LatentFilesParityTests()
    {
        foreach (var file in Directory.GetFiles(Fixtures.Path("data", "latents_cache"), "*.npz"))
            File.Copy(file, _folder.File(Path.GetFileName(file).Replace("_flux", "_sd", StringComparison.Ordinal)));
    }

    public void Dispose()
    {
        _folder.Dispose();
        Assert.Equal(_liveBefore, TensorCount.Live);
    }

    [Fact]
    public void Names_AreThoseOfSdScripts()
    {
        var names = _cases.GetProperty("npz_path");
        Assert.Equal(names.GetProperty("no_old_file").GetString(), LatentNames.For("img1.png", new(96, 64)));
        Assert.Equal(names.GetProperty("sdxl").GetString(), LatentNames.For(Path.Combine("sub", "img1.jpg"), new(1024, 768), sdxl: true));
        Assert.Equal(names.GetProperty("large").GetString(), LatentNames.For("x.y.png", new(12345, 64)));
        Assert.Equal(names.GetProperty("old_file_exists").GetString(), LatentNames.Plain("img4.png"));
        foreach (var item in _cases.GetProperty("image_size_from_path").EnumerateArray())
        {
            var size = item.GetProperty("result");
            Assert.Equal(new PixelSize(size[0].GetInt32(), size[1].GetInt32()),
                LatentNames.ImageSize(item.GetProperty("npz_path").GetString()!));
        }

        // prepare_buckets_latents names files so; of images in folders inside it forgets the folder, unless it searches them.
        var prepared = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("metadata", "metadata_tools.json"))).RootElement.GetProperty(
            "npz_file_name").EnumerateArray().ToList();
        Assert.Equal(5, prepared.Count);
        Assert.All(prepared, item =>
        {
            var (key, full, wanted) = (item.GetProperty("image_key").GetString()!, item.GetProperty("full_path").GetBoolean(),
                item.GetProperty("result").GetString());
            var found = LatentNames.Plain(full ? key : $"images/{key}.png").Replace(Path.DirectorySeparatorChar, '/');
            Assert.Equal(wanted == "images/e.npz" ? "images/sub/e.npz" : wanted, found);
        });
        Assert.All(new[] { "img4.npz", "a_0096x0064_flux.npz", "a_96x64_sd.npz", "a_99999999999x0064_sd.npz", "a_0000x0064_sd.npz",
            "_0096x0064_sd.png" }, name => Assert.Null(LatentNames.ImageSize(name)));
    }

    [Fact]
    public void Files_ServeWhereTheyServeSdScripts_AndHaveTheRightSize()
    {
        Assert.Equal(11, _cases.GetProperty("is_disk_cached_latents_expected").GetArrayLength());
        foreach (var item in _cases.GetProperty("is_disk_cached_latents_expected").EnumerateArray())
        {
            var (file, size) = (item.GetProperty("file").GetString()!.Replace("_flux", "_sd", StringComparison.Ordinal),
                item.GetProperty("bucket_reso"));
            var (width, height) = (size[0].GetInt32(), size[1].GetInt32());
            var sized = item.TryGetProperty("multi_resolution", out _);
            // The size counts here always, in sd-scripts only where names tell it; and names without it are good enough.
            var expected = (file, width, sized) switch { ("img1_0096x0064_sd.npz", 64, false) =>
                false, ("img1_0096x0064_sd.npz", 96, true) => true, _ => item.GetProperty("result").GetBoolean() };
            var channels = file.StartsWith("multi", StringComparison.Ordinal) && width == 64 ? 16 : 4;
            using var cache = Open(file, new(width, height), item.GetProperty("flip_aug").GetBoolean(),
                item.GetProperty("alpha_mask").GetBoolean(), channels);
            Assert.True(expected == (cache.Missing.Count == 0), $"{item}: {cache.Report}");
        }
    }

    [Fact]
    public void Contents_AreThoseOfTheFiles()
    {
        using var arrays = SafetensorsFile.Open(Fixtures.Path("data", "latents_cache", "expected.safetensors"));
        foreach (var (file, prefix, suffix, flip, mask) in new[]
        {
            ("img1_0096x0064_sd.npz", "img1_0096x0064_sd.npz", "", false, false),
                ("img2_0100x0080_sd.npz", "img2_0100x0080_sd.npz", "", true, true),
            ("img3_0096x0064_sdxl.npz", "img3_0096x0064_sdxl.npz", "", true, false), ("img4.npz", "img4.npz", "", true, false),
            ("multi_0096x0064_sd.npz", "multi_0096x0064_flux.npz", "_8x12", true, true),
        })
        {
            var dataset = Dataset(file, new(96, 64), flip, mask);
            using var cache = LatentCache.Open(
                dataset, new(0.25) { IsSdxl = file.Contains("sdxl", StringComparison.Ordinal) }, new() { LatentsToDisk = true });
            Assert.Empty(cache.Missing);
            Assert.Equal(0, cache.Bytes);
            foreach (var flipped in flip ? new[] { false, true } : [false])
            {
                using var scope = NewDisposeScope();
                var (latents, masks) = cache.Collate(dataset.Samples, [new(dataset.Samples[0].Framing, flipped)], _ => 0);
                Assert.Equal(Floats($"{prefix}/latents{(flipped ? "_flipped" : "")}{suffix}").Select(value => value * 0.25f),
                    latents.flatten().data<float>().ToArray());
                if (!mask)
                {
                    Assert.Null(masks);
                    continue;
                }

                var expected = tensor(Floats($"{prefix}/alpha_mask{suffix}")).reshape(1, 1, 8, 8, 12, 8).mean([3, 5]);
                if (flipped) expected = expected.flip(3);
                Assert.Equal(0, (masks! - expected).abs().max().ToSingle(), 1e-6f);
            }
        }

        float[] Floats(string name) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(arrays.Span(name)).ToArray();
    }

    [Fact]
    public void TextOutputs_OfSdScripts_AreTaken_WithANote()
    {
        var dataset = new DatasetBuilder().Add(new GivenItems(new DatasetItem(_folder.File("img1.png"), new(64, 64), "a frog")))
            .WithResolution(64).Build();
        var identity = new TextIdentity { IsSdxl = true, FirstWidth = 16, Hash = "some" };
        using var cache = TextOutputCache.Open(dataset, identity, new() { TextEncoderOutputsToDisk = true });
        Assert.Empty(cache.Missing);
        Assert.Contains("taken at their word", Assert.Single(cache.Report.Notes));
        using var scope = NewDisposeScope();
        var features = cache.Collate(["a frog", "a frog"]);
        Assert.Equal([2, 77, 36], features.Context.shape);
        using var arrays = SafetensorsFile.Open(Fixtures.Path("data", "latents_cache", "expected.safetensors"));
        var expected = cat([One("hidden_state1", 77, 16), One("hidden_state2", 77, 20)], 1);
        Assert.Equal(0, (features.Context[1] - expected).abs().max().ToSingle());
        Assert.Equal(0, (features.Pooled![0] - One("pool2", 20)).abs().max().ToSingle());

        // A file of latents is none of text; other lengths, kinds of models and strictness refuse it.
        File.Copy(_folder.File("img1_0096x0064_sd.npz"), _folder.File("img1_te_outputs.npz"), overwrite: true);
        Assert.Equal((1, "it lacks hidden_state1"), Look(identity));
        File.Copy(Fixtures.Path("data", "latents_cache", "img1_te_outputs.npz"), _folder.File("img1_te_outputs.npz"), overwrite: true);
        Assert.Equal((1, "another token length was used"), Look(identity with { Tokens = 152 }));
        Assert.Equal((1, "it was made for SDXL"), Look(new TextIdentity()));
        Assert.Equal((1, "it does not say for which caption it was made"), Look(identity, CacheValidation.Content));

        Tensor One(string name, params long[] shape) =>
            tensor(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(arrays.Span($"img1_te_outputs.npz/{name}")).ToArray())
            .reshape(shape);

        (int, string) Look(TextIdentity wanted, CacheValidation validation = CacheValidation.Size)
        {
            using var again = TextOutputCache.Open(dataset, wanted, new() { TextEncoderOutputsToDisk = true, Validation = validation });
            return (again.Report.Stale, again.Report.Notes[0].Split(": ")[^1].TrimEnd('.')
                .Replace(" and are made again", "", StringComparison.Ordinal));
        }
    }

    private LatentCache Open(string file, PixelSize resolution, bool flip, bool mask, int channels) =>
        LatentCache.Open(Dataset(file, resolution, flip, mask),
            new(1) { Channels = channels, IsSdxl = file.Contains("sdxl", StringComparison.Ordinal) }, new() { LatentsToDisk = true });

    private TrainingDataset Dataset(string file, PixelSize resolution, bool flip, bool mask)
    {
        var image = _folder.File(file.Split('_', '.')[0] + ".png");
        return new DatasetBuilder().Add(
            new GivenItems(new DatasetItem(
            image, LatentNames.ImageSize(file.Replace("flux", "sd", StringComparison.Ordinal)) ?? new(96, 64), "x")),
            new SubsetOptions { Augmentation = new() { Flip = flip }, Mask = mask ? LossMask.Alpha : LossMask.None })
                .WithResolution(resolution.Width, resolution.Height).Build();
    }
}
