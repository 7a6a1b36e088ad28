using StableTune.Adapters;
using StableTune.Diffusion;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Schedules;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Tests;

/// <summary>The rules of a plan, one by one: each names its option and its value, and nothing else is said.</summary>
public sealed class PlanRuleTests(PlanRuleTests.GoodPlan good) : IClassFixture<PlanRuleTests.GoodPlan>
{
    public sealed class GoodPlan : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public GoodPlan() => Plan = TinyRun.Builder(_folder).Plan;

        public TrainingPlan Plan { get; }

        public void Dispose() => _folder.Dispose();
    }

    private static readonly TextToImageOptions Prompt = new() { Width = 64, Height = 64 };

    private static Dictionary<string, (Func<TrainingPlan, TrainingPlan> Break, string Option, object? Value)> Rules { get; } = new()
    {
        ["no model"] = (p => p with { ModelPath = null }, "TrainingPlan.ModelPath", null),
        ["blank model"] = (p => p with { ModelPath = " " }, "TrainingPlan.ModelPath", " "),
        ["a device for loading"] = (p => p with { Model = p.Model with { Device = CPU } }, "ModelLoadOptions.Device", "cpu"),
        ["a type for loading"] = (p => p with { Model = p.Model with { WeightType = ScalarType.BFloat16 } }, "ModelLoadOptions.WeightType",
            "BFloat16"),
        ["stored types"] = (p => p with { Model = p.Model with { KeepStoredTypes = true } }, "ModelLoadOptions.KeepStoredTypes", true),
        ["parts for loading"] = (p => p with { Model = p.Model with { Parts = ModelParts.Vae } }, "ModelLoadOptions.Parts", "Vae"),
        ["nothing to train"] = (p => p with { Trainables = [] }, "TrainingPlan.Trainables", null),
        ["two of one name"] = (p => p with { Trainables = [LoRA(), LoRA()],
            Savers = [new TrainableSaver(p.Savers.OfType<TrainableSaver>().Single().Path.Replace(".safetensors", "{name}.safetensors"))] },
            "TrainingPlan.Trainables", "lora"),
        ["two in one file"] = (p => p with { Trainables = [LoRA(), LoRA() with { Name = "second" }] }, "TrainableSaver.Path", null),
        ["layers that are not there"] = (p => p with { Trainables = [LoRA() with { Adapter = new LoRAOptions { Rank = 4,
            Layers = new() { Include = ["mid_blok.*to_q"] } } }] }, "LayerSelection.Include", "mid_blok.*to_q"),
        ["no saver"] = (p => p with { Savers = [] }, "TrainingPlan.Savers", null),
        ["odd precision"] = (p => p with { Precision = p.Precision with { Trainable = ScalarType.Float16 } }, "TrainingPlan.Precision",
            null),
        ["negative rate"] = (p => p with { LearningRate = -1e-4 }, "TrainingPlan.LearningRate", -1e-4),
        ["rate NaN"] = (p => p with { LearningRate = double.NaN }, "TrainingPlan.LearningRate", double.NaN),
        ["rate infinite"] = (p => p with { LearningRate = double.PositiveInfinity }, "TrainingPlan.LearningRate", double.PositiveInfinity),
        ["unet rate negative"] = (p => p with { UNetLearningRate = -1 }, "TrainingPlan.UNetLearningRate", -1.0),
        ["text rate NaN"] = (p => p with { TextEncoderLearningRate = double.NaN }, "TrainingPlan.TextEncoderLearningRate", double.NaN),
        ["adapter's rate negative"] = (p =>
            p with { Trainables = [LoRA() with { UNetRate = -1 }] }, "AdapterTrainableOptions.UNetRate", -1.0),
        ["norm 0"] = (p => p with { MaxGradientNorm = 0 }, "TrainingPlan.MaxGradientNorm", 0.0),
        ["norm NaN"] = (p => p with { MaxGradientNorm = double.NaN }, "TrainingPlan.MaxGradientNorm", double.NaN),
        ["no steps"] = (p => p with { Length = TrainingLength.Steps(0) }, "TrainingPlan.Length", null),
        ["no epochs"] = (p => p with { Length = TrainingLength.Epochs(-1) }, "TrainingPlan.Length", null),
        ["epochs beyond counting"] = (p => p with { Length = TrainingLength.Epochs(int.MaxValue) }, "TrainingPlan.Length", null),
        ["no accumulation"] = (p => p with { GradientAccumulation = 0 }, "TrainingPlan.GradientAccumulation", 0),
        ["second text rate NaN"] = (p =>
            p with { SecondTextEncoderLearningRate = double.NaN }, "TrainingPlan.SecondTextEncoderLearningRate", double.NaN),
        ["second text rate without second text encoder"] = (p =>
            p with { SecondTextEncoderLearningRate = 1e-5 }, "TrainingPlan.SecondTextEncoderLearningRate", 1e-5),
        ["clip skip 0"] = (p => p with { ClipSkip = 0 }, "TrainingPlan.ClipSkip", 0),
        ["clip skip beyond the layers"] = (p => p with { ClipSkip = 99 }, "TrainingPlan.ClipSkip", 99),
        ["a prompt's clip skip beyond the layers"] = (p =>
            p with { Samples = Samples with { Prompts = [Prompt with { ClipSkip = 98 }] } }, "TextToImageOptions.ClipSkip", 98),
        ["timesteps beyond the model's"] = (p => p with { Timesteps = new UniformTimesteps { Max = 1001 } }, "UniformTimesteps.Max", 1001),
        ["tokens 0"] = (p => p with { MaxTokenLength = 0 }, "TrainingPlan.MaxTokenLength", 0),
        ["mask for CLIP"] = (p => p with { UseAttentionMask = true }, "TrainingPlan.UseAttentionMask", true),
        ["tokens 77"] = (p => p with { MaxTokenLength = 77 }, "TrainingPlan.MaxTokenLength", 77),
        ["cached text that is trained"] = (p =>
            p with { Parts = AdapterParts.All, Cache = new() { TextEncoderOutputs = true } }, "CacheOptions.TextEncoderOutputs", true),
        ["rank 0"] = (p => p with { Trainables = [new AdapterTrainableOptions { Adapter = new LoRAOptions { Rank = 0 } }] },
            "LoRAOptions.Rank", 0),
        ["rates 0"] = (p => p with { Parts = AdapterParts.All, LearningRate = 0 }, "AdapterTrainableOptions.TrainedParts",
            AdapterParts.None),
        ["rates of both parts 0"] = (p =>
            p with { Parts = AdapterParts.All, UNetLearningRate = 0, TextEncoderLearningRate = 0 }, "AdapterTrainableOptions.TrainedParts",
            AdapterParts.None),
        ["the only part's rate 0"] = (p => p with { UNetLearningRate = 0 }, "AdapterTrainableOptions.TrainedParts", AdapterParts.None),
        ["beta"] = (p => p with { Optimizer = new AdamWOptions { Beta1 = 1 } }, "AdamWOptions.Beta1", 1.0),
        ["decay"] = (p => p with { Optimizer = new AdamWOptions { WeightDecay = double.NaN } }, "AdamWOptions.WeightDecay", double.NaN),
        ["warm-up"] = (p => p with { Schedule = new ConstantWithWarmupScheduleOptions { Warmup = Warmup.Ratio(1.1) } },
            "ConstantWithWarmupScheduleOptions.Warmup", null),
        ["warm-up steps"] = (p => p with { Schedule = new ConstantWithWarmupScheduleOptions { Warmup = Warmup.Steps(-1) } },
            "ConstantWithWarmupScheduleOptions.Warmup", null),
        ["save steps"] = (p => p with { Save = new SaveOptions { EveryNSteps = 0 } }, "SaveOptions.EveryNSteps", 0),
        ["save epochs"] = (p => p with { Save = new SaveOptions { EveryNEpochs = -1 } }, "SaveOptions.EveryNEpochs", -1),
        ["polynomial's end"] = (p => p with { Schedule = new PolynomialScheduleOptions { EndRate = 1 } },
            "PolynomialScheduleOptions.EndRate", 1.0),
        ["offset"] = (p => p with { Noise = new OffsetNoise { Offset = -1 } }, "OffsetNoise.Offset", -1.0),
        ["mixture"] = (p => p with { Loss = new DiffusionLoss { Loss = new MixedLoss { Mae = -1 } } }, "MixedLoss.Mae", -1.0),
        ["min-snr"] = (p => p with { Loss = new DiffusionLoss { Weightings = [new MinSnrWeighting { Gamma = -1 }] } },
            "MinSnrWeighting.Gamma", -1.0),
        ["timesteps"] = (p => p with { Timesteps = new UniformTimesteps { Min = 5, Max = 5 } }, "UniformTimesteps.Max", 5),
        ["sample without prompt"] = (p =>
            p with { Samples = new SampleOptions { Folder = Path.GetTempPath() } }, "SampleOptions.Prompts", null),
        ["sample without folder"] = (p => p with { Samples = new SampleOptions { Prompts = [Prompt] } }, "SampleOptions.Folder", null),
        ["sample steps"] = (p => p with { Samples = Samples with { EveryNSteps = 0 } }, "SampleOptions.EveryNSteps", 0),
        ["sample epochs"] = (p => p with { Samples = Samples with { EveryNEpochs = 0 } }, "SampleOptions.EveryNEpochs", 0),
        ["sample name"] = (p => p with { Samples = Samples with { Name = "a/b" } }, "SampleOptions.Name", "a/b"),
        ["sample size"] = (p => p with { Samples = Samples with { Prompts = [Prompt with { Width = 65 }] } }, "TextToImageOptions.Width",
            65),
        ["workers"] = (p => p with { Loader = new() { Workers = -1 } }, "BatchLoaderOptions.Workers", -1),
        ["batch size"] = (p => p with { Dataset = p.Dataset with { Options = p.Dataset.Options with { BatchSize = 0 } } },
            "DatasetOptions.BatchSize", 0),
    };

    private static AdapterTrainableOptions LoRA() => new() { Adapter = new LoRAOptions() };

    private static SampleOptions Samples => new() { Folder = Path.GetTempPath(), Prompts = [Prompt] };

    public static TheoryData<string> Names => [.. Rules.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Validate_OneFault_NamesOptionAndValue(string rule)
    {
        var (change, option, value) = Rules[rule];
        var problem = Assert.Single(change(good.Plan).Validate());
        Assert.Equal(option, problem.Option);
        if (value is not null || problem.Value is null) Assert.Equal(value, problem.Value);
        Assert.NotEmpty(problem.Rule);
        Assert.NotEmpty(problem.Remedy);
        Assert.Throws<InvalidOptionsException>(() => new Trainer(change(good.Plan)));
    }

    [Fact]
    public void Validate_ACudaDeviceThatIsNotThere_IsNamed()
    {
        if (cuda.is_available()) return;
        Assert.Equal("TrainingPlan.Device", Assert.Single((good.Plan with { Device = new Device("cuda") }).Validate()).Option);
    }

    [Fact]
    public void Validate_AGoodPlan_FindsNothing() => Assert.Empty(good.Plan.Validate());
}
