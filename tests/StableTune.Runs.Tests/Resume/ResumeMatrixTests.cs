using StableTune.Adapters;
using StableTune.Optimizers;
using StableTune.Schedules;
using StableTune.Testing;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Tests.Resume;

/// <summary>A run that goes on from a state ends bit for bit as the run that was never stopped: whatever is trained, however. New kinds
/// enter by the catalogs.</summary>
public sealed class ResumeMatrixTests(ResumeMatrixTests.Shared shared) : IClassFixture<ResumeMatrixTests.Shared>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Model and images, written once.</summary>
    public sealed class Shared : IDisposable
    {
        public TemporaryFolder Folder { get; } = new();

        public void Dispose() => Folder.Dispose();
    }

    public static TheoryData<string> Trained => [.. TrainedKinds.Names];

    public static TheoryData<string> Adapters => [.. NetworkModules.Default.Names.Concat(KindRunTests.All.Keys)];

    public static TheoryData<string> Optimizers => [.. OptimizerCatalog.Default.Names];

    public static TheoryData<string> Schedules => [.. ScheduleCatalog.Default.Names];

    [Theory]
    [MemberData(nameof(Trained))]
    public void WhatIsTrained(string kind) => Check(kind, place => TrainedKinds.Run(kind, shared.Folder, place));

    /// <summary>New things to train are added to the runs that are tried.</summary>
    [Fact]
    public void WhatIsTrained_IsAllThereIs()
    {
        var known = typeof(TrainableOptions).Assembly.GetTypes()
            .Where(type => !type.IsAbstract && type.IsAssignableTo(typeof(TrainableOptions)));
        // An embedding is not trained; one for each layer needs the layers of a model that is not small, and is a new word otherwise.
        Type[] others = [typeof(EmbeddingOptions), typeof(ExtendedTextualInversionOptions)];
        Assert.Equal([], known.Except(TrainedKinds.Types(shared.Folder)).Except(others));
    }

    [Theory]
    [MemberData(nameof(Adapters))]
    public void AdapterKinds(string kind)
    {
        var options = KindRunTests.All.TryGetValue(kind, out var known) ? known : NetworkModules.Default.Create(kind);
        if (known is null) options = options with { Layers = LayerSelection.SdScripts with { Include = ["mid_block"] } };
        Check(kind, place => Bare(place).WithAdapter(options, training => training with { MaxNorm = 1 }));
    }

    [Theory]
    [MemberData(nameof(Optimizers))]
    public void OptimizerKinds(string name)
    {
        var options = OptimizerCatalog.Default.Create(name);
        Check(name, place => Bare(place).WithLoRA(Small).WithOptimizer(options));
    }

    [Theory]
    [MemberData(nameof(Schedules))]
    public void ScheduleKinds(string name)
    {
        var options = ScheduleCatalog.Default.Create(name) switch
        {
            PolynomialScheduleOptions polynomial => polynomial with { EndRate = 1e-5 },
            PointsScheduleOptions points => points with { Points = CurvePoints.Parse("0:1, 3:0.5") },
            PiecewiseConstantScheduleOptions pieces => pieces with { StepRules = StepRules.Parse("1:2,0.5") },
            PlateauScheduleOptions plateau => plateau with { Metric = PlateauMetric.AverageLoss, EveryNSteps = 1, Patience = 0 },
            CosineWithMinLrScheduleOptions cosine => cosine with { MinRatio = 0.1 },
            StepLrScheduleOptions steps => steps with { StepSize = 2 },
            MultiStepLrScheduleOptions steps => steps with { Milestones = [1, 3] },
            ExponentialLrScheduleOptions exponential => exponential with { Gamma = 0.9 },
            CosineAnnealingLrScheduleOptions annealing => annealing with { TMax = 3 },
            CosineWarmRestartsScheduleOptions restarts => restarts with { T0 = 2 },
            var other => other,
        };
        // The schedule of this name is that optimizer's own.
        OptimizerOptions optimizer = options is AdaFactorScheduleOptions ? new AdaFactorOptions() : new AdamWOptions();
        Check(name, place => Bare(place).WithLoRA(Small).WithOptimizer(optimizer).WithSchedule(options));
    }

    /// <summary>All that goes on beside the weights: averages, dropouts, samples, logs, skipped steps, controls.</summary>
    [Fact]
    public void EverythingAtOnce()
    {
        Check("all", place => Bare(place).WithLoRA(options => options with { Rank = 2, Dropout = 0.1, ModuleDropout = 0.2 })
            .WithEma().WithOptimizer(new AdamW8bitOptions()).WithGradientAccumulation(2).For(TrainingLength.Steps(4))
            .WithDataOptions(data => data with { ValidationSplit = 0.25 }).WithControl(new TrainingControl())
            .WithCsvLog(place + ".csv").WithLog(place + ".jsonl").WithTensorBoard(place + "-board")
            .WithSamples(new SampleOptions
            {
                Folder = place + "-samples", EveryNSteps = 1,
                Prompts = [new TextToImageOptions { Prompt = "a frog", Width = 64, Height = 64, Steps = 1, Seed = 1 }],
            }));
        var whole = File.ReadAllLines(_folder.File("whole") + ".csv");
        Assert.Equal(1 + 4, whole.Length);
    }

    private static LoRAOptions Small => new() { Rank = 1, Layers = LayerSelection.SdScripts with { Include = ["mid_block"] } };

    private TrainerBuilder Bare(string place) => new TrainerBuilder()
        .WithModel(SmallRun.Model(shared.Folder)).WithImages(TinyRun.Images(shared.Folder), resolution: 64).WithBatchSize(2).TrainUNetOnly()
        .WithLearningRate(1e-3).For(TrainingLength.Steps(4)).SaveTo(place + ".safetensors");

    /// <summary>Stops after the first step of an epoch, goes on in the middle of it, and compares.</summary>
    private void Check(string what, Func<string, TrainerBuilder> run)
    {
        var whole = run(_folder.File("whole")).SaveState(_folder.File("states", "frog"))
            .WithSaving(save => save with { EveryNSteps = 3, InBackground = true }).Train();
        var resumed = run(_folder.File("resumed")).ResumeFrom(_folder.File("states", "frog-step00000003-state")).Train();
        Assert.True(whole.Losses.SequenceEqual(resumed.Losses), $"{what}: the losses differ");
        var files = whole.Files.Where(file => !file.Contains("-state", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(files);
        Assert.Equal(files.Length, resumed.Files.Count);
        foreach (var (one, other) in files.Zip(resumed.Files)) SavedFiles.AssertSame(one, other, what);
    }
}
