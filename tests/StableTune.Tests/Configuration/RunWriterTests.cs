using StableTune.Adapters;
using StableTune.Configuration;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Schedules;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Tests.Configuration;

/// <summary>What a builder was told is written as options, and read back as the same plan.</summary>
public sealed class RunWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AnAdapter_WithEverythingSaid_ComesBack()
    {
        var builder = Begin().WithLoRA(o => o with { Rank = 8, Alpha = 4, Dropout = 0.1, RankDropout = 0.2 },
            t => t with { UNetRate = 1e-4, TextEncoderRate = 5e-5, MaxNorm = 1, UpRatio = 16 })
            .WithVae("vae.pt").WithClipSkip(2).WithMaxTokenLength(150).WithWeightedCaptions()
            .WithOptimizer(new AdamW8bitOptions { WeightDecay = 0.05, Beta2 = 0.99, Epsilon = 1e-6 })
            .WithSchedule(new ConstantWithWarmupScheduleOptions { Warmup = Warmup.Ratio(0.1) })
            .WithLearningRate(2e-4).WithScaledLearningRate().For(TrainingLength.Epochs(4)).WithGradientAccumulation(2)
            .WithMaxGradientNorm(null).WithPrecision(PrecisionPolicy.FullBFloat16).WithGradientCheckpointing()
            .WithCachedLatents(false).WithCachedTextEncoderOutputs(null).WithSeed(77).WithTimestepRange(10, 900)
            .WithHuberLoss(new HuberLoss { C = 0.2, Schedule = HuberSchedule.Constant }).WithMinSnr(5).WithDebiasedEstimation()
            .WithBaseAdapter("base.safetensors", 0.5f).SaveEvery(steps: 100, epochs: 2)
            .SaveTo(new StateSaver(Path.Combine("out", "frog")) { KeepLastEpochs = 2, KeepLastSteps = 100 }).ResumeFromLatest("out")
            .Overwrite().On("cpu").TestRun(10)
            .WithValidation(new ValidationOptions { EveryNSteps = 50, MaxSteps = 4 })
            .WithDataOptions(data => data with { PriorLossWeight = 0.5 });
        ComesBack(builder, RunScript.Network);
        Assert.Contains("network_dim = 8", builder.ToToml(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WhatAStepDoes_ComesBack(bool grouped)
    {
        var builder = Begin().WithLoRA(4).WithMaxGradientNorm(null).WithMaxGradientValue(0.5).WithFusedBackward(grouped ? 4 : null)
            .SkipNonFiniteSteps(5).WithEma(o => o with { Decay = 0.99, LeastDecay = 0.1, Warmup = new PowerEmaWarmup { Gamma = 2 },
                UpdateAfterStep = 10, EveryNSteps = 2, OnHost = true, SaveBoth = true });
        ComesBack(builder, RunScript.Network);
        var read = TrainerBuilder.FromToml(Write(builder.ToToml())).Plan;
        Assert.Equal((builder.Plan.FusedBackward, builder.Plan.NonFinite, builder.Plan.Ema),
            (read.FusedBackward, read.NonFinite, read.Ema));
        ComesBack(Begin().WithLoRA(4).WithPrecision(PrecisionPolicy.Float16).WithEma(), RunScript.Network);
        ComesBack(Begin().WithLoRA(4).WithPrecision(PrecisionPolicy.FullFloat16), RunScript.Network);
    }

    [Fact]
    public void WhatSavesMemory_ComesBack()
    {
        ComesBack(Begin().WithLoRA(4).WithGradientCheckpointing().WithPrecision(PrecisionPolicy.BFloat16).WithBlockSwap(12)
            .WithOffloadedCheckpoints().WithAttention(AttentionBackend.Chunked).WithTokenMerging(0.25).WithVaeTiling()
            .WithQuantizedWeights(WeightQuantization.Float8, ModelParts.UNet).WithMemory(memory => memory with
            {
                VaeSlicing = true, KeepPartsOnDevice = true, CpuThreads = 2,
            }), RunScript.Network);
        foreach (var quantization in new[] { WeightQuantization.Float8, WeightQuantization.Int8, WeightQuantization.NormalFloat4 })
            ComesBack(Begin().WithLoRA(4).WithQuantizedWeights(quantization), RunScript.Network);
        foreach (var cannot in new[]
        {
            Begin().WithLoRA(4).WithAttention(AttentionBackend.Plain),
            Begin().WithLoRA(4).WithTokenMerging(new TokenMergingOptions { MaxDownsample = 2 }),
            Begin().WithLoRA(4).WithQuantizedWeights(WeightQuantization.Int8, ModelParts.UNet),
        })
            Assert.Throws<InvalidOptionsException>(() => cannot.ToToml());
    }

    [Theory]
    [InlineData("xformers = true\nsdpa = true", false)]
    [InlineData("xformers = true\nmem_eff_attn = true", true)]
    [InlineData("diffusers_xformers = true", false)]
    public void Attention_OfSeveralNames_IsTheFirstOfTheOrder(string options, bool chunked) => Assert.Equal(
        chunked ? AttentionBackend.Chunked : AttentionBackend.Fused,
        TrainerBuilder.FromToml(Write($"train_data_dir = 'i'\nnetwork_module = 'networks.lora'\noutput_dir = 'o'\n{options}"))
            .Plan.Memory.Attention);

    [Theory]
    [InlineData("--mixed_precision bf16 --fp8_base", ModelParts.UNet | ModelParts.TextEncoder)]
    [InlineData("--mixed_precision bf16 --fp8_base --fp8_base_unet", ModelParts.UNet)]
    public void Fp8_OfSdScripts_HoldsTheseParts(string options, ModelParts parts)
    {
        var weights = TrainerBuilder.FromArguments(
            [.. "--train_data_dir i --network_module networks.lora --output_dir o".Split(' '), .. options.Split(' ')],
            script: RunScript.Network).Plan.Memory.QuantizedWeights!;
        Assert.Equal((WeightQuantization.Float8, parts), (weights.Quantization, weights.Parts));
    }

    public static TheoryData<string> Kinds() => [.. NetworkModules.Default.Names];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void EveryKindOfTheCatalogue_ComesBack(string module) =>
        ComesBack(Begin().WithAdapter(NetworkModules.Default.Create(module)), RunScript.Network);

    public static TheoryData<string> Optimizers() => [.. OptimizerCatalog.Default.Names];

    [Theory]
    [MemberData(nameof(Optimizers))]
    public void EveryOptimizerOfTheCatalogue_ComesBack(string name) =>
        ComesBack(Begin().WithLoRA(4).WithOptimizer(OptimizerCatalog.Default.Create(name)), RunScript.Network);

    [Fact]
    public void Optimizers_WithArgumentsOfTheirOwn_ComeBack()
    {
        OptimizerOptions[] all =
        [
            new AdaFactorOptions { RelativeStep = false, Epsilon = (1e-20, 1e-2), Beta1 = 0.5 },
            new AdaFactorOptions { WarmupInit = false },
            new RpropOptions { Etas = (0.4, 1.3) }, new ASGDOptions { Lambda = 0.1, AveragesFrom = 7 },
            new AdamWScheduleFreeOptions { StepPower = 1, RatePower = 1.5, WarmupSteps = 20 }, new SGDNesterovOptions { Momentum = 0.8 },
            new LionOptions { DecoupledWeightDecay = true, StochasticRounding = true },
        ];
        foreach (var options in all) ComesBack(Begin().WithLoRA(4).WithOptimizer(options), RunScript.Network);
        ComesBack(Begin().WithLoRA(4).WithOptimizer(new AdaFactorOptions())
            .WithSchedule(new AdaFactorScheduleOptions { InitialRate = 0.5 }), RunScript.Network);
    }

    [Fact]
    public void LyCoris_WithArgumentsOfItsOwn_ComesBack()
    {
        ComesBack(Begin().WithTrainable(NetworkModules.Create("lycoris.kohya", 8, 2, arguments: new Dictionary<string, string>
        {
            ["algo"] = "lokr", ["factor"] = "4", ["decompose_both"] = "True", ["conv_dim"] = "2", ["use_tucker"] = "True",
        })), RunScript.Network);
        ComesBack(Begin().WithTrainable(NetworkModules.Create("networks.lora", 8, 2, arguments: new Dictionary<string, string>
        {
            ["conv_dim"] = "4", ["down_lr_weight"] = "sine+0.25", ["mid_lr_weight"] = "0.5",
        })), RunScript.Network);
    }

    [Theory]
    [InlineData(ModelParts.UNet)]
    [InlineData(ModelParts.UNet | ModelParts.TextEncoder)]
    public void WholeModels_ComeBack(ModelParts parts) => ComesBack(
        new TrainerBuilder().WithModel("model").WithImages(_folder.Folder("img"), 64).WithFullTraining(parts)
            .SaveTo(Path.Combine("out", "folder")),
        RunScript.DreamBooth);

    [Fact]
    public void AWordThatIsLearnt_ComesBack() =>
        ComesBack(Begin().WithTextualInversion("sksdog", "dog", 4), RunScript.TextualInversion);

    [Fact]
    public void DataSets_StandInTheFile()
    {
        var builder = Begin().WithLoRA(4).WithBuckets(new AspectBuckets { MinSide = 128 }).WithBatchSize(3)
            .WithSubsetOptions(subset => subset with { Repeats = 7 });
        var text = builder.ToToml();
        Assert.Contains("[[datasets.subsets]]", text, StringComparison.Ordinal);
        var plan = TrainerBuilder.FromToml(Write(text)).Plan;
        Assert.Equal((new PixelSize(64, 64), 3, 7), (plan.Dataset.Options.Resolution, plan.Dataset.Options.BatchSize,
            plan.Dataset.Subsets[0].Options.Repeats));
    }

    [Fact]
    public void WhatOptionsCannotSay_IsRefusedByName()
    {
        var builder = Begin().WithLoRA(4).WithTextualInversion("sks").WithNoise(new OwnNoise())
            .WithLossWeighting(new OwnWeighting()).WithLog("log.jsonl");
        var fault = Assert.Throws<InvalidOptionsException>(() => builder.ToToml());
        foreach (var name in new[] { "TrainingPlan.Trainables", "TrainingPlan.Noise", "TrainingPlan.Loss", "TrainingPlan.Observers" })
            Assert.Contains(fault.Problems, problem => problem.Option == name);
    }

    /// <summary>What no row of the tables writes is found by reading back.</summary>
    [Fact]
    public void WhatNoRowWrites_IsFound()
    {
        var fault = Assert.Throws<InvalidOptionsException>(() => Begin().WithLoRA(4).WithTf32().ToToml());
        Assert.Contains("AllowTf32 is False, and was True", fault.Message, StringComparison.Ordinal);
    }

    private void ComesBack(TrainerBuilder builder, RunScript script)
    {
        var text = builder.ToToml();
        var read = TrainerBuilder.FromToml(Write(text), script);
        Assert.Equal(text, read.ToToml());
        Assert.Equal(builder.Plan.Trainables[0].GetType(), read.Plan.Trainables[0].GetType());
        Assert.Equal((builder.Plan.Seed, builder.Plan.Length, builder.Plan.Precision),
            (read.Plan.Seed, read.Plan.Length, read.Plan.Precision));
        Assert.Empty(PlanComparison.Differences(read.Plan.Optimizer, builder.Plan.Optimizer));
        Assert.Empty(PlanComparison.Differences(read.Plan.Loss, builder.Plan.Loss));
    }

    private TrainerBuilder Begin() => new TrainerBuilder().WithModel("model").WithImages(_folder.Folder("img"), 64)
        .SaveTo(Path.Combine("out", "frog.safetensors"));

    private string Write(string text)
    {
        var path = _folder.File("run.toml");
        File.WriteAllText(path, text);
        return path;
    }

    private sealed class OwnNoise : Diffusion.INoiseSource
    {
        public Tensor Draw(Tensor latents, Generator generator) => latents.alias();
    }

    private sealed class OwnWeighting : ILossWeighting
    {
        public Tensor Weights(Diffusion.NoiseSchedule schedule, Diffusion.PredictionType prediction, Tensor timesteps) =>
            timesteps.alias();
    }
}
