using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Diffusion;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>Whole runs on the tiny models of SDXL and SD 2.x.</summary>
public sealed class SdxlRunTests : IDisposable
{
    private static readonly TextToImageOptions s_prompt = new() { Prompt = "a (frog:1.2)", NegativePrompt = "blurry", Width = 64,
        Height = 64, Steps = 2 };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private TrainerBuilder Sdxl(string name = "xl") => TinyRun.Builder(_folder, name).WithModel(Model("tiny-sdxl"));

    private string Model(string name) => Directory.Exists(_folder.File(name)) ? _folder.File(name)
        : name == "tiny-sdxl" ? FixtureModels.TinySdxl(_folder) : FixtureModels.TinySd21V(_folder);

    [Fact]
    public void Train_SdxlWithBothEncoders_SavesWhatOtherProgramsRead_AndDrawsSamples()
    {
        var held = TinyRun.HeldBefore();
        var result = Sdxl().WithParts(AdapterParts.All)
            .WithSamples(_folder.File("samples"), s_prompt, s_prompt with { CropTopLeft = (0, 64), OriginalSize = new PixelSize(32, 32) })
            .Train();
        Assert.Equal(held, TinyRun.HeldTensors);
        Assert.Equal(3, result.Losses.Count(double.IsFinite));
        // Two prompts, before and after, and the contact sheet each time.
        Assert.Equal(6, result.Samples.Count);
        Assert.NotEqual(File.ReadAllBytes(result.Samples[0]), File.ReadAllBytes(result.Samples[1]));

        using var file = Formats.SafetensorsFile.Open(result.Files[0]);
        var names = file.Tensors.Select(info => info.Name.Split('.')[0]).Distinct().ToList();
        Assert.Equal(12 * 6, names.Count(name => name.StartsWith("lora_te1_text_model_encoder_layers_", StringComparison.Ordinal)));
        Assert.Equal(6 * 6, names.Count(name => name.StartsWith("lora_te2_text_model_encoder_layers_", StringComparison.Ordinal)));
        Assert.Contains("lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_out_0", names);
        Assert.Contains("lora_unet_middle_block_1_proj_in", names);
        Assert.Contains("lora_unet_output_blocks_0_1_proj_out", names);
        Assert.DoesNotContain(names, name => name.Contains("_blocks_0_attentions", StringComparison.Ordinal));

        var metadata = file.Metadata;
        Assert.Equal(("sdxl_base_v1-0", "False"), (metadata["ss_base_model_version"], metadata["ss_v2"]));
        Assert.Equal("stable-diffusion-xl-v1-base/lora", metadata["modelspec.architecture"]);
        Assert.Equal("https://github.com/Stability-AI/generative-models", metadata["modelspec.implementation"]);
        Assert.Equal(("64x64", "epsilon"), (metadata["modelspec.resolution"], metadata["modelspec.prediction_type"]));
    }

    [Fact]
    public void Train_SdxlWithCachedText_LearnsWhatItLearnsWithout()
    {
        var cached = Sdxl("cached").WithCachedTextEncoderOutputs(true).Train();
        var live = Sdxl("live").WithCachedTextEncoderOutputs(false).Train();
        var checkpointed = Sdxl("checkpointed").WithGradientCheckpointing().Train();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(live.Losses[i], cached.Losses[i], 1e-5);
            Assert.Equal(live.Losses[i], checkpointed.Losses[i], 1e-5);
        }
    }

    [Fact]
    public void Train_SdxlEncodersOnlyWithCheckpointing_TrainsBoth()
    {
        var result = Sdxl().TrainTextEncoderOnly().WithGradientCheckpointing().WithMaxTokenLength(150).Train();
        using var file = WeightFile.Open(result.Files[0]);
        using var scope = NewDisposeScope();
        bool Moved(string prefix) => file.Names.Where(name =>
            name.StartsWith(prefix, StringComparison.Ordinal) && name.EndsWith("lora_up.weight", StringComparison.Ordinal))
            .Any(name => file.Load(name, ScalarType.Float32).abs().max().ToSingle() > 0);
        Assert.True(Moved("lora_te1_"));
        Assert.True(Moved("lora_te2_"));
        Assert.DoesNotContain(file.Names, name => name.StartsWith("lora_unet", StringComparison.Ordinal));
    }

    [Fact]
    public void Train_SecondEncoderWithARateOfItsOwn_IsAGroupOfItsOwn()
    {
        var listener = new Listener();
        var result = Sdxl("own").WithParts(AdapterParts.All).WithLearningRate(1e-3, textEncoder: 1e-4, secondTextEncoder: 1e-5)
            .WithObserver(listener).Train();
        Assert.Equal([("textencoder 1", 1e-4), ("textencoder 2", 1e-5), ("unet", 1e-3)],
            listener.Rates.Select(rate => (rate.Key, rate.Value)));
        Assert.Equal("[0.0001, 1e-05]", TinyRun.Metadata(result.Files[0])["ss_text_encoder_lr"]);

        var (first, second) = (Sdxl("first").WithParts(AdapterParts.All).WithLearningRate(1e-3, secondTextEncoder: 0),
            Sdxl("second").WithParts(AdapterParts.All).WithLearningRate(1e-3, textEncoder: 0, secondTextEncoder: 1e-3));
        Assert.Equal((true, false), Encoders(first.For(TrainingLength.Steps(1)).Train().Files[0]));
        Assert.Equal((false, true), Encoders(second.For(TrainingLength.Steps(1)).Train().Files[0]));
    }

    private static (bool First, bool Second) Encoders(string path)
    {
        using var file = WeightFile.Open(path);
        return (file.Names.Any(name => name.StartsWith("lora_te1_", StringComparison.Ordinal)),
            file.Names.Any(name => name.StartsWith("lora_te2_", StringComparison.Ordinal)));
    }

    private sealed class Listener : ITrainingObserver
    {
        public IReadOnlyDictionary<string, double> Rates { get; private set; } = new Dictionary<string, double>();

        public void OnStep(TrainingProgress progress) => Rates = progress.LearningRates;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Train_SdxlInHalfPrecision_StaysNearFloat32(bool float16)
    {
        var full = Sdxl("full").WithParts(AdapterParts.All).Train();
        var half = Sdxl("half").WithParts(AdapterParts.All).WithPrecision(float16 ? PrecisionPolicy.Float16 : PrecisionPolicy.BFloat16)
            .WithSamples(_folder.File("samples"), s_prompt).Train();
        for (var i = 0; i < 3; i++) Assert.Equal(full.Losses[i], half.Losses[i], 0.02);
        using var file = Formats.SafetensorsFile.Open(half.Files[0]);
        Assert.All(file.Tensors, info => Assert.Equal(float16 ? Formats.TensorDType.F16 : Formats.TensorDType.BF16, info.DType));
    }

    [Fact]
    public void FromFile_SdxlFile_ChangesThePicture_WhicheverNamesItHas()
    {
        var result = Sdxl().WithParts(AdapterParts.All).WithLearningRate(0.02).Train();
        using var model = ModelLoader.Load(Model("tiny-sdxl"));
        var pipeline = new TextToImagePipeline(model);
        var plain = pipeline.Generate(s_prompt);
        byte[] With(string path)
        {
            using var network = AdapterNetwork.FromFile(path, ModelHosts.Of(model));
            return pipeline.Generate(s_prompt).Pixels;
        }

        var adapted = With(result.Files[0]);
        Assert.NotEqual(plain.Pixels, adapted);
        Assert.Equal(adapted, With(UnderModulesNames(result.Files[0], model)));
        Assert.Equal(plain.Pixels, pipeline.Generate(s_prompt).Pixels);
    }

    /// <summary>The same file with diffusers' names of the UNet's layers, as some programs write them.</summary>
    private string UnderModulesNames(string path, StableDiffusionModel model)
    {
        using var network = AdapterNetwork.FromFile(path, ModelHosts.Of(model));
        var names = network.Adapters.ToDictionary(entry => entry.Layer.Name, entry => entry.Layer.OtherName ?? entry.Layer.Name);
        using var file = WeightFile.Open(path);
        using var scope = NewDisposeScope();
        var renamed = file.Names.Select(name => (names[name.Split('.', 2)[0]] + "." + name.Split('.', 2)[1], file.Load(name))).ToList();
        Assert.Contains(renamed, tensor =>
            tensor.Item1.StartsWith("lora_unet_down_blocks_1_attentions_0_proj_in.", StringComparison.Ordinal));
        StateDictWriter.Save(_folder.File("diffusers-names.safetensors"), renamed, null);
        return _folder.File("diffusers-names.safetensors");
    }

    [Fact]
    public void Train_SdxlWithClipSkip_SaysThatItIsNotLookedAt()
    {
        var logger = new ListLogger();
        var skipped = Sdxl("skipped").WithClipSkip(50).WithLogger(logger).Train();
        Assert.Contains(logger.Entries, entry =>
            entry.Text.Contains("TrainingPlan.ClipSkip is 50", StringComparison.Ordinal)
            && entry.Text.Contains("SDXL", StringComparison.Ordinal));
        Assert.Equal(Sdxl("plain").Train().Losses, skipped.Losses);
    }

    [Theory]
    [InlineData("tiny-sdxl", false)]
    [InlineData("tiny-sd21-v", true)]
    public void Train_SizesThatTheUNetCannotHalveEvenly_AreWarnedOf(string model, bool warned)
    {
        var logger = new ListLogger();
        TinyRun.Bare(_folder).WithModel(Model(model))
            .WithDataset(new DatasetBuilder().AddFolder(TinyRun.Images(_folder)).WithResolution(96, 64)).WithLogger(logger)
            .For(TrainingLength.Steps(1)).Train();
        // 96 is a multiple of 32, but not of 64.
        Assert.Equal(warned, logger.Entries.Any(entry => entry.Text.Contains("multiples of 64", StringComparison.Ordinal)));
        Assert.Equal(warned ? 1 : 0, logger.Entries.Count(entry =>
            entry.Text.Contains("96x64", StringComparison.Ordinal) && entry.Text.Contains("multiple", StringComparison.Ordinal)));
    }

    [Fact]
    public void Train_Sd2V_TrainsTowardsVelocity_AndSaysSo()
    {
        var logger = new ListLogger();
        var result = TinyRun.Builder(_folder, "sd2").WithModel(Model("tiny-sd21-v")).WithParts(AdapterParts.All).WithMinSnr(5)
            .WithClipSkip(2).WithLogger(logger)
            .WithSamples(_folder.File("samples"), s_prompt).Train();
        Assert.Equal(3, result.Steps);
        Assert.Equal(4, result.Samples.Count);
        Assert.Contains(logger.Entries, entry => entry.Text.Contains("TrainingPlan.ClipSkip is 2", StringComparison.Ordinal));
        var metadata = TinyRun.Metadata(result.Files[0]);
        Assert.Equal(("sd_v2_v", "True"), (metadata["ss_base_model_version"], metadata["ss_v2"]));
        Assert.Equal(("stable-diffusion-v2-768-v/lora", "diffusers", "v"),
            (metadata["modelspec.architecture"], metadata["modelspec.implementation"], metadata["modelspec.prediction_type"]));
        using var file = WeightFile.Open(result.Files[0]);
        Assert.Equal(138 + 192, file.Names.Select(name => name.Split('.')[0]).Distinct().Count());
    }

    [Fact]
    public void Train_InpaintingModel_NeedsPixels_AndTrains()
    {
        var path = InpaintingModel();
        var builder = TinyRun.Builder(_folder, "inpainting").WithModel(path);
        var error = Assert.Throws<InvalidOptionsException>(() => builder.WithCachedLatents().Build());
        Assert.Equal("CacheOptions.Latents", Assert.Single(error.Problems).Option);
        var held = TinyRun.HeldBefore();
        var result = builder.WithCachedLatents(null).Train();                  // does without a cache by itself
        Assert.Equal(3, result.Losses.Count(double.IsFinite));
        Assert.Equal(held, TinyRun.HeldTensors);
        Assert.Equal(result.Losses, TinyRun.Builder(_folder, "again").WithModel(path).WithCachedLatents(false).Train().Losses);
    }

    private string InpaintingModel()
    {
        var path = SmallRun.TinySd15(_folder);
        var config = Path.Combine(path, "unet", "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"in_channels\": 4", "\"in_channels\": 9", StringComparison.Ordinal));
        manual_seed(1);
        using var unet = new UNet2DConditionModel(UNetOptions.Tiny with { InChannels = 9 });
        StateDictWriter.Save(Path.Combine(path, "unet", "diffusion_pytorch_model.safetensors"),
            unet.state_dict().Select(entry => (entry.Key, entry.Value)).ToList(), null);
        return path;
    }
}
