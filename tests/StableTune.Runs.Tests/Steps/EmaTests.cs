using StableTune.Optimizers;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests.Steps;

/// <summary>Runs that keep a moving average: what is saved, drawn, measured, and gone on with.</summary>
public sealed class EmaTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Train_SavesTheAverageOfTheWeightsAfterEachStep(bool onHost, bool late)
    {
        var plain = Builder("plain").SaveEvery(steps: 1).Train();
        var before = TinyRun.HeldBefore();
        var averaged = new Trainer(Builder("averaged").WithEma(o => o with { Warmup = null, Decay = 0.5, OnHost = onHost }).Plan with
        {
            ReadsLossLate = late,
        }).Train();
        Assert.Equal(before, TinyRun.HeldTensors);
        Assert.Equal(plain.Losses, averaged.Losses, (a, b) => Math.Abs(a - b) < 1e-6);
        float[][] weights = [.. Enumerable.Range(1, 4).Select(step => TinyRun.Weights(TinyRun.StepOutput(_folder, step, "plain")))];
        var expected = weights.Skip(1).Aggregate(weights[0].Select(w => (double)w), (e, now) => [.. e.Zip(now, (a, b) => (a + b) / 2)]);
        Assert.Equal(expected, TinyRun.Weights(averaged.Files[0]).Select(w => (double)w), (a, b) => Math.Abs(a - b) < 1e-6);
    }

    [Fact]
    public void Train_SavingBoth_WritesTheWeights_AndTheAverageBesideThem()
    {
        var plain = Builder("plain").SaveEvery(steps: 2).Train();
        var alone = Builder("alone").WithEma(o => o with { Warmup = null, Decay = 0.5 }).SaveEvery(steps: 2).Train();
        var both = Builder("both").WithEma(o => o with { Warmup = null, Decay = 0.5, SaveBoth = true }).SaveEvery(steps: 2).Train();
        Assert.Equal(["both.safetensors", "both-ema.safetensors"], both.Files.Select(Path.GetFileName));
        Assert.Equal(TinyRun.Weights(plain.Files[0]), TinyRun.Weights(both.Files[0]));
        Assert.Equal(TinyRun.Weights(alone.Files[0]), TinyRun.Weights(both.Files[1]));
        Assert.Contains("both-ema-step00000002.safetensors", TinyRun.Written(_folder));
        // It is a result like the other: nothing overwrites it unasked.
        File.Delete(both.Files[0]);
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(() =>
            Builder("both").WithEma(o => o with { SaveBoth = true }).Build()).Problems);
        Assert.Contains("both-ema.safetensors", problem.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Resume_AtEveryStep_EndsAsTheWholeRun(bool both)
    {
        TrainerBuilder Run(string name) => Builder(name).WithEma(o => o with { EveryNSteps = 2, SaveBoth = both });
        var whole = Run("whole").SaveState(_folder.File("states", "frog")).SaveEvery(steps: 1).Train();
        for (var step = 1; step < 4; step++)
        {
            var resumed = Run($"from{step}").ResumeFrom(_folder.File("states", $"frog-step{step:D8}-state")).Train();
            Assert.Equal(whole.Losses, resumed.Losses);
            foreach (var (a, b) in whole.Files.Where(file => file.EndsWith(".safetensors", StringComparison.Ordinal)).Zip(resumed.Files))
                Assert.Equal(TinyRun.Weights(a), TinyRun.Weights(b));
        }
    }

    [Fact]
    public void Resume_WithoutTheAverageOfTheState_IsRefused_OrBeginsAnew()
    {
        Builder("first").SaveState(_folder.File("states", "frog")).For(TrainingLength.Steps(2)).Train();
        TrainerBuilder Other() => Builder("other").WithEma().ResumeFrom(_folder.File("states", "frog-state"));
        Assert.Contains("Ema", Assert.Throws<InvalidFileException>(() => Other().Train()).Message, StringComparison.Ordinal);
        Assert.Equal(4, Other().ResumeFrom(_folder.File("states", "frog-state"), allowDifferences: true).Train().Steps);
    }

    /// <summary>Samples and validation see the average, and training goes on with the weights.</summary>
    [Fact]
    public void Train_SamplesAndValidation_UseTheAverage_AndChangeNothing()
    {
        TrainerBuilder Run(string name) => Builder(name).WithDataOptions(data => data with { ValidationSplit = 0.5 })
            .WithValidation(new ValidationOptions { EveryNSteps = 1 });
        var (plain, averaged) = (new Measured(), new Measured());
        var first = Run("plain").WithObserver(plain).Train();
        var second = Run("averaged").WithEma(o => o with { Warmup = null, Decay = 0.9 }).WithObserver(averaged)
            .WithSamples(new SampleOptions { Folder = _folder.File("samples"), EveryNSteps = 2,
                Prompts = [new TextToImageOptions { Prompt = "a frog", Width = 64, Height = 64, Steps = 1 }] }).Train();
        Assert.Equal(first.Losses, second.Losses);
        // The first update takes the weights as they are.
        Assert.Equal(plain.Losses[0], averaged.Losses[0]);
        Assert.NotEqual(plain.Losses[^1], averaged.Losses[^1]);
    }

    [Fact]
    public void KeepModel_HandsBackTheAverage()
    {
        using var result = Builder("kept").WithEma(o => o with { Warmup = null, Decay = 0.5 }).KeepModel().Train();
        var saved = TinyRun.Weights(result.Files[0]);
        var held = ((Trainables.AdapterTrainable)result.Trainables[0].Instance).Groups.SelectMany(group => group.Parameters)
            .SelectMany(parameter => parameter.Value.detach().contiguous().data<float>().ToArray()).Order();
        // Files hold alphas too.
        Assert.Subset(saved.ToHashSet(), held.ToHashSet());
    }

    [Fact]
    public void Build_WithAnOptimizerThatAverages_IsRefused_AndOneThatDoesNotSaySo_EndsTheRun()
    {
        Assert.Equal("TrainingPlan.Ema", Assert.Single(Assert.Throws<InvalidOptionsException>(() =>
            Builder("a").WithEma().WithOptimizer(new Averaging { Says = true }).Build()).Problems).Option);
        var fault = Assert.Throws<InvalidOperationException>(() =>
            Builder("a").WithEma().WithOptimizer(new Averaging { Says = false }).Train());
        Assert.Contains("HasEvaluationWeights", fault.Message, StringComparison.Ordinal);
        Assert.Equal("EmaOptions.Decay", Assert.Single(Assert.Throws<InvalidOptionsException>(() =>
            Builder("a").WithEma(o => o with { Decay = 1 }).Build()).Problems).Option);
    }

    /// <summary>The state holds what is trained, whatever is evaluated.</summary>
    [Fact]
    public void Resume_WithAnOptimizerThatHasEvaluationWeights_EndsAsTheWholeRun()
    {
        TrainerBuilder Run(string name) => Builder(name).WithOptimizer(new Averaging());
        var whole = Run("whole").SaveState(_folder.File("states", "frog")).SaveEvery(steps: 2).Train();
        var resumed = Run("resumed").ResumeFrom(_folder.File("states", "frog-step00000002-state")).Train();
        Assert.Equal(whole.Losses, resumed.Losses);
        Assert.Equal(TinyRun.Weights(whole.Files[0]), TinyRun.Weights(resumed.Files[0]));
    }

    private TrainerBuilder Builder(string name) =>
        TinyRun.Builder(_folder, name).WithCachedLatents(false).For(TrainingLength.Steps(4));

    private sealed class Measured : ITrainingObserver
    {
        public List<double> Losses { get; } = [];

        public void OnValidation(TrainingValidation validation) => Losses.Add(validation.Loss);
    }

    /// <summary>AdamW whose evaluation weights are half of what is trained.</summary>
    private sealed record Averaging : OptimizerOptions
    {
        public bool Says { get; init; } = true;

        public override bool HasEvaluationWeights => Says;

        public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new Halved(new AdamWOptions().Create(groups));

        public override IEnumerable<OptionProblem> Validate() => [];

        private sealed class Halved(IOptimizer optimizer) : IOptimizer
        {
            public string Name => optimizer.Name;

            public IReadOnlyList<ParameterGroup> Groups => optimizer.Groups;

            public IReadOnlyList<double> EffectiveRates => optimizer.EffectiveRates;

            public void Step(in StepInfo info) => optimizer.Step(info);

            public IDisposable UseEvaluationWeights() => new Scaled(Groups);

            public void Save(StateWriter writer) => optimizer.Save(writer);

            public void Load(StateReader reader) => optimizer.Load(reader);

            public void Dispose() => optimizer.Dispose();
        }

        private sealed class Scaled : IDisposable
        {
            private readonly IReadOnlyList<ParameterGroup> _groups;

            public Scaled(IReadOnlyList<ParameterGroup> groups)
            {
                _groups = groups;
                Multiply(0.5);
            }

            public void Dispose() => Multiply(2);

            private void Multiply(double factor)
            {
                using var frozen = no_grad();
                foreach (var parameter in _groups.SelectMany(group => group.Parameters)) parameter.Value.mul_(factor);
            }
        }
    }
}
