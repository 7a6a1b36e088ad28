using StableTune.Formats;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

public sealed class SingleFileModelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("tiny-sd15", ModelVersion.Sd1, ModelPrediction.Epsilon, "sd_v1")]
    [InlineData("tiny-sd21-v", ModelVersion.Sd2, ModelPrediction.V, "sd_v2_v")]
    [InlineData("tiny-sdxl", ModelVersion.Sdxl, ModelPrediction.Epsilon, "sdxl_base_v1-0")]
    public void Load_SingleFile_IsTheModelOfTheFolder(string name, ModelVersion version, ModelPrediction prediction, string baseVersion)
    {
        var folder = Folder(name);
        var (file, options) = (FixtureModels.SingleFile(name), Options(name, folder));
        Assert.Empty(ModelLoader.Check(file, options));
        using var expected = ModelLoader.Load(folder);
        using var actual = ModelLoader.Load(file, options);

        ModelStates.AssertSame(expected, actual);
        Assert.Equal(expected.Scheduler.Prediction, actual.Scheduler.Prediction);
        Assert.Equal(expected.Vae.Options.ScalingFactor, actual.Vae.Options.ScalingFactor);
        Assert.Equal(expected.UNet.Options.AttentionHeads, actual.UNet.Options.AttentionHeads);
        Assert.Equal(expected.Tokenizer.PadId, actual.Tokenizer.PadId);
        foreach (var model in new[] { expected, actual })
        {
            Assert.Equal((version, prediction, baseVersion), (model.Details!.Version, model.Details.Prediction, model.BaseModelVersion));
            Assert.Equal(ModelKind.TextToImage, model.Details.Kind);
            Assert.Equal([TensorDType.F16], model.Details.StoredTypes["unet"]);
            Assert.Equal(model.Path, model.Details.Path);
            Assert.NotEmpty(model.Details.ToString());
        }

        Assert.Equal((ModelFormat.DiffusersSafetensors, ModelFormat.Safetensors), (expected.Details!.Format, actual.Details!.Format));
        if (name == "tiny-sdxl") Assert.Equal(expected.Tokenizer2.EncodePadded("a cat!")[0], actual.Tokenizer2.EncodePadded("a cat!")[0]);
    }

    [Theory]
    [InlineData(ModelParts.UNet)]
    [InlineData(ModelParts.Vae)]
    [InlineData(ModelParts.TextEncoder)]
    public void Load_OnePartOfAFile_LoadsNothingElse(ModelParts part)
    {
        using var model = ModelLoader.Load(
            FixtureModels.SingleFile("tiny-sd15"), Options("tiny-sd15", Folder("tiny-sd15")) with { Parts = part });
        Assert.Equal(part, model.Parts);
    }

    [Fact]
    public void Load_TorchCheckpoints_HoldTheSameWeights()
    {
        var options = Tiny();
        var config = Path.Combine(options.ConfigurationPath!, "text_encoder", "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"hidden_size\": 48", "\"hidden_size\": 32", StringComparison.Ordinal)
            .Replace("\"intermediate_size\": 192", "\"intermediate_size\": 128", StringComparison.Ordinal)
                .Replace("\"num_hidden_layers\": 5", "\"num_hidden_layers\": 3", StringComparison.Ordinal));
        using var zip = ModelLoader.Load(Fixtures.Path("models", "tiny-sd15-ckpt.ckpt"), options);
        using var legacy = ModelLoader.Load(Fixtures.Path("models", "tiny-sd15-ckpt-legacy-ema.ckpt"), options);
        ModelStates.AssertSame(zip, legacy);
        Assert.Equal((ModelFormat.Ckpt, ModelVersion.Sd1), (legacy.Details!.Format, legacy.Details.Version));
        Assert.Contains(legacy.Details.Notes, note => note.Contains("model_ema", StringComparison.Ordinal));

        using var averaged = ModelLoader.Load(
            Fixtures.Path("models", "tiny-sd15-ckpt-legacy-ema.ckpt"), options with { Ema = EmaWeights.Prefer });
        using var scope = NewDisposeScope();
        var weights = legacy.UNet.state_dict();
        Assert.Contains(averaged.UNet.state_dict(), entry => (entry.Value - weights[entry.Key]).abs().max().item<float>() > 0);
    }

    [Fact]
    public void Load_BundledTokenizer_IsThePublishedOne()
    {
        // The tiny text encoder has 1000 tokens, so that the published tokenizer does not fit it.
        var options = Tiny();
        Directory.Delete(Path.Combine(options.ConfigurationPath!, "tokenizer"), recursive: true);
        var problem = Assert.Single(ModelLoader.Check(FixtureModels.SingleFile("tiny-sd15"), options));
        Assert.Contains("49407", problem.ToString());
        Assert.Contains("TokenizerPath", problem.ToString());
        Assert.Empty(ModelLoader.Check(FixtureModels.SingleFile("tiny-sd15"), options with { TokenizerPath = Folder("tiny-sd15") }));
    }

    [Fact]
    public void Load_VersionThatTheFileIsNot_IsRefused()
    {
        foreach (var path in new[] { FixtureModels.SingleFile("tiny-sd15"), Folder("tiny-sd15") })
        {
            var error = Assert.Throws<InvalidFileException>(() => ModelLoader.Load(path, Tiny() with { Version = ModelVersion.Sd2 }));
            Assert.Contains("Stable Diffusion 1.x", error.Message);
            Assert.Contains("Sd2", error.Message);
        }
    }

    [Fact]
    public void Load_PredictionOption_Counts()
    {
        foreach (var path in new[] { FixtureModels.SingleFile("tiny-sd15"), Folder("tiny-sd15") })
        {
            using var model = ModelLoader.Load(path, Tiny() with { Prediction = ModelPrediction.V, Parts = ModelParts.Vae });
            Assert.Equal((ModelPrediction.V, ModelPrediction.V), (model.Scheduler.Prediction, model.Details!.Prediction));
            Assert.Contains("option", model.Details.PredictionOrigin);
        }
    }

    [Theory]
    [InlineData("tiny-sd15/vae/diffusion_pytorch_model.safetensors", "VAE")]
    [InlineData("tiny-sd15/text_encoder/model.safetensors", "text encoder")]
    [InlineData("tiny-sd15/unet/diffusion_pytorch_model.safetensors", "UNet")]
    public void Load_FileOfOnePart_SaysWhatItIs(string file, string expected)
    {
        var path = Fixtures.Path(["models", .. file.Split('/')]);
        Assert.Contains(expected, Assert.Throws<InvalidFileException>(() => ModelLoader.Load(path)).Message);
        Assert.Contains(expected, Assert.Single(ModelLoader.Check(path)).ToString());
    }

    [Fact]
    public void Load_LoRA_SaysWhatItIs()
    {
        var path = _folder.File("lora.safetensors");
        SafetensorsWriter.Write(path, [new TensorPayload("lora_unet_down_blocks_0.lora_up.weight", TensorDType.F32, [1], stream =>
            stream.Write(new byte[4]))]);
        Assert.Contains("LoRA", Assert.Throws<InvalidFileException>(() => ModelLoader.Load(path)).Message);
    }

    [Fact]
    public void Load_FileWithoutVae_AsksForOne()
    {
        var path = _folder.File("no-vae.safetensors");
        SafetensorsWriter.Write(path, ModelStates.Read(FixtureModels.SingleFile("tiny-sd15"))
            .Where(tensor => !tensor.Name.StartsWith("first_stage_model.", StringComparison.Ordinal)));
        File.Copy(Fixtures.Path("models", "tiny-sd15.yaml"), _folder.File("no-vae.yaml"));
        Assert.Contains("VaePath", Assert.Single(ModelLoader.Check(path, Tiny())).ToString());
        using var model = ModelLoader.Load(path, Tiny() with { VaePath = FixtureModels.SingleFile("tiny-sd15") });
        Assert.Equal(ModelParts.All, model.Parts);
    }

    [Fact]
    public void Load_MissingTensor_IsNamedAsTheModuleCallsIt()
    {
        var path = _folder.File("less.safetensors");
        SafetensorsWriter.Write(path, ModelStates.Read(FixtureModels.SingleFile("tiny-sd15"))
            .Where(tensor => tensor.Name != "model.diffusion_model.time_embed.2.bias"));
        File.Copy(Fixtures.Path("models", "tiny-sd15.yaml"), _folder.File("less.yaml"));
        Assert.Contains("time_embedding.linear_2.bias", Assert.Single(ModelLoader.Check(path, Tiny())).ToString());
    }

    [Fact]
    public void Load_ThroughALink_FollowsIt()
    {
        File.CreateSymbolicLink(_folder.File("link.safetensors"), FixtureModels.SingleFile("tiny-sd15"));
        Directory.CreateSymbolicLink(_folder.File("linked"), Folder("tiny-sd15"));
        var options = new ModelLoadOptions { Parts = ModelParts.Vae };
        using var folder = ModelLoader.Load(_folder.File("linked"), options);
        using var file = ModelLoader.Load(_folder.File("link.safetensors"), options with { ConfigurationPath = _folder.File("linked") });
        ModelStates.AssertSame(folder.Vae, file.Vae);
    }

    // What the tiny models' files do not tell: the text encoders' heads and, of SDXL, norm groups. Their .yaml tells the rest.
    private ModelLoadOptions Tiny() => Options("tiny-sd15", Folder("tiny-sd15"));

    private ModelLoadOptions Options(string name, string folder)
    {
        if (name == "tiny-sdxl") return new ModelLoadOptions { ConfigurationPath = folder };
        var configuration = _folder.Folder("configuration-" + name);
        // The yaml of tiny-sd21-v cannot tell that its middle has other heads.
        foreach (var part in name == "tiny-sd15" ? new[] { "text_encoder", "tokenizer" } : ["text_encoder", "tokenizer", "unet"])
        {
            Directory.CreateDirectory(Path.Combine(configuration, part));
            foreach (var file in Directory.GetFiles(Path.Combine(folder, part))
                .Where(file => !file.EndsWith(".safetensors", StringComparison.Ordinal)))
                File.Copy(file, Path.Combine(configuration, part, Path.GetFileName(file)), overwrite: true);
        }

        return new ModelLoadOptions { ConfigurationPath = configuration };
    }

    private string Folder(string name) => Directory.Exists(_folder.File(name)) ? _folder.File(name) : name switch
    {
        "tiny-sd15" => FixtureModels.TinySd15(_folder),
        "tiny-sdxl" => FixtureModels.TinySdxl(_folder),
        _ => FixtureModels.TinySd21V(_folder),
    };
}
