using System.Text.Json;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Saving;

/// <summary>Models written as single files: the tensors of the reference's files, and what is beside them.</summary>
public sealed class SingleFileSavingTests : IDisposable
{
    private static readonly ModelLoadOptions Half = new() { WeightType = ScalarType.Float16 };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("tiny-sd15", ".safetensors")]
    [InlineData("tiny-sd21-v", ".safetensors")]
    [InlineData("tiny-sdxl", ".safetensors")]
    [InlineData("tiny-sd15", ".ckpt")]
    [InlineData("tiny-sd21-v", ".ckpt")]
    [InlineData("tiny-sdxl", ".ckpt")]
    public void SaveAs_SingleFile_HoldsTheReferencesTensors(string name, string extension)
    {
        var path = _folder.File("out", "model" + extension);
        using (var model = ModelLoader.Load(SavedModels.Complete(name, _folder), Half)) Assert.Equal(path, model.SaveAs(path).Files[0]);

        var actual = StoredTensors.Of(path).ToDictionary(entry => entry.Name, entry => entry.Content);
        var expected = Reference(name);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        foreach (var (key, content) in expected)
        {
            // What SD 2.x does not use has other values in the fixture, and no folder has the scale: type and shape count.
            if (IsUnused(key)) Assert.Equal(content[..content.LastIndexOf(' ')], actual[key][..actual[key].LastIndexOf(' ')]);
            else Assert.Equal($"{key} {content}", $"{key} {actual[key]}");
        }
    }

    [Fact]
    public void SaveAs_Safetensors_SaysWhatItIs()
    {
        var path = _folder.File("frog.safetensors");
        var picture = _folder.File("picture.png");
        File.WriteAllBytes(picture, [0x89, 0x50, 0x4E, 0x47]);
        using (var model = ModelLoader.Load(FixtureModels.TinySd21V(_folder), Half))
        {
            model.SaveAs(path, new ModelSaveOptions
            {
                Author = "A. Painter", Description = "frogs", License = "CC0", Tags = "frog, green", UsageHint = "say frog",
                TriggerPhrase = "sls frog", MergedFrom = "a, b",
                Thumbnail = picture, Resolution = (640, 448), Metadata = new Dictionary<string, string> { ["ss_steps"] = "100" },
                VaePrecision = ScalarType.Float32,
                Clock = new FixedClock(),
            });
        }

        using var file = SafetensorsFile.Open(path);
        var expected = new Dictionary<string, string>
        {
            ["format"] = "pt", ["ss_steps"] = "100",
            ["modelspec.sai_model_spec"] = "1.0.1", ["modelspec.architecture"] = "stable-diffusion-v2-768-v",
            ["modelspec.implementation"] = "https://github.com/Stability-AI/generative-models", ["modelspec.title"] = "frog",
            ["modelspec.author"] = "A. Painter",
            ["modelspec.description"] = "frogs", ["modelspec.license"] = "CC0", ["modelspec.tags"] = "frog, green",
            ["modelspec.usage_hint"] = "say frog",
            ["modelspec.trigger_phrase"] = "sls frog", ["modelspec.merged_from"] = "a, b",
            ["modelspec.thumbnail"] = "data:image/png;base64,iVBORw==",
            ["modelspec.resolution"] = "640x448", ["modelspec.date"] = "2026-01-02T03:04:05", ["modelspec.prediction_type"] = "v",
            ["modelspec.unet_dtype"] = "float16", ["modelspec.vae_dtype"] = "float32",
        };
        foreach (var (key, value) in expected) Assert.Equal((key, value), (key, file.Metadata[key]));
        Assert.StartsWith("StableTune/", file.Metadata["modelspec.implementation_version"]);
        Assert.Equal("0x" + WeightHashes.OfTensors(path), file.Metadata["modelspec.hash_sha256"]);
        Assert.Equal(WeightHashes.OfTensors(path), file.Metadata["sshs_model_hash"]);
        Assert.Equal(expected.Count + 4, file.Metadata.Count);
    }

    [Theory]
    [InlineData("model.safetensors", "first_stage_model.post_quant_conv.weight")]
    [InlineData("model.ckpt", "first_stage_model.post_quant_conv.weight")]
    [InlineData("model", "post_quant_conv.weight")]
    public void SaveAs_NumbersBeyondFloat16_AreCountedInANote(string path, string name)
    {
        using var model = ModelLoader.Load(FixtureModels.TinySd15(_folder));
        Assert.Empty(model.SaveAs(_folder.File("plain" + Path.GetExtension(path)),
            new ModelSaveOptions { Precision = ScalarType.Float16 }).Notes);
        using (no_grad())
        {
            var weight = model.Vae.state_dict()["post_quant_conv.weight"];
            weight.flatten().narrow(0, 0, 2).fill_(1e6);
            weight.flatten().narrow(0, 3, 1).fill_(-1e5);
        }

        var note = Assert.Single(model.SaveAs(_folder.File(path), new ModelSaveOptions { Precision = ScalarType.Float16 }).Notes);
        Assert.StartsWith($"3 numbers in 1 float16 tensors are infinite, as float16 ends at 65504: {name} (3).", note,
            StringComparison.Ordinal);
        Assert.Contains(nameof(ModelSaveOptions.VaePrecision), note, StringComparison.Ordinal);
        Assert.Empty(model.SaveAs(_folder.File("b" + path),
            new ModelSaveOptions { Precision = ScalarType.Float16, VaePrecision = ScalarType.BFloat16 }).Notes);
    }

    [Fact]
    public void SaveAs_WithoutMetadata_HasNone()
    {
        var path = _folder.File("model.safetensors");
        using (var model = ModelLoader.Load(FixtureModels.TinySd15(_folder), Half))
            model.SaveAs(path, new ModelSaveOptions { WriteMetadata = false });
        using var file = SafetensorsFile.Open(path);
        Assert.Equal(["format"], file.Metadata.Keys);
    }

    [Fact]
    public void SaveAs_WithPrecision_ConvertsThePartsOnly()
    {
        var path = _folder.File("model.safetensors");
        using (var model = ModelLoader.Load(FixtureModels.TinySd15(_folder)))
            model.SaveAs(path, new ModelSaveOptions { Precision = ScalarType.BFloat16, TextEncoderPrecision = ScalarType.Float32 });
        using var file = SafetensorsFile.Open(path);
        foreach (var info in file.Tensors)
        {
            var expected = info.Name.EndsWith("position_ids", StringComparison.Ordinal) ? TensorDType.I64
                : info.Name.StartsWith(KeyMap.Sd1TextPrefix, StringComparison.Ordinal) ? TensorDType.F32 : TensorDType.BF16;
            Assert.Equal((info.Name, expected), (info.Name, info.DType));
        }
    }

    [Fact]
    public void SaveAs_Ckpt_CountsEpochsAndSteps()
    {
        var path = _folder.File("model.ckpt");
        using (var model = ModelLoader.Load(FixtureModels.TinySd15(_folder), Half))
            model.SaveAs(path, new ModelSaveOptions { Epochs = 3, Steps = 120 });
        using var file = TorchFile.Open(path);
        Assert.Equal((3L, 120L), (file.Epoch, file.GlobalStep));
        Assert.NotSame(file.Root, file.StateDictionary);
    }

    [Theory]
    [InlineData("tiny-sd21-v", ModelPrediction.V)]
    [InlineData("tiny-sd21-base", ModelPrediction.Epsilon)]
    public void SaveAs_Sd2_WritesTheYamlThatReadersNeed(string name, ModelPrediction prediction)
    {
        var path = _folder.File("model.ckpt");
        using var model = ModelLoader.Load(SavedModels.Complete(name, _folder), Half);
        var saved = model.SaveAs(path);
        Assert.Equal([path, _folder.File("model.yaml")], saved.Files);

        using var checkpoint = SingleFileCheckpoint.Open(
            path, new SingleFileOptions { TextEncoder = ((ClipTextModel)model.TextEncoder).Options });
        Assert.Equal((ModelVersion.Sd2, prediction, 8),
            (checkpoint.Version, checkpoint.Details.Prediction, checkpoint.UNet.Options.NormNumGroups));
    }

    [Theory]
    [InlineData(null, true)]      // norm groups of 8, which no reader would guess
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void SaveAs_Sd1_WritesAYamlWhereItIsNeededOrWanted(bool? wanted, bool written)
    {
        var path = _folder.File("model.safetensors");
        using var model = ModelLoader.Load(FixtureModels.TinySd15(_folder), Half);
        Assert.Equal(written ? 2 : 1, model.SaveAs(path, new ModelSaveOptions { WriteYaml = wanted }).Files.Count);
        Assert.Equal(written, File.Exists(_folder.File("model.yaml")));
    }

    [Fact]
    public void SaveAs_OverAFileWithAYaml_LeavesNoYamlOfAnotherModel()
    {
        var path = _folder.File("model.safetensors");
        using (var second = ModelLoader.Load(FixtureModels.TinySd21V(_folder), Half)) second.SaveAs(path);
        var before = File.ReadAllText(_folder.File("model.yaml"));
        using (var xl = ModelLoader.Load(FixtureModels.TinySdxl(_folder), Half)) xl.SaveAs(path, new ModelSaveOptions { Overwrite = true });
        Assert.Contains("context_dim: 80", File.ReadAllText(_folder.File("model.yaml")));
        Assert.Contains("context_dim: 32", before);
    }

    [Fact]
    public void SaveAs_SdxlThatPredictsV_IsMarked()
    {
        var path = _folder.File("model.ckpt");
        using var model = ModelLoader.Load(FixtureModels.TinySdxl(_folder), Half with { Prediction = ModelPrediction.V });
        model.SaveAs(path);
        using var file = TensorFile.Open(path);
        Assert.Equal([0], file["v_pred"].Shape);
        Assert.False(file.TryGet("ztsnr", out _));
    }

    [Fact]
    public void SaveAs_ModelWithoutVae_SaysWhatIsMissingAndWritesNothing()
    {
        var folder = _folder.Folder("out");
        using var model = ModelLoader.Load(FixtureModels.TinySd15(_folder), Half);
        model.ReleaseVae();
        var fault = Assert.Throws<InvalidOperationException>(() => model.SaveAs(Path.Combine(folder, "model.safetensors")));
        Assert.Contains("vae was not loaded", fault.Message);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
    }

    [Theory]
    [InlineData(".safetensors")]
    [InlineData(".ckpt")]
    public void SaveAs_Cancelled_KeepsTheOldFile(string extension)
    {
        var folder = _folder.Folder("out");
        var path = Path.Combine(folder, "model" + extension);
        File.WriteAllText(path, "old");
        using var cancel = new CancellationTokenSource();
        using var model = ModelLoader.Load(FixtureModels.TinySd15(_folder), Half);
        var options = new ModelSaveOptions
        {
            Progress = new Listener(progress => { if (progress.Done == 2) cancel.Cancel(); }), Overwrite = true,
        };
        Assert.Throws<OperationCanceledException>(() => model.SaveAs(path, options, cancel.Token));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.EnumerateFileSystemEntries(folder));
    }

    [Fact]
    public void SaveAs_AFolderOrAnExistingFile_IsRefused()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySd15(_folder), Half);
        Assert.Contains("this is a folder", Assert.Throws<InvalidOptionsException>(() => model.SaveAs(_folder.Folder("x.ckpt"))).Message);
        File.WriteAllText(_folder.File("model.safetensors"), "old");
        var fault = Assert.Throws<InvalidOptionsException>(() =>
            model.SaveAs(_folder.File("model.safetensors")));
        Assert.Contains("such a file already", fault.Message);
        Assert.Equal("old", File.ReadAllText(_folder.File("model.safetensors")));
    }

    private static bool IsUnused(string name) =>
        name.Contains(".resblocks.23.", StringComparison.Ordinal) || name is "cond_stage_model.model.text_projection"
            || name.EndsWith(".logit_scale", StringComparison.Ordinal);

    /// <summary>The tensors of the reference's file, but for the buffers of the noise schedule, which come with a single file
    /// only.</summary>
    private static Dictionary<string, string> Reference(string name)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("models", "single-files.json")));
        return json.RootElement.GetProperty(name).GetProperty("tensors").EnumerateArray()
            .Where(row => row[0].GetString()!.Contains('.', StringComparison.Ordinal)).ToDictionary(
            row => row[0].GetString()!, row =>
                $"{row[1].GetString()} [{string.Join(", ", row[2].EnumerateArray().Select(size => size.GetInt64()))}] "
                    + $"{row[3].GetString()}");
    }

    private sealed class FixedClock : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    }

    private sealed class Listener(Action<WorkProgress> act) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value) => act(value);
    }
}
