using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Testing;
using StableTune.Trainables;
using static TorchSharp.torch;

namespace StableTune.Tests;

/// <summary>Runs that train or apply sd-trainer's PFG, alone and with adapters.</summary>
public sealed class PfgRunTests : IDisposable
{
    private const int Inputs = 24, Width = 48;

    private readonly TemporaryFolder _folder = new();
    private readonly long _held = TinyRun.HeldBefore();

    public void Dispose()
    {
        _folder.Dispose();
        Assert.Equal(_held, TinyRun.HeldTensors);
    }

    [Theory]
    [InlineData("pfg.pt")]
    [InlineData("pfg.safetensors")]
    public void Pfg_IsTrainedAlone_AndGoesOnFromItsFile(string name)
    {
        var path = _folder.File("out", name);
        using (var result = Run().WithPfg(Small).SaveTo(path).KeepModel().Train())
        {
            var trained = Trained(result);
            Assert.Equal((Inputs, Width, 3), (trained.InputSize, trained.ContextWidth, trained.Tokens));
            using var loaded = PfgNetwork.Load(path, Width);
            Assert.True(trained.Layer.weight.Equals(loaded.Layer.weight));
            Assert.True(trained.Layer.bias!.Equals(loaded.Layer.bias!));
        }

        // A rate that changes nothing: what comes out is what went in; the number of tokens is the file's.
        var again = _folder.File("out", "again" + Path.GetExtension(name));
        Run().WithPfg(o => o with { InputSize = Inputs, InitialWeights = path, Rate = 1e-12 }).SaveTo(again).Train();
        using var first = PfgNetwork.Load(path, Width);
        using var second = PfgNetwork.Load(again, Width);
        GoldenComparison.AssertClose("weight", first.Layer.weight, second.Layer.weight, 1e-7);
    }

    [Fact]
    public void Learning_TheLossFalls_WithoutAnyCaption()
    {
        var result = Run().WithPfg(o => Small(o) with { Rate = 2e-2 }).WithTimesteps(new UniformTimesteps { Min = 700, Max = 701 })
            .WithNoise(new OneNoise()).For(TrainingLength.Steps(80)).SaveTo(_folder.File("out", "pfg.pt")).Train();
        var (start, end) = (result.Losses.Take(4).Average(), result.Losses.TakeLast(4).Average());
        Assert.True(end < start, $"{start} became {end}");
    }

    [Fact]
    public void WithALora_BothLearn_AndEachCanBeFrozen()
    {
        Run().WithPfg(Small).WithLoRA(rank: 1).SaveTo(_folder.File("out", "{name}.safetensors")).Train();
        var (pfg, lora) = (_folder.File("out", "pfg.safetensors"), _folder.File("out", "lora.safetensors"));
        Assert.Contains(TinyRun.Weights(lora), weight => weight != 0);
        var before = File.ReadAllBytes(pfg);
        var without = Run().WithLoRA(rank: 1).SaveTo(TinyRun.Output(_folder, "without")).Train();
        var with = Run().WithLoRA(rank: 1).WithPfg(o => Small(o) with { InitialWeights = pfg, Trained = false })
            .SaveTo(TinyRun.Output(_folder, "with")).Train();
        Assert.NotEqual(without.Losses[0], with.Losses[0]);
        Assert.Equal(before, File.ReadAllBytes(pfg));
        var adapted = Run().WithFrozenAdapter(lora).WithPfg(Small).SaveTo(_folder.File("out", "adapted.pt")).Train();
        Assert.All(adapted.Losses, loss => Assert.True(double.IsFinite(loss)));
    }

    [Fact]
    public void WithAControlNet_BothLearn()
    {
        var subset = new SubsetOptions { PromptFreeFolder = Features(), ConditioningFolder = TinyRun.Images(_folder) };
        Run(subset).WithControlNet().WithPfg(Small).SaveTo(_folder.File("out", "{name}.safetensors")).Train();
        Assert.Empty(ControlNetLoader.Check(_folder.File("out", "controlnet.safetensors"), FixtureModels.ShallowUNetOptions));
        PfgNetwork.Load(_folder.File("out", "pfg.safetensors"), Width).Dispose();
    }

    [Fact]
    public void State_GivesTheSameRun()
    {
        TrainerBuilder Of(string name) => Run().WithPfg(Small).SaveTo(_folder.File("out", name)).For(TrainingLength.Steps(3));
        var whole = Of("whole.safetensors").SaveState(_folder.File("states", "pfg")).SaveEvery(steps: 1).Train();
        var resumed = Of("resumed.safetensors").ResumeFrom(_folder.File("states", "pfg-step00000002-state")).Train();
        Assert.Equal(whole.Losses, resumed.Losses);
        Assert.Equal(
            TinyRun.Weights(_folder.File("out", "whole.safetensors")), TinyRun.Weights(_folder.File("out", "resumed.safetensors")));
    }

    [Fact]
    public void SdTrainersLayout_BringsItsFeatures()
    {
        var layout = Fixtures.Path("data", "latents_cache", "sd_trainer_layout");
        var path = _folder.File("out", "pfg.pt");
        new TrainerBuilder().WithModel(SmallRun.Model(_folder))
            .WithDataset(new DatasetBuilder().Add(new SdTrainerSource(layout) { TakeTextOutputs = false }).WithResolution(64))
            .WithPfg(o => o with { InputSize = Inputs }).For(TrainingLength.Steps(1)).SaveTo(path).Train();
        using var network = PfgNetwork.Load(path, Width);
        Assert.Equal(10, network.Tokens);
    }

    [Fact]
    public void Samples_AreDrawnWithTheTokens_AndThePipelineDrawsTheSame()
    {
        var prompt = new TextToImageOptions { Prompt = "a frog", Width = 64, Height = 64, Steps = 2, Seed = 3 };
        var features = Directory.GetFiles(Features()).Order(StringComparer.Ordinal).ToArray();
        var path = _folder.File("out", "pfg.safetensors");
        var result = Run().WithPfg(o => Small(o) with { Rate = 1, SampleFeatures = [features[0], features[1]] }).SaveTo(path)
            .WithSamples(new SampleOptions
            {
                Folder = _folder.File("samples"), Prompts = [prompt, prompt, prompt with { Seed = 3 }], Before = false,
            }).Train();
        var drawn = result.Samples.Where(file => !file.Contains("sheet", StringComparison.Ordinal))
            .Select(file => ImageFile.Load(file)).ToArray();
        // The third prompt has the first features again.
        Assert.NotEqual(drawn[0].Pixels, drawn[1].Pixels);
        Assert.Equal(drawn[0].Pixels, drawn[2].Pixels);

        using var model = ModelLoader.Load(SmallRun.Model(_folder));
        using var network = PfgNetwork.Load(path, Width);
        using var scope = NewDisposeScope();
        var values = tensor(PromptFreeFeatures.Read(features[0])).unsqueeze(0);
        var pipeline = new TextToImagePipeline(model) { ChangeConditions = (conditions, _) => network.Extend(conditions, values) };
        Assert.Equal(drawn[0].Pixels, pipeline.Generate(prompt).Pixels);
        Assert.NotEqual(drawn[0].Pixels, new TextToImagePipeline(model).Generate(prompt).Pixels);
    }

    [Fact]
    public void WhatIsMissingOrDoesNotFit_IsToldAtOnce()
    {
        string Told(Func<PfgOptions, PfgOptions> change, SubsetOptions? subset = null) => Assert.Throws<InvalidOptionsException>(() =>
            Run(subset).WithPfg(change).SaveTo(_folder.File("out", "pfg.pt")).Build()).Message;
        Assert.Contains("SubsetOptions.PromptFreeFolder", Told(Small, new SubsetOptions()));
        Assert.Contains("SubsetOptions.PromptFreeFolder", Told(Small, new SubsetOptions { PromptFreeFolder = _folder.File("none") }));
        Assert.Contains("PfgOptions.InputSize is 768", Told(o => o));
        Assert.Contains("set InputSize to 24", Told(o => o), StringComparison.OrdinalIgnoreCase);
        Assert.Contains("PfgOptions.ContextWidth is 1024: the model's text context is 48 wide",
            Told(o => Small(o) with { ContextWidth = 1024 }));
        Assert.Contains("PfgOptions.Tokens is 0", Told(o => Small(o) with { Tokens = 0 }));
        Assert.Contains("PfgOptions.InitialWeights", Told(o => Small(o) with { Trained = false }));
        Assert.Contains("PfgOptions.Rate", Told(o => Small(o) with { Rate = -1 }));

        var lora = TinyRun.Output(_folder, "lora");
        Run().WithLoRA(rank: 1).SaveTo(lora).Train();
        Assert.Contains("it is no PFG network", Told(o => Small(o) with { InitialWeights = lora }));
        Run().WithPfg(Small).SaveTo(_folder.File("out", "first.pt")).Train();
        Assert.Contains("it makes 3 tokens, and Tokens is 5",
            Told(o => Small(o) with { InitialWeights = _folder.File("out", "first.pt"), Tokens = 5 }));
        Assert.Contains("PfgOptions.SampleFeatures", Assert.Throws<InvalidOptionsException>(() => Run().WithPfg(Small)
            .SaveTo(_folder.File("out", "pfg.pt")).WithSamples(_folder.File("samples"), new TextToImageOptions()).Build()).Message);
        Assert.Contains("TrainableSaver.Path", Assert.Throws<InvalidOptionsException>(() => Run().WithPfg(Small)
            .SaveTo(_folder.File("out", "pfg.png")).Build()).Message);

        // Some images have features, one has none.
        File.Delete(Path.Combine(Features(), "1.npz"));
        Assert.Contains("1.png", Told(Small));
        File.WriteAllText(Path.Combine(Features(), "1.npz"), "no archive");
        Assert.Contains("1.npz", Told(Small));
    }

    private static PfgOptions Small(PfgOptions options) => options with { InputSize = Inputs, Tokens = 3 };

    private TrainerBuilder Run(SubsetOptions? subset = null) => new TrainerBuilder()
        .WithModel(SmallRun.Model(_folder))
        .WithDataset(new DatasetBuilder()
            .AddFolder(TinyRun.Images(_folder), subset ?? new SubsetOptions { PromptFreeFolder = Features() })
            .WithResolution(64).WithBatchSize(2))
        .TrainUNetOnly().WithLearningRate(1e-2).For(TrainingLength.Steps(2)).Overwrite();

    /// <summary>Features of each image.</summary>
    private string Features()
    {
        var (images, folder) = (TinyRun.Images(_folder), _folder.File("pfg"));
        if (Directory.Exists(folder)) return folder;
        Directory.CreateDirectory(folder);
        for (var i = 0; i < Directory.GetFiles(images).Length; i++)
        {
            var values = Enumerable.Range(0, Inputs).Select(j => MathF.Sin((i + 1) * (j + 1))).ToArray();
            NpzWriter.Write(Path.Combine(folder, $"{i}.npz"), [NpyArray.Of<float>("controll", values, Inputs).ToPayload()]);
        }

        return folder;
    }

    private static PfgNetwork Trained(TrainingResult result) =>
        result.Trainables.Select(trainable => trainable.Instance).OfType<PfgTrainable>().Single().Network;

    /// <summary>The same noise in every step, so that there is something to learn.</summary>
    private sealed record OneNoise : INoiseSource
    {
        public Tensor Draw(Tensor latents, Generator generator)
        {
            using var same = new Generator(1);
            return randn(latents.shape, dtype: latents.dtype, generator: same);
        }

        public IEnumerable<OptionProblem> Validate() => [];
    }
}
