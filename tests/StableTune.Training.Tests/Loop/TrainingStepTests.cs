using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Tensors;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Training.Tests;

/// <summary>The seams of a step: what its stages see, and in which state they leave what is trained.</summary>
public sealed class TrainingStepTests : IDisposable, ILatentStage, IContextStage, INoiseSource
{
    private readonly TemporaryFolder _folder = new();
    private readonly StableDiffusionModel _model;
    private readonly TrainingRandom _random = new(new NamedSeeds(0));
    private readonly ITrainable _target = LoRA.Create(new TrainingPlan { LearningRate = 1e-3 });
    private static readonly AdapterTrainableOptions LoRA = new() { Adapter = new LoRAOptions { Rank = 2, Alpha = 2,
        Parts = AdapterParts.UNet } };
    private int _encoded;

    public TrainingStepTests()
    {
        _model = ModelLoader.Load(FixtureModels.TinySd15(_folder), new ModelLoadOptions { Parts = ModelParts.UNet });
        _target.Attach(Setup.Of(_model, _random));
    }

    public void Dispose()
    {
        _target.Dispose();
        _model.Dispose();
        _random.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Measure_AtSeveralTimesteps_EncodesOnce_AndGivesWhatEachGivesAlone()
    {
        using var batch = new Batch([""]);
        using var method = new Denoising(Parts());
        var together = method.Measure(batch, [new At(200), new At(800)]);
        Assert.Equal(2, _encoded);
        var alone = new[] { 200, 800 }.Select(timestep => new TrainingStep(Parts() with { Timesteps = new At(timestep) }).Measure(batch));
        Assert.Equal(alone, together);
        Assert.NotEqual(together[0], together[1]);
    }

    [Fact]
    public void Run_Stages_SeeThePassAndTheOnesBefore()
    {
        var (first, second) = (new Doubles(), new Doubles());
        using var batch = new Batch([""]);
        var plain = new TrainingStep(Parts()).Run(batch, 1);
        var changed = new TrainingStep(Parts() with { Conditions = [first, second], Targets = [first, second] }).Run(batch, 1);
        Assert.Equal((1.0, 2.0), (first.Context / second.Context * 2, second.Goal / first.Goal));
        Assert.NotEqual(plain, changed);
    }

    [Fact]
    public void Run_WithTheUntrainedModelsPredictionAsGoal_HasNoLossBeforeAnythingWasLearned()
    {
        using var batch = new Batch([""]);
        // The adapter begins as nothing; adding its zeros rounds sums in another order, which is 1e-14 when squared.
        Assert.InRange(new TrainingStep(Parts() with { Targets = [new Untrained()] }).Run(batch, 1), 0, 1e-12);
    }

    [Fact]
    public void Run_AStageFails_LeavesWhatIsTrainedActingAsBefore()
    {
        var target = new Recorder();
        using var batch = new Batch([""]);
        Assert.Throws<TimeZoneNotFoundException>(() =>
            new TrainingStep(Parts() with { Trainables = [target], Targets = [new Untrained(), new Failing()] }).Run(batch, 1));
        Assert.Equal([0, 1], target.Multipliers);
    }

    [Fact]
    public void PredictUntrained_WhereTheStepWasNotToldWhatIsTrained_SaysSo()
    {
        using var batch = new Batch([""]);
        var fault = Assert.Throws<InvalidOperationException>(() =>
            new TrainingStep(Parts() with { Trainables = [], Targets = [new Untrained()] }).Run(batch, 1));
        Assert.Contains("TrainingStepParts.Trainables", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_AndMeasure_LeaveAsManyLiveTensorsAsTheyFound()
    {
        var parts = Parts() with { Conditions = [new Doubles()], Targets = [new Untrained(), new Doubles()] };
        var step = new TrainingStep(parts);
        using var method = new Denoising(parts);
        using var batch = new Batch([""]);
        void Work()
        {
            step.Run(batch, 1);
            step.Measure(batch);
            method.Measure(batch, [new At(1), new At(2)]);
            foreach (var parameter in _target.Groups.SelectMany(group => group.Parameters)) parameter.Value.grad = null;
        }

        Work();
        var before = HeldTensors.Before();
        Work();
        Assert.Equal(before, TensorCount.Live);
    }

    /// <summary>Two batches of one sample each, accumulated, have the gradients of one batch of both.</summary>
    [Fact]
    public void Run_OfBatchesThatAreAccumulated_HasTheGradientsOfTheLargeBatch()
    {
        using var scope = NewDisposeScope();
        var rows = new Rows(_model.UNet.Options.CrossAttentionDim);
        var step = new TrainingStep(Parts() with { Latents = rows, Context = rows, Noise = rows });
        Tensor[] weights = [.. _target.Groups.SelectMany(group => group.Parameters).Select(parameter => parameter.Value)];
        // The factors that begin as 0 hide the others' gradients.
        using var random = new Generator(4);
        using (no_grad())
            foreach (var weight in weights) weight.add_(randn(weight.shape, generator: random) * 0.1);
        var losses = new List<double>();
        foreach (var row in new[] { 0, 1 })
        {
            using var one = new Batch([""]);
            (rows.First, rows.Count) = (row, 1);
            losses.Add(step.Run(one, 2));
        }

        Tensor[] accumulated = [.. weights.Select(weight => weight.grad!.clone())];
        foreach (var weight in weights) weight.grad = null;
        using var both = new Batch(["", ""]);
        (rows.First, rows.Count) = (0, 2);
        Assert.Equal(losses.Average(), step.Run(both, 1), 1e-6);
        var moving = 0;
        // Gradients that would be 0 but for rounding are as far apart as float32 rounds the largest.
        const float epsilon = 1.2e-7f;
        var rounding = weights.Max(weight => weight.grad!.abs().max().item<float>()) * epsilon;
        foreach (var (weight, sum) in weights.Zip(accumulated))
        {
            var most = weight.grad!.abs().max().item<float>();
            if (most > rounding) moving++;
            var apart = (weight.grad! - sum).abs().max().item<float>();
            Assert.True(apart <= Math.Max(2e-5 * most, rounding), $"{apart} apart, of {most}");
            weight.grad = null;
        }

        // Where a picture is one pixel there is nothing to attend to.
        Assert.True(moving > weights.Length / 2);
    }

    /// <summary>What is rows of the same tensors, whatever the size of a batch.</summary>
    private sealed class Rows(long width) : ILatentStage, IContextStage, INoiseSource
    {
        public int First { get; set; }

        public int Count { get; set; }

        public Tensor Latents(Batch batch) => Drawn(1, 4, 8, 8);

        public TextConditions Context(Batch batch) => new(Drawn(2, 77, width), null);

        Tensor INoiseSource.Draw(Tensor latents, Generator generator) => Drawn(3, 4, 8, 8);

        private Tensor Drawn(ulong seed, params long[] shape)
        {
            using var random = new Generator(seed);
            return randn([2, .. shape], generator: random).narrow(0, First, Count).clone();
        }
    }

    private TrainingStepParts Parts() => new()
    {
        Latents = this, Context = this, Noise = this, Timesteps = new At(500), Network = _model.UNet,
        Schedule = NoiseSchedule.From(_model.Scheduler),
        Prediction = PredictionType.Epsilon, Loss = new DiffusionLoss(), Trainables = [_target], Random = _random,
    };

    public Tensor Latents(Batch batch)
    {
        _encoded++;
        return full([1, 4, 8, 8], 0.5, dtype: ScalarType.Float32);
    }

    public TextConditions Context(Batch batch)
    {
        _encoded++;
        return new TextConditions(ones(1, 77, _model.UNet.Options.CrossAttentionDim), null);
    }

    Tensor INoiseSource.Draw(Tensor latents, Generator generator) => full_like(latents, -0.25);

    private sealed class At(int timestep) : ITimestepSource
    {
        public Tensor Draw(int count, Generator generator) => full([count], timestep, dtype: ScalarType.Int64);
    }

    private sealed class Doubles : IConditionStage, ITargetStage
    {
        public double Context { get; private set; }

        public double Goal { get; private set; }

        public UNetConditions Add(StepPass pass)
        {
            Context = pass.Conditions.Context.mean().ToDouble();
            return pass.Conditions with { Context = pass.Conditions.Context * 2 };
        }

        public Tensor Change(Tensor goal, StepPass pass)
        {
            Goal = goal.mean().ToDouble();
            return goal * 2;
        }
    }

    private sealed class Untrained : ITargetStage
    {
        public Tensor Change(Tensor goal, StepPass pass) => pass.PredictUntrained();
    }

    private sealed class Failing : ITargetStage
    {
        public Tensor Change(Tensor goal, StepPass pass) => throw new TimeZoneNotFoundException();
    }

    private sealed class Recorder : ITrainable
    {
        public List<double> Multipliers { get; } = [];

        public string Name => "recorder";

        public IReadOnlyList<ParameterGroup> Groups => [];

        public void Attach(TrainingSetup setup) { }

        public IReadOnlyList<string> Save(SaveRequest request) => [];

        public void Save(StateWriter writer) { }

        public void Load(StateReader reader) { }

        public void SetMultiplier(double multiplier) => Multipliers.Add(multiplier);

        public void Dispose() { }
    }
}
