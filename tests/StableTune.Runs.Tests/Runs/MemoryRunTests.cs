using StableTune.Checkpoints;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Options of memory in whole runs: what they change, what they do not, and how they go on after a stop.</summary>
public sealed class MemoryRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Quantizations() => [.. WeightQuantization.Catalog.Names];

    [Theory]
    [MemberData(nameof(Quantizations))]
    public void QuantizedWeights_LearnNearlyTheSame_AndGoOnBitForBit(string name)
    {
        TrainerBuilder Builder(string output) => Run(output).WithGradientCheckpointing().WithSeed(3)
            .WithQuantizedWeights(WeightQuantization.Catalog.Create(name));
        var plain = Run("plain").WithSeed(3).Train();
        var before = HeldTensors.Before();
        var whole = Builder("whole").SaveState(_folder.File("states", "frog")).SaveEvery(steps: 1).Train();
        Assert.Equal(before, TensorCount.Live);
        // The tiny model's weights are random, so rounding moves its predictions; the loss is mostly that of the noise.
        for (var i = 0; i < plain.Losses.Count; i++) Assert.InRange(whole.Losses[i], plain.Losses[i] * 0.93, plain.Losses[i] * 1.07);
        Assert.NotEqual(plain.Losses, whole.Losses);
        var resumed = Builder("resumed").ResumeFrom(_folder.File("states", "frog-step00000001-state")).Train();
        Assert.Equal(whole.Losses, resumed.Losses);
        Assert.Equal(TinyRun.Weights(whole.Files[0]), TinyRun.Weights(resumed.Files[0]));
        Assert.Equal(name == "fp8" ? "True" : "False", TinyRun.Metadata(whole.Files[0])["ss_fp8_base"]);
        var other = Assert.Throws<InvalidFileException>(() =>
            Run("other").WithSeed(3).ResumeFrom(_folder.File("states", "frog-step00000001-state")).Train());
        Assert.Contains("Memory.QuantizedWeights", other.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void QuantizedWeights_OfAModelThatIsKept_DrawAndAreNotSaved()
    {
        using var result = Run("kept").WithQuantizedWeights(WeightQuantization.Int8, ModelParts.UNet).KeepModel().Train();
        var fault = Assert.Throws<InvalidOperationException>(() =>
            ModelSaver.Save(result.Model!, _folder.File("out", "model.safetensors")));
        Assert.Contains("is held in int8", fault.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.File("out", "model.safetensors")));
        var merged = Assert.Throws<InvalidOperationException>(() =>
        {
            using var network = Adapters.AdapterNetwork.FromFile(result.Files[0], ModelHosts.Of(result.Model!));
            network.Merge();
        });
        Assert.Contains("held in int8", merged.Message, StringComparison.Ordinal);
        result.Model!.UNet.Dequantize();
        ModelSaver.Save(result.Model!, _folder.File("out", "model.safetensors"));
        Assert.True(File.Exists(_folder.File("out", "model.safetensors")));
    }

    [Theory]
    [InlineData("dora")]
    [InlineData("loha")]
    [InlineData("diag-oft")]
    [InlineData("ia3")]
    public void QuantizedWeights_UnderKindsThatLookAtTheWeight_Learn(string kind)
    {
        TrainerBuilder Builder(string output) => TinyRun.Bare(_folder, output).WithImages(TinyRun.Images(_folder), resolution: 64)
            .WithBatchSize(2).Change(plan => plan with { Trainables = [] }).WithTrainable(Kind(kind));
        var (plain, coded) = (Builder("plain").Train(), Builder("coded").WithQuantizedWeights(WeightQuantization.Int8).Train());
        for (var i = 0; i < plain.Losses.Count; i++) Assert.InRange(coded.Losses[i], plain.Losses[i] * 0.97, plain.Losses[i] * 1.03);
    }

    [Fact]
    public void TokenMerging_IsLearntWith_GoesOnBitForBit_AndIsOffInSamples()
    {
        TrainerBuilder Builder(string output) => Run(output).WithTokenMerging(0.5);
        var samples = new TextToImageOptions { Prompt = "a frog", Width = 64, Height = 64, Steps = 2, Seed = 1 };
        var plain = Run("plain")
            .WithSamples(new SampleOptions { Folder = _folder.File("plain"), Prompts = [samples], Before = true }).Train();
        var whole = Builder("whole").SaveState(_folder.File("states", "frog")).SaveEvery(steps: 1)
            .WithSamples(new SampleOptions { Folder = _folder.File("merged"), Prompts = [samples], Before = true }).Train();
        Assert.NotEqual(plain.Losses, whole.Losses);
        Assert.Equal(ImageFile.Load(plain.Samples[0]).Pixels, ImageFile.Load(whole.Samples[0]).Pixels);
        var resumed = Builder("resumed").ResumeFrom(_folder.File("states", "frog-step00000002-state")).Train();
        Assert.Equal(whole.Losses, resumed.Losses);
        Assert.Equal(TinyRun.Weights(whole.Files[0]), TinyRun.Weights(resumed.Files[0]));
    }

    [Fact]
    public void AGivenModel_HasItsOwnSettingsAfterTheRun_AndMaySwapItsBlocks()
    {
        using var model = ModelLoader.Load(SmallRun.Model(_folder));
        var (unet, vae) = (model.UNet, model.Vae);
        var plain = Given(model, "plain").WithGradientCheckpointing().Train();
        using (unet.SwapBlocks(5))
        {
            var swapped = Given(model, "swapped").WithGradientCheckpointing().Train();
            Assert.Equal(plain.Losses, swapped.Losses);
            Assert.Equal(TinyRun.Weights(plain.Files[0]), TinyRun.Weights(swapped.Files[0]));
        }

        var seen = new List<(AttentionBackend, bool, bool, int)>();
        var before = get_num_threads();
        Given(model, "all").WithAttention(AttentionBackend.Chunked).WithTokenMerging().WithVaeTiling()
            .WithMemory(memory => memory with { VaeSlicing = true, CpuThreads = 1 })
            .WithObserver(new Watch(() => seen.Add((unet.Attention, unet.TokenMerging is not null, vae.UseSlicing, get_num_threads()))))
            .Train();
        Assert.Equal((AttentionBackend.Chunked, true, true, 1), seen[0]);
        Assert.Equal((AttentionBackend.Automatic, false, false, before), (unet.Attention, unet.TokenMerging is not null, vae.UseSlicing,
            get_num_threads()));
        Assert.Null(vae.Tiling);
    }

    /// <summary>Steps read all weights each time, and a file's pages are slower; a user may want the file all the same.</summary>
    [Theory]
    [InlineData(WeightStorage.Automatic, false)]
    [InlineData(WeightStorage.Copied, false)]
    [InlineData(WeightStorage.Mapped, true)]
    public void Weights_LieInMemoryOfTheProcess_UnlessTheyAreToStayInTheFile(WeightStorage storage, bool isMapped)
    {
        if (!OperatingSystem.IsLinux()) return;       // nothing else tells what is mapped
        // What is stored as it is computed can be mapped; the tiny model is stored in float16.
        var wide = _folder.File("float32");
        var asComputed = new ModelSaveOptions { Format = ModelFormat.DiffusersSafetensors, Precision = ScalarType.Float32 };
        using (var model = ModelLoader.Load(SmallRun.Model(_folder))) ModelSaver.Save(model, wide, asComputed);
        var unet = Path.Combine(wide, "unet", "diffusion_pytorch_model.safetensors");
        bool? seen = null;
        Run("stored").WithModel(wide, new ModelLoadOptions { Storage = storage })
            .WithObserver(new Watch(() => seen ??= File.ReadAllText("/proc/self/maps").Contains(unet, StringComparison.Ordinal))).Train();
        Assert.Equal(isMapped, seen);
    }

    [Fact]
    public void Attention_InChunks_GivesTheSameNumbersUpToRounding()
    {
        var (fused, chunked) = (Run("fused").Train(), Run("chunked").WithAttention(AttentionBackend.Chunked).Train());
        for (var i = 0; i < fused.Losses.Count; i++) Assert.Equal(fused.Losses[i], chunked.Losses[i], 1e-5);
    }

    [Fact]
    public void WhatHasNoEffectOnTheCpu_IsTold()
    {
        var result = Run("cpu").WithGradientCheckpointing().WithBlockSwap(4).WithOffloadedCheckpoints().Train();
        foreach (var name in new[] { "MemoryOptions.BlocksToSwap", "MemoryOptions.OffloadCheckpoints" })
            Assert.Single(result.Warnings, warning => warning.Contains($"{name}: it has no effect on the CPU", StringComparison.Ordinal));
        Assert.Equal(Run("plain").WithGradientCheckpointing().Train().Losses, result.Losses);
    }

    [Fact]
    public void WhatCannotWork_IsRefusedByName()
    {
        AssertRefused(Run("a").WithBlockSwap(4), "MemoryOptions.BlocksToSwap is 4: it needs gradient checkpointing");
        AssertRefused(Run("b").WithOffloadedCheckpoints(), "MemoryOptions.OffloadCheckpoints is True: it needs gradient checkpointing");
        AssertRefused(Run("c").WithGradientCheckpointing().WithBlockSwap(1000), "resnets and transformer blocks");
        AssertRefused(Run("d").WithBlockSwap(-1), "MemoryOptions.BlocksToSwap is -1");
        AssertRefused(Run("e").WithTokenMerging(1.5), "TokenMergingOptions.Ratio is 1.5");
        AssertRefused(Run("f").WithVaeTiling(new VaeTilingOptions { TilePixels = 10 }), "VaeTilingOptions.TilePixels is 10");
        AssertRefused(Run("g").WithMemory(memory => memory with { CpuThreads = 0 }), "MemoryOptions.CpuThreads is 0");
        AssertRefused(Run("h").WithQuantizedWeights(WeightQuantization.Int8, ModelParts.Vae), "QuantizedWeightsOptions.Parts is Vae");
        TrainerBuilder Whole() => new TrainerBuilder().WithModel(SmallRun.Model(_folder))
            .WithImages(TinyRun.Images(_folder), resolution: 64).WithFullTraining().WithGradientCheckpointing()
            .SaveTo(_folder.File("out", "whole.safetensors"));
        AssertRefused(Whole().WithQuantizedWeights(WeightQuantization.Float8), "the weights of UNet are trained");
        AssertRefused(Whole().WithBlockSwap(2), "the UNet's own weights are trained");
        using var model = ModelLoader.Load(SmallRun.Model(_folder));
        AssertRefused(Given(model, "i").WithQuantizedWeights(WeightQuantization.NormalFloat4), "the model that was given is the program's");
    }

    private TrainerBuilder Run(string output) => TinyRun.Builder(_folder, output);

    private TrainerBuilder Given(StableDiffusionModel model, string output) =>
        new TrainerBuilder().WithModel(model).WithImages(TinyRun.Images(_folder), resolution: 64).WithBatchSize(2).WithLoRA(rank: 1)
            .TrainUNetOnly().WithLearningRate(1e-3).For(TrainingLength.Steps(2)).SaveTo(TinyRun.Output(_folder, output));

    private static Trainables.TrainableOptions Kind(string name) => new Trainables.AdapterTrainableOptions
    {
        Adapter = name switch
        {
            "dora" => new Adapters.LoRAOptions { Rank = 2, WeightDecompose = true },
            "loha" => new Adapters.LoHaOptions { Rank = 2 },
            "ia3" => new Adapters.IA3Options(),
            _ => new Adapters.DiagOftOptions(),
        },
    };

    private static void AssertRefused(TrainerBuilder builder, string message) =>
        Assert.Contains(message, Assert.Throws<InvalidOptionsException>(() => builder.Build()).Message, StringComparison.Ordinal);

    private sealed class Watch(Action look) : Training.ITrainingObserver
    {
        public void OnStep(TrainingProgress progress) => look();
    }
}
