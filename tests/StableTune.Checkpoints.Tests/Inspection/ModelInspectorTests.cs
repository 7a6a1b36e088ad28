using System.Text.Json;
using System.Text.Json.Nodes;
using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Inspection;

/// <summary>Whole models, as folders and single files: kind, architecture, parts with their counts, problems.</summary>
public sealed class ModelInspectorTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, bool> Models() => new()
    {
        { "tiny-sd15", true }, { "tiny-sd21-v", true }, { "tiny-sdxl", true }, { "tiny-sd15", false }, { "tiny-sd21-v", false },
            { "tiny-sdxl", false },
        { "tiny-sd15-ckpt", false },
    };

    [Theory]
    [MemberData(nameof(Models))]
    public void Inspect_Models_CountsTheParametersOfEveryPart(string name, bool asFolder)
    {
        var path = Model(name, asFolder);
        var found = ModelInspector.Inspect(path, new InspectOptions { ConfigurationPath = asFolder ? null : Configuration(name) });
        var counts = JsonNode.Parse(File.ReadAllText(Fixtures.Path("models", "parameter_counts.json")))![name]!.AsObject();
        Assert.Equal(counts.ToDictionary(c => c.Key, c => c.Value!.GetValue<long>()),
            found.Parts.ToDictionary(part => part.Name, part => part.Parameters));
        Assert.Equal(counts.Sum(c => c.Value!.GetValue<long>()), found.Parameters);
        Assert.Equal((ContentKind.Model, path), (found.Kind, found.Path));
        Assert.Empty(found.Problems);
        Assert.All(found.Parts, part =>
        {
            Assert.Equal(TensorDType.F16, Assert.Single(part.Precisions).Type);
            Assert.Equal(part.Parameters * 2, part.Bytes);
            Assert.Equal(part.Parameters, part.Precisions[0].Elements);
            Assert.NotNull(part.Architecture);
        });
        Assert.Equal(name switch { "tiny-sd21-v" => ModelVersion.Sd2, "tiny-sdxl" => ModelVersion.Sdxl, _ => ModelVersion.Sd1 },
            found.Details!.Version);
        Assert.Equal(name == "tiny-sd21-v" ? ModelPrediction.V : ModelPrediction.Epsilon, found.Details.Prediction);
        Assert.Equal(asFolder ? ModelFormat.DiffusersSafetensors : name == "tiny-sd15-ckpt" ? ModelFormat.Ckpt : ModelFormat.Safetensors,
            found.Details.Format);
        Assert.Equal(asFolder ? found.Parts.Count : 1, found.Files.Count);
        Assert.All(found.Files, file => Assert.Equal(new FileInfo(file.Path).Length, file.Bytes));
        Assert.All(found.Files, file => Assert.Null(file.Hashes));
    }

    [Fact]
    public void Inspect_LegacyCheckpointWithAverages_TellsItsStepsAndWhatIsLeftOut()
    {
        var found = ModelInspector.Inspect(
            Fixtures.Path("models", "tiny-sd15-ckpt-legacy-ema.ckpt"),
            new InspectOptions { ConfigurationPath = Configuration("tiny-sd15-ckpt") });
        Assert.Equal(431988, found.Parts.Single(part => part.Name == "unet").Parameters);
        Assert.Contains(found.Notes, note => note.Contains("averaged weights", StringComparison.Ordinal));
        Assert.Contains("global_step", found.Metadata.Keys);
    }

    [Fact]
    public void Inspect_ModelWithoutATensor_NamesItAndStillCounts()
    {
        var folder = FixtureModels.TinySd15(_folder);
        var unet = Path.Combine(folder, "unet", "diffusion_pytorch_model.safetensors");
        var whole = Rewrite(unet, tensors => tensors.Where(t => t.Name != "conv_in.bias"));
        var found = ModelInspector.Inspect(folder);
        Assert.Contains("conv_in.bias", Assert.Single(found.Problems));
        Assert.Equal(whole - 32, found.Parts.Single(part => part.Name == "unet").Parameters);
        Assert.Contains("Problems\n  - ", found.ToString().ReplaceLineEndings("\n"));

        File.Delete(unet);
        found = ModelInspector.Inspect(folder);
        Assert.Equal(ContentKind.Model, found.Kind);
        Assert.DoesNotContain(found.Parts, part => part.Name == "unet");
        Assert.Contains("missing", Assert.Single(found.Problems));
    }

    [Fact]
    public void Inspect_CheckpointThatCannotBeTold_IsDescribedAsFarAsItGoes()
    {
        // SD 2.x without anything that tells its prediction.
        var path = _folder.File("sd2.safetensors");
        File.Copy(FixtureModels.SingleFile("tiny-sd21-v"), path);
        var configuration = _folder.Folder("configuration");
        foreach (var part in new[] { "unet", "vae", "text_encoder" })
            File.Copy(Fixtures.Path("models", "tiny-sd21-v", part, "config.json"),
            Path.Combine(_folder.Folder("configuration", part), "config.json"));
        var found = ModelInspector.Inspect(path, new InspectOptions { ConfigurationPath = configuration });
        Assert.Equal(ContentKind.Model, found.Kind);
        Assert.Null(found.Details);
        Assert.Contains("nothing tells which", Assert.Single(found.Problems));
        Assert.Equal(["unet", "vae", "text_encoder"], found.Parts.Select(part => part.Name));
        Assert.Equal(827476, found.Parts[0].Parameters);

        var told = ModelInspector.Inspect(path, new InspectOptions { ConfigurationPath = configuration, Prediction = ModelPrediction.V });
        Assert.Equal(ModelPrediction.V, told.Details?.Prediction);
        Assert.Empty(told.Problems);
    }

    [Fact]
    public void Inspect_WithHashes_GivesThemForEveryFileAndTellsHowFarItIs()
    {
        var folder = FixtureModels.TinySd15(_folder);
        var told = new Told();
        var found = ModelInspector.Inspect(folder, new InspectOptions { Hashes = true, Progress = told });
        Assert.Equal(3, found.Files.Count);
        Assert.All(found.Files, file =>
        {
            Assert.Equal(WeightHashes.Sha256(file.Path), file.Hashes!.Sha256);
            Assert.Equal(WeightHashes.Old(file.Path), file.Hashes.Old);
            Assert.Empty(file.Carried);
        });
        Assert.All(told.Reports, report => Assert.Equal("hashing", report.Stage));
        Assert.Equal(told.Reports[^1].Total, told.Reports[^1].Done);
        Assert.Throws<OperationCanceledException>(() =>
            ModelInspector.Inspect(folder, new InspectOptions { Hashes = true }, new CancellationToken(canceled: true)));
    }

    [Fact]
    public void ToString_Model_IsAReportAndToJsonHoldsTheSame()
    {
        var path = Model("tiny-sd21-v", asFolder: false);
        var found = ModelInspector.Inspect(path, new InspectOptions { Hashes = true, ConfigurationPath = Configuration("tiny-sd21-v") });
        var text = found.ToString();
        Assert.StartsWith(path + Environment.NewLine, text);
        foreach (var expected in new[] { "Stable Diffusion 2.x", "v prediction", "unet", "827,476", "F16 (", "together", "context 32",
            "AutoV2", found.Files[0].Hashes!.Sha256, "Metadata: other (1)", "format" })
            Assert.Contains(expected, text);
        using var json = JsonDocument.Parse(found.ToJson());
        Assert.Equal("Model", json.RootElement.GetProperty("kind").GetString());
        Assert.Equal("Sd2", json.RootElement.GetProperty("details").GetProperty("version").GetString());
        Assert.Equal(827476, json.RootElement.GetProperty("parts")[0].GetProperty("parameters").GetInt64());
        Assert.Equal("F16", json.RootElement.GetProperty("parts")[0].GetProperty("stored")[0].GetProperty("type").GetString());
        Assert.Equal(found.Files[0].Hashes!.AutoV2,
            json.RootElement.GetProperty("files")[0].GetProperty("hashes").GetProperty("autov2").GetString());
        Assert.Equal("pt", json.RootElement.GetProperty("metadata").GetProperty("format").GetString());
        Assert.Equal(0, json.RootElement.GetProperty("problems").GetArrayLength());
    }

    [Fact]
    public void Inspect_WhatIsNotThereOrNoWeights_IsRefused()
    {
        Assert.Contains("does not exist",
            Assert.Throws<InvalidFileException>(() => ModelInspector.Inspect(_folder.File("none.safetensors"))).Message);
        Assert.Contains("no model_index.json",
            Assert.Throws<InvalidFileException>(() => ModelInspector.Inspect(_folder.Folder("empty"))).Message);
        File.WriteAllText(_folder.File("page.safetensors"), "<!DOCTYPE html><html></html>");
        Assert.Contains("web page", Assert.Throws<InvalidFileException>(() =>
            ModelInspector.Inspect(_folder.File("page.safetensors"))).Message);
        Assert.Throws<InvalidOptionsException>(() => ModelInspector.Inspect(_folder.Path, new InspectOptions { Variant = "../x" }));
    }

    /// <summary>The configurations of a tiny model, whose heads are not the usual ones.</summary>
    private string Configuration(string name)
    {
        if (name != "tiny-sd15-ckpt") return Fixtures.Path("models", name);
        File.WriteAllText(Path.Combine(_folder.Folder("ckpt", "text_encoder"), "config.json"), """
            {"architectures": ["CLIPTextModel"], "vocab_size": 1000, "hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4}
            """);
        return _folder.File("ckpt");
    }

    private string Model(string name, bool asFolder) => (name, asFolder) switch
    {
        ("tiny-sd15", true) => FixtureModels.TinySd15(_folder),
        ("tiny-sd21-v", true) => FixtureModels.TinySd21V(_folder),
        (_, true) => FixtureModels.TinySdxl(_folder),
        ("tiny-sd15-ckpt", _) => Fixtures.Path("models", "tiny-sd15-ckpt.ckpt"),
        _ => FixtureModels.SingleFile(name),
    };

    /// <summary>Writes a file again with some of its tensors; gives the number of elements it had.</summary>
    private static long Rewrite(string path, Func<IEnumerable<TensorInfo>, IEnumerable<TensorInfo>> choose)
    {
        using var file = SafetensorsFile.Open(path);
        SafetensorsWriter.Write(path, choose(file.Tensors)
            .Select(t => new TensorPayload(t.Name, t.DType, t.Shape, stream => stream.Write(file.Span(t.Name)))), file.Metadata);
        return file.Tensors.Sum(t => t.ElementCount);
    }

    private sealed class Told : IProgress<WorkProgress>
    {
        public List<WorkProgress> Reports { get; } = [];

        public void Report(WorkProgress value) => Reports.Add(value);
    }
}
