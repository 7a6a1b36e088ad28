using System.Text.Json;
using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.Data.Tests;

public sealed class SdTrainerSourceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly long _liveBefore = Held;
    private static readonly string s_layout = Fixtures.Path("data", "latents_cache", "sd_trainer_layout");

    public SdTrainerSourceTests()
    {
        foreach (var file in Directory.GetFiles(s_layout, "*", SearchOption.AllDirectories))
        {
            var copy = _folder.File(Path.GetRelativePath(s_layout, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    public void Dispose()
    {
        _folder.Dispose();
        Assert.Equal(_liveBefore, Held);
    }

    /// <summary>Tensors alive, and those that only a finalizer freed: other tests' may go at any time.</summary>
    private static long Held => engine.live_tensors + engine.forgotten_tensors;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Batches_AreThoseOfSdTrainer_WithImagesOrWithout(bool images)
    {
        if (!images) Directory.Delete(_folder.File("images"), recursive: true);
        using var expected = SafetensorsFile.Open(Path.Combine(s_layout, "expected.safetensors"));
        var rows = JsonDocument.Parse(File.ReadAllText(Path.Combine(s_layout, "expected.json"))).RootElement.GetProperty("batches").EnumerateArray()
            .ToDictionary(row => string.Join('+', row.GetProperty("samples").EnumerateArray().Select(name => name.GetString())));
        var dataset = new DatasetBuilder().AddSdTrainer(_folder.Path).WithResolution(64).WithBatchSize(2).Build();
        using var cache = LatentCache.Open(dataset, new(0.5));
        Assert.Empty(cache.Missing);
        using var loader = new BatchLoader(new(), cache);
        var seen = new List<string>();
        foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)))
        {
            using var owned = batch;
            using var scope = NewDisposeScope();
            var names = batch.Items.Select(item => Path.GetFileNameWithoutExtension(item.Path)).ToArray();
            var order = Enumerable.Range(0, names.Length).OrderBy(i => names[i], StringComparer.Ordinal).ToArray();
            var key = string.Join('+', order.Select(i => names[i]));
            seen.Add(key);
            Assert.Equal(rows[key].GetProperty("captions").EnumerateArray().Select(caption => caption.GetString()), order.Select(i => batch.Captions[i]));
            for (var row = 0; row < order.Length; row++)
            {
                Assert.Equal(Floats(key, "latents", row).Select(value => value * 0.5f), batch.Latents![order[row]].flatten().data<float>().ToArray());
                Assert.Equal(Floats(key, "mask", row), batch.Masks![order[row]].flatten().data<float>().ToArray());
                Assert.Equal(0, (batch.Conditioning![order[row]].flatten() - tensor(Floats(key, "controlnet_hint", row))).abs().max().ToSingle(), 1e-6f);
                var size = batch.Sizes[order[row]];
                Assert.Equal(rows[key].GetProperty("size_condition")[row].EnumerateArray().Select(value => (int)value.GetDouble()),
                    [size.Original.Height, size.Original.Width, size.CropTop, size.CropLeft, size.Target.Height, size.Target.Width]);
            }

            float[] Floats(string batchKey, string part, int row)
            {
                var all = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(expected.Span($"{batchKey}/{part}")).ToArray();
                var length = all.Length / names.Length;
                return all[(row * length)..((row + 1) * length)];
            }
        }

        Assert.Equal(["a+b", "c"], seen.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void WithoutLatents_ImagesAreEncoded()
    {
        Directory.Delete(_folder.File("latents"), recursive: true);
        var dataset = new DatasetBuilder().AddSdTrainer(_folder.Path).WithResolution(64).Build();
        var vae = new SquareVae();
        using var cache = LatentCache.Build(dataset, vae, new NamedSeeds(1));
        Assert.Equal(3, vae.Images);

        // latent.py: written once, kept afterwards, and then what training takes.
        var report = LatentPreparation.RunSdTrainer(_folder.Path, null, vae);
        Assert.Equal((3, 0, 6), (report.Done, report.Skipped.Count, vae.Images));
        Assert.Equal("latents: F32 [4, 8, 12]".Replace("latents", "c", StringComparison.Ordinal), NpyFile.Read(_folder.File("latents", "c.npy")).ToString());
        Assert.Equal(3, LatentPreparation.RunSdTrainer(_folder.Path, null, vae).Done);
        Assert.Equal(6, vae.Images);
        using var given = LatentCache.Open(new DatasetBuilder().AddSdTrainer(_folder.Path).WithResolution(64).Build(), new(0.5));
        Assert.Empty(given.Missing);
    }

    [Theory]
    [InlineData("{\"(64, 64)\": [\"../a\"]}", "leads out")]
    [InlineData("{\"(64, 64)\": [\"/etc/a\"]}", "leads out")]
    [InlineData("{\"(64, 60)\": [\"a\"]}", "is no size")]
    [InlineData("{\"(64, 64)\": [7]}", "no list of names")]
    [InlineData("[]", "no JSON object")]
    [InlineData("{\"(64, 64)\"", "not JSON")]
    [InlineData("{\"(64, 64)\": [\"missing\"]}", "neither an image nor latents")]
    [InlineData("{\"(96, 64)\": [\"a\"]}", "the latents are [4, 8, 8]")]
    public void BadLists_AreRefused(string list, string fault)
    {
        File.WriteAllText(_folder.File("buckets.json"), list);
        var error = Assert.Throws<InvalidOptionsException>(() => LatentCache.Open(new DatasetBuilder().AddSdTrainer(_folder.Path).WithResolution(64).Build(), new(1)).Dispose());
        Assert.Contains(fault, error.Message);
    }
}
