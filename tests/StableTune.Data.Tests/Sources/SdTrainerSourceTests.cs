using System.Text.Json;
using StableTune.Formats;
using StableTune.Preparation;
using StableTune.Testing;

namespace StableTune.Data.Tests;

public sealed class SdTrainerSourceTests : SdTrainerLayout
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Batches_AreThoseOfSdTrainer_WithImagesOrWithout(bool images)
    {
        if (!images) Directory.Delete(Folder.File("images"), recursive: true);
        using var expected = SafetensorsFile.Open(Path.Combine(Original, "expected.safetensors"));
        var rows = JsonDocument.Parse(File.ReadAllText(Path.Combine(Original, "expected.json"))).RootElement.GetProperty("batches")
            .EnumerateArray()
            .ToDictionary(row => string.Join('+', row.GetProperty("samples").EnumerateArray().Select(name => name.GetString())));
        var dataset = new DatasetBuilder().AddSdTrainer(Folder.Path).WithResolution(64).WithBatchSize(2).Build();
        using var cache = LatentCache.Open(dataset, new(0.5));
        Assert.Empty(cache.Missing);
        using var loader = new BatchLoader(new(), cache);
        var seen = new List<string>();
        foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)))
        {
            using var owned = batch;
            using var scope = NewDisposeScope();
            Assert.Equal([batch.Count, 24], batch.PromptFreeFeatures!.shape);
            Assert.Equal(batch.Items.SelectMany(item => PromptFreeOf(item.Path)),
                batch.PromptFreeFeatures.flatten().data<float>().ToArray());
            var names = batch.Items.Select(item => Path.GetFileNameWithoutExtension(item.Path)).ToArray();
            var order = Enumerable.Range(0, names.Length).OrderBy(i => names[i], StringComparer.Ordinal).ToArray();
            var key = string.Join('+', order.Select(i => names[i]));
            seen.Add(key);
            Assert.Equal(rows[key].GetProperty("captions").EnumerateArray().Select(caption => caption.GetString()),
                order.Select(i => batch.Captions[i]));
            for (var row = 0; row < order.Length; row++)
            {
                Assert.Equal(Floats(key, "latents", row).Select(value => value * 0.5f),
                    batch.Latents![order[row]].flatten().data<float>().ToArray());
                Assert.Equal(Floats(key, "mask", row), batch.Masks![order[row]].flatten().data<float>().ToArray());
                Assert.Equal(0, (batch.Conditioning![order[row]].flatten() - tensor(Floats(key, "controlnet_hint", row))).abs().max()
                    .ToSingle(), 1e-6f);
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
    public void PromptFreeFeatures_AreThereWithPixelsToo_AndForImagesThatAreHeldOut()
    {
        WriteFeatures("a", 768);
        WriteFeatures("b", 768);
        WriteFeatures("c", 768);
        Directory.Delete(Folder.File("latents"), recursive: true);
        var builder = new DatasetBuilder().AddSdTrainer(Folder.Path).WithResolution(64);
        var dataset = builder.WithOptions(builder.Plan.Options with { ValidationSplit = 0.4 }).Build();
        using var loader = new BatchLoader();
        foreach (var part in new[] { dataset, dataset.Validation! })
            foreach (var batch in loader.Load(EpochPlan.Create(part, new NamedSeeds(1), 1)))
                using (batch)
                {
                    Assert.NotNull(batch.Pixels);
                    Assert.Equal([1, 768], batch.PromptFreeFeatures!.shape);
                    Assert.Equal(PromptFreeOf(batch.Items[0].Path), batch.PromptFreeFeatures.data<float>().ToArray());
                }

        Directory.Delete(Folder.File("pfg"), recursive: true);
        using var without = loader.Load(
            EpochPlan.Create(new DatasetBuilder().AddSdTrainer(Folder.Path).WithResolution(64).Build(), new NamedSeeds(1), 1)).First();
        Assert.Null(without.PromptFreeFeatures);
    }

    [Fact]
    public void ImagesThatAreTrainedTwice_NeedNoFeatures()
    {
        var image = Folder.File("images", "a.png");
        var dataset = new DatasetBuilder().AddImages([new DatasetItem(image, "one")]).Add(new GivenItems(new DatasetItem(image, "two")))
            .WithResolution(64).Build();
        Assert.Equal(2, dataset.Samples.Count);
    }

    [Theory]
    [InlineData("missing", "1 do not", "c")]
    [InlineData("truncated", "", "b.npz")]
    [InlineData("text", "", "b.npz")]
    [InlineData("name", "it holds no array \"controll\"", "b.npz")]
    [InlineData("shape", "F32 [4, 6]", "b.npz")]
    [InlineData("kind", "no finite floating-point numbers", "b.npz")]
    [InlineData("nan", "no finite floating-point numbers", "b.npz")]
    [InlineData("width", "it holds 25 features", "b.npz")]
    public void PromptFreeFeatures_ThatDoNotServe_AreNamedWhenTheDataSetIsBuilt(string fault, string message, string name)
    {
        var path = Folder.File("pfg", "b.npz");
        if (fault == "missing") File.Delete(Folder.File("pfg", "c.npz"));
        if (fault == "truncated") File.WriteAllBytes(path, File.ReadAllBytes(path)[..^30]);
        if (fault == "text") File.WriteAllText(path, "controll");
        if (fault == "name") NpzWriter.Write(path, [NpyArray.Of<float>("control", new float[24], 24).ToPayload()]);
        if (fault == "shape") NpzWriter.Write(path, [NpyArray.Of<float>("controll", new float[24], 4, 6).ToPayload()]);
        if (fault == "kind") NpzWriter.Write(path, [NpyArray.Of<long>("controll", new long[24], 24).ToPayload()]);
        if (fault == "nan") NpzWriter.Write(path, [NpyArray.Of<float>("controll", [.. Enumerable.Repeat(float.NaN, 24)], 24).ToPayload()]);
        if (fault == "width") WriteFeatures("b", 25);
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(() => Build()).Problems);
        Assert.Equal("DatasetItem.PromptFreePath", problem.Option);
        Assert.Contains(message, problem.ToString());
        Assert.Contains(name, problem.ToString());
    }

    [Fact]
    public void Masks_ThatDoNotServe_AreNamedBeforeTraining()
    {
        var mask = Folder.File("mask", "b.npz");
        File.WriteAllBytes(mask, File.ReadAllBytes(mask)[..^30]);
        NpzWriter.Write(Folder.File("mask", "c.npz"), [NpyArray.Of<float>("arr_0", new float[64], 8, 8).ToPayload()]);
        var dataset = Build();
        string[] expected = [mask, Folder.File("mask", "c.npz")];
        Assert.Equal(expected, dataset.CheckImages().Select(problem => (string)problem.Value!).Order(StringComparer.Ordinal));
        Assert.Equal(expected, Assert.Throws<InvalidOptionsException>(() =>
            LatentCache.Open(dataset, new(0.5)).Dispose()).Problems.Select(problem => (string)problem.Value!)
            .Order(StringComparer.Ordinal));
        Assert.Equal(2, dataset.Check().ErrorCount);
    }

    [Fact]
    public void PromptFreeFeatures_ThatChangedSince_AreNamedByTheLoader()
    {
        var dataset = Build();
        using var cache = LatentCache.Open(dataset, new(0.5));
        using var loader = new BatchLoader(null, cache);
        WriteFeatures("b", 25);
        var error = Assert.Throws<InvalidFileException>(() =>
        {
            foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1))) batch.Dispose();
        });
        Assert.StartsWith(Folder.File("pfg"), error.Path);
        Assert.Contains("features", error.Fault);
        Assert.Contains("25", error.Fault);                              // whichever of the two comes first
    }

    [Fact]
    public void WithoutLatents_ImagesAreEncoded()
    {
        Directory.Delete(Folder.File("latents"), recursive: true);
        var dataset = new DatasetBuilder().AddSdTrainer(Folder.Path).WithResolution(64).Build();
        var vae = new SquareVae();
        using var cache = LatentCache.Build(dataset, vae, new NamedSeeds(1));
        Assert.Equal(3, vae.Images);

        // latent.py: written once, kept afterwards, and then what training takes.
        var report = LatentPreparation.RunSdTrainer(Folder.Path, null, vae);
        Assert.Equal((3, 0, 6), (report.Done, report.Skipped.Count, vae.Images));
        Assert.Equal("latents: F32 [4, 8, 12]".Replace("latents", "c", StringComparison.Ordinal),
            NpyFile.Read(Folder.File("latents", "c.npy")).ToString());
        Assert.Equal(3, LatentPreparation.RunSdTrainer(Folder.Path, null, vae).Done);
        Assert.Equal(6, vae.Images);
        using var given = LatentCache.Open(new DatasetBuilder().AddSdTrainer(Folder.Path).WithResolution(64).Build(), new(0.5));
        Assert.Empty(given.Missing);
    }

    private TrainingDataset Build() => new DatasetBuilder().AddSdTrainer(Folder.Path).WithResolution(64).WithBatchSize(2).Build();

    private void WriteFeatures(string name, int count) =>
        NpzWriter.Write(Folder.File("pfg", name + ".npz"),
            [NpyArray.Of<float>("controll", [.. Enumerable.Range(0, count).Select(i => (name[0] * 10) + i)], count).ToPayload()]);

    private float[] PromptFreeOf(string image)
    {
        using var file = NpzFile.Open(Folder.File("pfg", Path.GetFileNameWithoutExtension(image) + ".npz"));
        return file.ReadArray("controll").As<float>().ToArray();
    }

    [Theory]
    [InlineData("{\"(64, 64)\": [\"../a\"]}", "leads out")]
    [InlineData("{\"(64, 64)\": [\"/etc/a\"]}", "leads out")]
    [InlineData("{\"(64, 60)\": [\"a\"]}", "is no size")]
    [InlineData("{\"(64, 64)\": [7]}", "no list of names")]
    [InlineData("[]", "no JSON object")]
    [InlineData("{\"(64, 64)\"", "not JSON that could be read at line 1, byte 12")]
    [InlineData("{\"(64, 64)\": [\"a\"], \"(64, 64)\": [\"b\"]}", "Duplicate property '(64, 64)'")]
    [InlineData("{\"(64, 64)\": [\"missing\"]}", "neither an image nor latents")]
    [InlineData("{\"(96, 64)\": [\"a\"]}", "the latents are [4, 8, 8]")]
    public void BadLists_AreRefused(string list, string fault)
    {
        File.WriteAllText(Folder.File("buckets.json"), list);
        var error = Assert.Throws<InvalidOptionsException>(() =>
            LatentCache.Open(new DatasetBuilder().AddSdTrainer(Folder.Path).WithResolution(64).Build(), new(1)).Dispose());
        Assert.Contains(fault, error.Message);
    }

    [Fact]
    public void AList_WithAByteOrderMark_IsRead()
    {
        File.WriteAllText(Folder.File("buckets.json"), "\uFEFF{\"(64, 64)\": [\"a\"]}");
        Assert.Single(new DatasetBuilder().AddSdTrainer(Folder.Path).WithResolution(64).Build().Samples);
    }
}
