using System.Diagnostics;
using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Tensors;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.FullSize;

/// <summary>Steps of LoRA, or of another kind of adapter, on the UNet alone, as the comparison with sd-scripts does it: rank 8,
/// float32 adapter, batch 1, AdamW, clipping 1.0.</summary>
internal sealed class LoRASteps(Generator random) : ILatentStage, IContextStage
{
    /// <summary>Three, unless the variable STEPS says otherwise; the last one is what a profile is made of.</summary>
    private static readonly int s_steps = int.Parse(Environment.GetEnvironmentVariable("STEPS") ?? "3");

    /// <summary>Of 256x256, the comparison's, unless the variable SIDE gives other pixels.</summary>
    private static readonly int s_side = int.Parse(Environment.GetEnvironmentVariable("SIDE") ?? "256") / 8;

    /// <summary>As a run on a CPU loads weights, unless the variable STORAGE says otherwise.</summary>
    private static readonly WeightStorage s_storage =
        Enum.Parse<WeightStorage>(Environment.GetEnvironmentVariable("STORAGE") ?? nameof(WeightStorage.Copied));

    /// <summary>The kinds of adapters by their names on the command line.</summary>
    public static readonly Dictionary<string, AdapterOptions> Kinds = new()
    {
        ["lora"] = new LoRAOptions { Rank = 8, Alpha = 8 },
        ["dora"] = new LoRAOptions { Rank = 8, Alpha = 8, WeightDecompose = true },
        ["lora-fa"] = new LoRAFAOptions { Rank = 8, Alpha = 8 },
        ["dylora"] = new DyLoRAOptions { Rank = 8, Alpha = 8 },
        ["loha"] = new LoHaOptions { Rank = 8, Alpha = 8 },
        ["lokr"] = new LoKrOptions { Rank = 8, Alpha = 8 },
        ["glora"] = new GLoRAOptions { Rank = 8, Alpha = 8 },
        ["ia3"] = new IA3Options { Layers = LayerSelection.SdScripts },
        ["oft-ff"] = new OftOptions { Layers = LayerSelection.SdScripts },
        ["oft"] = new OftOptions(),
        ["diag-oft"] = new DiagOftOptions { Rank = 8 },
        ["boft"] = new BoftOptions { Rank = 20 },
        ["full"] = new FullDifferenceOptions(),
        ["norms"] = new NormOptions(),
        ["eh"] = new EHOptions(),
    };

    public static void Run(string folder, ScalarType type, bool checkpointing, long? keptMemory = null, string kind = "lora")
    {
        var warmUp = Stopwatch.StartNew();
        Console.WriteLine(
            $"{NativeBackend.Describe()}; runtime started after {ProcessFigures.Age.TotalSeconds - warmUp.Elapsed.TotalSeconds:F2} s");
        using var scope = NewDisposeScope();
        var clock = Stopwatch.StartNew();
        var options = new ModelLoadOptions { WeightType = type, Parts = ModelParts.UNet, Storage = s_storage };
        using var model = ModelLoader.Load(folder, options);
        Console.WriteLine(
            $"loaded in {clock.Elapsed.TotalSeconds:F2} s, ready {ProcessFigures.Age.TotalSeconds:F2} s after the process began, peak "
                + $"{ProcessFigures.PeakGiB:F2} GiB");

        using var kept = HostMemory.Keep(keptMemory ?? new TrainingPlan().KeptMemoryBytes, ofAnySize: true);
        var unet = model.UNet;
        unet.SetRequiresGrad(false);
        unet.GradientCheckpointing = checkpointing;
        using var random = new TrainingRandom(new NamedSeeds(1));
        var plan = new TrainingPlan { LearningRate = 1e-4, Precision = new(type, ScalarType.Float32, type) };
        using var target = new AdapterTrainableOptions { Adapter = Kinds[kind] with { Parts = AdapterParts.UNet } }
            .Create(plan);
        target.Attach(new TrainingSetup { Model = model, Random = random, Plan = plan, Precision = plan.Precision,
            Stages = new StageList() });
        using var optimizer = new AdamWOptions().Create(target.Groups);
        var stages = new LoRASteps(random.Vae);
        var step = new TrainingStep(new TrainingStepParts
        {
            Latents = stages, Context = stages, Network = unet, Schedule = NoiseSchedule.ScaledLinear(),
            Prediction = PredictionType.Epsilon,
            Noise = new NormalNoise(), Timesteps = new UniformTimesteps(), Loss = new DiffusionLoss(), Trainables = [target],
            Random = random,
        });
        var parameters = target.Groups.SelectMany(g => g.Parameters).Select(p => p.Value).ToArray();
        for (var i = 0; i < s_steps; i++)
        {
            // The first steps fetch memory and compile.
            using var profile = i == s_steps - 1 ? new PerfControl() : null;
            clock.Restart();
            using var batch = new Batch([""]);
            var loss = step.Run(batch, accumulation: 1);
            var forwardAndBackward = clock.Elapsed;
            var norm = GradientNorm.Clip(parameters, 1.0);
            optimizer.Step(new StepInfo([1e-4], i));
            foreach (var parameter in parameters) parameter.grad = null;
            Console.WriteLine(
                $"step {i + 1}: {clock.Elapsed.TotalSeconds:F2} s ({forwardAndBackward.TotalSeconds:F2} forward and backward), loss "
                    + $"{loss:F4}, norm {norm:F4}, live tensors {TensorCount.Live}, resident {ProcessFigures.ResidentMiB:F0} MiB");
        }

        Console.WriteLine($"peak {ProcessFigures.PeakGiB:F2} GiB");
    }

    public Tensor Latents(Batch batch) => randn([1, 4, s_side, s_side], generator: random);

    public TextConditions Context(Batch batch) => new(randn([1, 77, 768], generator: random), null);
}
