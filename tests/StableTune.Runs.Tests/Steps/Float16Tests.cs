using StableTune.Losses;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests.Steps;

/// <summary>Runs in float16 on a CPU: what they learn, how the loss is scaled, and which steps are left out.</summary>
public sealed class Float16Tests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_WithSamplesAndATextEncoder_LearnsNearlyWhatFloat32Does()
    {
        TrainerBuilder Run(string name, PrecisionPolicy policy) => TinyRun.Builder(_folder, name).WithParts(Adapters.AdapterParts.All)
            .WithPrecision(policy).WithSamples(_folder.File(name), new TextToImageOptions { Prompt = "a frog", Width = 64, Height = 64,
                Steps = 1 });
        var before = TinyRun.HeldBefore();
        var half = Run("half", PrecisionPolicy.Float16).Train();
        Assert.Equal(before, TinyRun.HeldTensors);
        var full = Run("full", PrecisionPolicy.Float32).Train();
        foreach (var (a, b) in half.Losses.Zip(full.Losses)) Assert.Equal(b, a, 5e-3 * b);
        Assert.Equal("fp16", TinyRun.Metadata(half.Files[0])["ss_mixed_precision"]);
        Assert.Contains(half.Warnings, warning => warning.Contains("PrecisionPolicy.Compute is Float16", StringComparison.Ordinal));
        using var file = Formats.SafetensorsFile.Open(half.Files[0]);
        Assert.All(file.Tensors, tensor => Assert.Equal(Formats.TensorDType.F16, tensor.DType));
    }

    /// <summary>The VAE stays in float32 (no_half_vae), whatever the rest is.</summary>
    [Fact]
    public void Train_WithAVaeInFloat32_EncodesAndDrawsWithIt()
    {
        var result = TinyRun.Builder(_folder).WithPrecision(PrecisionPolicy.Float16).WithCachedLatents(false)
            .WithModel(SmallRun.Model(_folder), new ModelLoadOptions { VaeType = ScalarType.Float32 }).KeepModel()
            .WithSamples(_folder.File("drawn"), new TextToImageOptions { Prompt = "a frog", Width = 64, Height = 64, Steps = 1 }).Train();
        using (result)
        {
            Assert.All(result.Model!.Vae.parameters(), parameter => Assert.Equal(ScalarType.Float32, parameter.dtype));
            Assert.Contains(result.Model.UNet.parameters(), parameter => parameter.dtype == ScalarType.Float16);
        }
    }

    [Fact]
    public void Train_OtherThingsThanAdapters_StayNearFloat32()
    {
        foreach (var what in new Func<TrainerBuilder, TrainerBuilder>[]
        {
            builder => builder.WithTextualInversion("sksfrog", initWord: "frog", template: Trainables.PromptTemplate.Object)
                .WithLearningRate(5e-3),
            builder => builder.WithFullTraining(ModelParts.UNet | ModelParts.TextEncoder).WithGradientCheckpointing(),
        })
        {
            IReadOnlyList<double> Losses(PrecisionPolicy policy)
            {
                using var result = what(new TrainerBuilder().WithModel(SmallRun.Model(_folder)).WithBatchSize(2).WithLearningRate(1e-5)
                    .WithImages(TinyRun.Images(_folder), resolution: 64)).For(TrainingLength.Steps(2)).KeepModel()
                    .WithPrecision(policy).Train();
                return result.Losses;
            }

            var full = Losses(PrecisionPolicy.Float32);
            Assert.All(Losses(PrecisionPolicy.Float16).Zip(full), pair => Assert.Equal(pair.Second, pair.First, 0.01));
        }
    }

    [Theory]
    [InlineData("AdamW")]
    [InlineData("AdamW8bit")]
    public void Train_AWholeModelInFullFloat16_LearnsNearlyWhatFloat32Does(string optimizer)
    {
        TrainingResult Run(string name, PrecisionPolicy policy) => Whole(name).WithPrecision(policy)
            .WithOptimizer(OptimizerCatalog.Default.Create(optimizer)).WithLearningRate(1e-4).Train();
        var (half, full) = (Run("half", PrecisionPolicy.FullFloat16), Run("full", PrecisionPolicy.Float32));
        foreach (var (a, b) in half.Losses.Zip(full.Losses)) Assert.Equal(b, a, 2e-2 * b);
        Assert.True(half.Losses[^1] < half.Losses[0] || half.Losses[^1] < 1.02 * full.Losses[^1]);
    }

    /// <summary>Scaling alone changes nothing: a power of two goes through every product, unless something overflows or vanishes.</summary>
    [Fact]
    public void Train_InFloat16_WithAnotherScale_GivesTheSameGradients()
    {
        var norms = new[] { 1024.0, 4096.0 }.Select(start =>
        {
            var reports = new Reports();
            TinyRun.Builder(_folder, $"{start}").WithPrecision(PrecisionPolicy.Float16)
                .WithLossScaling(new LossScalingOptions { Start = start }).Train(reports);
            return reports.Steps.Select(report => report.GradientNorm).ToArray();
        }).ToArray();
        foreach (var (a, b) in norms[0].Zip(norms[1])) Assert.Equal(a, b, 2e-3 * a);
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 1)]
    [InlineData(false, 2)]
    [InlineData(true, 2)]
    public void Train_WhereGradientsOverflow_LeavesStepsOut_HalvesTheScale_AndKeepsTheSchedule(bool late, int accumulation)
    {
        var (reports, schedule) = (new Reports(), new Recording());
        var plan = TinyRun.Builder(_folder).WithBatchSize(1).WithPrecision(PrecisionPolicy.Float16).For(TrainingLength.Steps(4))
            .WithGradientAccumulation(accumulation).WithSchedule(schedule).WithLoss(new Steep(2 * accumulation))
            .Plan with { ReadsLossLate = late };
        var before = TinyRun.HeldBefore();
        new Trainer(plan).Train(reports);
        Assert.Equal(before, TinyRun.HeldTensors);
        Assert.Equal([65536, 32768, 16384, 16384], reports.Steps.Select(report => report.Metrics["loss_scale"]));
        Assert.Equal([1, 2, 2, 2], reports.Steps.Select(report => report.Metrics["skipped_steps"]));
        Assert.Equal([0, 0, 0, 1], schedule.Asked);
        Assert.Equal([false, false, true, true], reports.Steps.Select(report => double.IsFinite(report.GradientNorm)));
    }

    [Fact]
    public void Train_WhereGradientsOverflowAtTheLeastScale_EndsTheRun()
    {
        var fault = Assert.Throws<TrainingDivergedException>(() => TinyRun.Builder(_folder).WithPrecision(PrecisionPolicy.Float16)
            .WithLossScaling(new LossScalingOptions { Start = 4 }).WithLoss(new Steep(100)).For(TrainingLength.Steps(9)).Train());
        Assert.Equal(("norm of the gradients", 3), (fault.Quantity, fault.Step));
    }

    [Fact]
    public void Resume_AfterStepsThatWereLeftOut_EndsAsTheWholeRun()
    {
        TrainerBuilder Run(string name, int overflows) => TinyRun.Builder(_folder, name).WithPrecision(PrecisionPolicy.Float16)
            .WithCachedLatents(false).For(TrainingLength.Steps(5)).WithWarmup(Warmup.Steps(4)).WithEma()
            .WithLossScaling(new LossScalingOptions { GrowAfter = 2 }).WithLoss(new Steep(overflows));
        var reports = new Reports();
        var whole = Run("whole", 2).SaveState(_folder.File("states", "frog")).SaveEvery(steps: 1).Train(reports);
        var resumed = new Reports();
        // The loss is the test's own, and has overflown already.
        var result = Run("resumed", 0).ResumeFrom(_folder.File("states", "frog-step00000003-state"), allowDifferences: true).Train(resumed);
        Assert.Equal(whole.Losses, result.Losses);
        Assert.Equal(Bytes(whole.Files[0]), Bytes(result.Files[0]));
        Assert.Equal(reports.Steps.TakeLast(2).Select(Told), resumed.Steps.Select(Told));

        static (double, double, double) Told(TrainingProgress report) =>
            (report.Metrics["loss_scale"], report.Metrics["skipped_steps"], report.LearningRates.Values.First());
    }

    private TrainerBuilder Whole(string name) => new TrainerBuilder().WithModel(SmallRun.Model(_folder)).WithFullTraining(ModelParts.UNet)
        .WithImages(TinyRun.Images(_folder), resolution: 64).WithBatchSize(2).For(TrainingLength.Steps(4))
        .SaveTo(TinyRun.Output(_folder, name));

    private static byte[] Bytes(string path)
    {
        using var file = Formats.SafetensorsFile.Open(path);
        return [.. file.Tensors.SelectMany(tensor => file.Span(tensor.Name).ToArray())];
    }

    /// <summary>A squared error whose first gradients are infinite, though the loss is not.</summary>
    private sealed record Steep(int Overflows) : ILoss
    {
        private int _calls;

        public Tensor PerElement(Tensor predicted, Tensor target, Diffusion.NoiseSchedule schedule, Tensor timesteps)
        {
            using var scope = NewDisposeScope();
            var error = (predicted.to(ScalarType.Float32) - target.to(ScalarType.Float32)).square();
            // The root's slope at 0 is infinite.
            if (_calls++ < Overflows) error = error + (error * 0).sqrt();
            return error.MoveToOuterDisposeScope();
        }

    }

    private sealed record Recording : Schedules.LrScheduleOptions
    {
        public List<int> Asked { get; } = [];

        public override string Name => "recording";

        public override Schedules.ILrSchedule Create(int totalSteps) => new Schedule(Asked);

        public override IEnumerable<OptionProblem> Validate() => [];

        private sealed class Schedule(List<int> asked) : Schedules.ILrSchedule
        {
            public double Factor(int step)
            {
                asked.Add(step);
                return 1;
            }
        }
    }
}
