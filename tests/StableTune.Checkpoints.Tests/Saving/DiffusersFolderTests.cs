using System.Text.Json.Nodes;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Saving;

/// <summary>Models written as folders: complete, and the same as the folders they came from.</summary>
public sealed class DiffusersFolderTests : IDisposable
{
    private static readonly ModelLoadOptions Half = new() { WeightType = ScalarType.Float16 };

    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<string> Models() => ["tiny-sd15", "tiny-sd21-v", "tiny-sd21-base", "tiny-sdxl"];

    [Theory]
    [MemberData(nameof(Models))]
    public void SaveAs_AFolderLoadedInItsOwnType_GivesTheSameFolder(string name)
    {
        var source = Complete(name);
        var target = _folder.File("out");
        using (var model = ModelLoader.Load(source, Half)) Assert.Empty(model.SaveAs(target).Notes);

        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(source, path)))
        {
            if (file.EndsWith(".safetensors", StringComparison.Ordinal)) AssertSameWeights(source, target, file);
            else if (file == "model_index.json")
                Assert.True(JsonNode.DeepEquals(Json(source, file), Json(target, file)), File.ReadAllText(Path.Combine(target, file)));
            else Assert.Equal(File.ReadAllBytes(Path.Combine(source, file)), File.ReadAllBytes(Path.Combine(target, file)));
        }

        Assert.Equal(Files(source), Files(target));
        Assert.Equal(["out", name], Directory.EnumerateFileSystemEntries(_folder.Path).Select(Path.GetFileName)
            .Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void SaveAs_AModelWithoutAFolder_HasConfigurationsOfItsOwn(string name)
    {
        var target = _folder.File("out");
        using (var loaded = ModelLoader.Load(Complete(name), Half))
        using (var model = new StableDiffusionModel(new ModelComponents
        {
            UNet = loaded.UNet, Vae = loaded.Vae, TextEncoder = loaded.TextEncoder,
            TextEncoder2 = loaded.HasTextEncoder2 ? loaded.TextEncoder2 : null,
            Tokenizer = loaded.Tokenizer, Tokenizer2 = loaded.HasTextEncoder2 ? loaded.Tokenizer2 : null, Scheduler = loaded.Scheduler,
        })) model.SaveAs(target);

        // Every key that the fixture's configurations have, with the same value; further keys are those of published models.
        foreach (var file in Directory.EnumerateFiles(_folder.File(name), "*config.json", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(_folder.File(name), path)))
        {
            var (expected, actual) = (Json(_folder.File(name), file), Json(target, file));
            foreach (var (key, value) in expected.Where(entry => entry.Key is not ("_diffusers_version" or "projection_dim")))
                Assert.True(JsonNode.DeepEquals(value, actual[key]),
                    $"{file}: {key} is {actual[key]?.ToJsonString()}, expected {value?.ToJsonString()}");
        }

        Assert.Equal(!name.EndsWith("xl", StringComparison.Ordinal),
            File.Exists(Path.Combine(target, "feature_extractor", "preprocessor_config.json")));
        var index = Json(target, "model_index.json");
        Assert.Equal(Json(_folder.File(name), "model_index.json")["_class_name"]!.GetValue<string>(),
            index["_class_name"]!.GetValue<string>());
        foreach (var part in Directory.EnumerateDirectories(target).Select(path => Path.GetFileName(path)!))
            Assert.NotNull(index[part]![1]);

        using var again = ModelLoader.Load(target, Half);
        Assert.Equal(again.Tokenizer.EncodePadded("a red cat!"),
            ModelLoader.Load(_folder.File(name), Half with { Parts = ModelParts.TextEncoder }).Tokenizer.EncodePadded("a red cat!"));
        foreach (var file in Directory.EnumerateFiles(_folder.File(name), "*.safetensors", SearchOption.AllDirectories))
            AssertSameWeights(_folder.File(name), target, Path.GetRelativePath(_folder.File(name), file));
    }

    [Fact]
    public void SaveAs_WithPrecisions_ConvertsEachPartAndSaysSo()
    {
        var source = Complete("tiny-sd15");
        using var model = ModelLoader.Load(source);
        model.SaveAs(_folder.File("out"), new ModelSaveOptions { Precision = ScalarType.BFloat16, VaePrecision = ScalarType.Float32 });

        Assert.All(Types("unet/diffusion_pytorch_model"), type => Assert.Equal(TensorDType.BF16, type));
        Assert.All(Types("text_encoder/model"), type => Assert.Equal(TensorDType.BF16, type));
        Assert.All(Types("vae/diffusion_pytorch_model"), type => Assert.Equal(TensorDType.F32, type));
        Assert.Equal("bfloat16", Json(_folder.File("out"), "text_encoder/config.json")["torch_dtype"]!.GetValue<string>());
        using var golden = Golden.OpenFile(Path.Combine(source, "vae/diffusion_pytorch_model.safetensors"));
        using var saved = Golden.OpenFile(_folder.File("out", "vae", "diffusion_pytorch_model.safetensors"));
        foreach (var name in golden.Names) golden.AssertEqual(name, saved[name]);

        IEnumerable<TensorDType> Types(string file)
        {
            using var weights = SafetensorsFile.Open(_folder.File("out", file + ".safetensors"));
            Assert.Equal("pt", weights.Metadata["format"]);
            return [.. weights.Tensors.Select(info => info.DType).Distinct()];
        }
    }

    [Fact]
    public void SaveAs_AConfigurationWithOtherKeys_KeepsThem()
    {
        var source = Complete("tiny-sd15");
        Edit(source, "unet/config.json", config => config["my_note"] = "kept");
        Edit(source, "scheduler/scheduler_config.json", config => config["_class_name"] = "EulerAncestralDiscreteScheduler");
        Edit(source, "scheduler/scheduler_config.json", config => config["use_karras_sigmas"] = true);
        using (var model = ModelLoader.Load(source, Half)) model.SaveAs(_folder.File("out"));

        Assert.Equal("kept", Json(_folder.File("out"), "unet/config.json")["my_note"]!.GetValue<string>());
        Assert.True(Json(_folder.File("out"), "scheduler/scheduler_config.json")["use_karras_sigmas"]!.GetValue<bool>());
        Assert.Equal("EulerAncestralDiscreteScheduler", Json(_folder.File("out"), "model_index.json")["scheduler"]![1]!.GetValue<string>());
    }

    [Fact]
    public void SaveAs_ASourceWithFurtherParts_KeepsAllButTheSafetyChecker()
    {
        var source = Complete("tiny-sd15");
        foreach (var part in (string[])["feature_extractor", "safety_checker", "depth_estimator"])
        {
            Directory.CreateDirectory(Path.Combine(source, part));
            File.WriteAllText(Path.Combine(source, part, "preprocessor_config.json"), part);
        }

        Edit(source, "model_index.json", index =>
        {
            index["feature_extractor"] = new JsonArray("transformers", "CLIPFeatureExtractor");
            index["safety_checker"] = new JsonArray("stable_diffusion", "StableDiffusionSafetyChecker");
            index["depth_estimator"] = new JsonArray("transformers", "DPTForDepthEstimation");
            index["../../outside"] = new JsonArray("transformers", "Outside");
        });
        using (var model = ModelLoader.Load(source, Half)) model.SaveAs(_folder.File("out"));

        var index = Json(_folder.File("out"), "model_index.json");
        Assert.Null(index["safety_checker"]![1]);
        Assert.Equal("CLIPFeatureExtractor", index["feature_extractor"]![1]!.GetValue<string>());
        Assert.Equal("feature_extractor", File.ReadAllText(_folder.File("out", "feature_extractor", "preprocessor_config.json")));
        Assert.Equal("depth_estimator", File.ReadAllText(_folder.File("out", "depth_estimator", "preprocessor_config.json")));
        Assert.False(Directory.Exists(_folder.File("out", "safety_checker")));
    }

    [Fact]
    public void SaveAs_LargerThanAShard_IsSplitAndLoadsAgain()
    {
        var source = Complete("tiny-sd15");
        var options = new ModelSaveOptions { MaxShardBytes = 1_000_000, Variant = "fp16" };
        using (var model = ModelLoader.Load(source, Half)) model.SaveAs(_folder.File("out"), options);

        var unet = _folder.File("out", "unet");
        var index = Json(unet, "diffusion_pytorch_model.safetensors.index.fp16.json");
        var shards = index["weight_map"]!.AsObject().Select(entry => entry.Value!.GetValue<string>()).Distinct().ToList();
        Assert.Equal(["diffusion_pytorch_model.fp16-00001-of-00004.safetensors", .. shards.Skip(1)], shards);
        Assert.Equal(4, shards.Count);
        Assert.All(shards, shard => Assert.InRange(new FileInfo(Path.Combine(unet, shard)).Length, 1, 1_100_000));
        Assert.Equal(3_376_584, index["metadata"]!["total_size"]!.GetValue<long>());
        Assert.True(File.Exists(_folder.File("out", "vae", "diffusion_pytorch_model.fp16.safetensors")));
        Assert.Equal(
            StoredTensors.Of(Path.Combine(source, "unet/diffusion_pytorch_model.safetensors")),
            shards.SelectMany(shard => StoredTensors.Of(Path.Combine(unet, shard))).OrderBy(entry => entry.Name, StringComparer.Ordinal));
    }

    [Fact]
    public void SaveAs_TorchWeights_LoadAgain()
    {
        var source = Complete("tiny-sd15");
        using (var model = ModelLoader.Load(source, Half))
            model.SaveAs(_folder.File("out"), new ModelSaveOptions { Format = ModelFormat.Diffusers });
        Assert.Equal(
            StoredTensors.Of(Path.Combine(source, "unet/diffusion_pytorch_model.safetensors")),
                StoredTensors.Of(_folder.File("out", "unet", "diffusion_pytorch_model.bin")));
        Assert.True(File.Exists(_folder.File("out", "text_encoder", "pytorch_model.bin")));
        using (var again = ModelLoader.Load(_folder.File("out"), Half))
            again.SaveAs(_folder.File("third"), new ModelSaveOptions { MaxShardBytes = 1_500_000 });

        // As the input is, so is the output.
        Assert.Equal(3, Directory.EnumerateFiles(_folder.File("third", "unet"), "*-of-00003.bin").Count());
        using var last = ModelLoader.Load(_folder.File("third"), Half);
        using var golden = Golden.OpenFile(Path.Combine(source, "unet/diffusion_pytorch_model.safetensors"));
        foreach (var (name, tensor) in last.UNet.state_dict()) golden.AssertEqual(name, tensor);
    }

    [Fact]
    public void SaveAs_WithAddedTokens_WritesThem()
    {
        using var model = ModelLoader.Load(Complete("tiny-sd15"), Half);
        model.Tokenizer = model.Tokenizer.WithAddedTokens(new Dictionary<string, int> { ["<frog>"] = 990 });
        model.SaveAs(_folder.File("out"));

        using var again = ModelLoader.Load(_folder.File("out"), Half);
        Assert.Equal(990, again.Tokenizer.AddedTokens["<frog>"]);
    }

    [Fact]
    public void SaveAs_OfOnePart_WritesItAndSaysWhatIsMissing()
    {
        using (var model = ModelLoader.Load(Complete("tiny-sd15"), Half with { Parts = ModelParts.UNet }))
        {
            var saved = model.SaveAs(_folder.File("out"));
            Assert.Contains("without vae, text_encoder", Assert.Single(saved.Notes));
        }

        using var again = ModelLoader.Load(_folder.File("out"), Half with { Parts = ModelParts.UNet });
        Assert.Equal(ModelParts.UNet, again.Parts);
        Assert.False(Directory.Exists(_folder.File("out", "vae")));
    }

    private string Complete(string name) => SavedModels.Complete(name, _folder);

    /// <summary>The names of today, without buffers: what modules hold.</summary>
    private static void AssertSameWeights(string source, string target, string file) => Assert.Equal(
        StoredTensors.Of(Path.Combine(source, file), name => name.EndsWith("position_ids", StringComparison.Ordinal) ? null : name
            .Replace(".query.", ".to_q.", StringComparison.Ordinal).Replace(".key.", ".to_k.", StringComparison.Ordinal)
            .Replace(".value.", ".to_v.", StringComparison.Ordinal).Replace(".proj_attn.", ".to_out.0.", StringComparison.Ordinal)),
        StoredTensors.Of(Path.Combine(target, file)));

    private static JsonObject Json(string folder, string file) => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, file)))!.AsObject();

    private static void Edit(string folder, string file, Action<JsonObject> edit)
    {
        var json = Json(folder, file);
        edit(json);
        File.WriteAllText(Path.Combine(folder, file), json.ToJsonString());
    }

    private static IEnumerable<string> Files(string folder) =>
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(folder, path))
            .Order(StringComparer.Ordinal);
}
