using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests.Steps;

/// <summary>Runs whose optimizer steps inside the backward pass: the same weights, and never more than a few gradients.</summary>
public sealed class FusedBackwardTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("AdamW", null, false)]
    [InlineData("AdamW", null, true)]
    [InlineData("AdamW8bit", null, true)]
    [InlineData("AdamW", 3, true)]
    public void Train_AWholeModel_LearnsTheSame_BitForBit(string optimizer, int? groups, bool checkpoints)
    {
        TrainerBuilder Run(string name) => Whole(name).WithOptimizer(OptimizerCatalog.Default.Create(optimizer))
            .WithGradientCheckpointing(checkpoints);
        var plain = Run("plain").Train();
        var before = TinyRun.HeldBefore();
        var fused = Run("fused").WithFusedBackward(groups).Train();
        Assert.Equal(before, TinyRun.HeldTensors);
        Assert.Equal(plain.Losses, fused.Losses);
        Assert.Equal(TinyRun.Weights(plain.Files[0]), TinyRun.Weights(fused.Files[0]));
    }

    [Fact]
    public void Train_Adapters_AreSteppedAtTheEnd_AndLearnTheSame()
    {
        var plain = TinyRun.Builder(_folder, "plain").WithMaxGradientNorm(null).Train();
        var reports = new Reports();
        var fused = TinyRun.Builder(_folder, "fused").WithMaxGradientNorm(null).WithFusedBackward().Train(reports);
        Assert.Equal(plain.Losses, fused.Losses);
        Assert.Equal(TinyRun.Weights(plain.Files[0]), TinyRun.Weights(fused.Files[0]));
        Assert.All(reports.Steps, report => Assert.True(report.GradientNorm > 0));
    }

    [Fact]
    public void Train_NoMoreThanAFewGradients_AreThereAtOnce()
    {
        var (plain, fused, grouped) = (new Gauge(), new Gauge(), new Gauge());
        Whole("plain").WithGradients(plain).KeepModel().Train().Dispose();
        Whole("fused").WithGradients(fused).WithFusedBackward().Train();
        Whole("grouped").WithGradients(grouped).WithFusedBackward(groups: 4).Train();
        // What is held while parameters are stepped: all gradients, one, and a group's with what has come of the next.
        Assert.Equal(plain.All, plain.Most);
        Assert.Equal(fused.Largest, fused.Most);
        Assert.InRange(grouped.Most, fused.Most + 1, plain.All / 2);
        Assert.Equal(plain.All, fused.All);
    }

    [Fact]
    public void Train_ClippingByValue_GoesWithIt()
    {
        TrainerBuilder Run(string name) => Whole(name).WithMaxGradientValue(1e-4);
        var (plain, fused) = (Run("plain").Train(), Run("fused").WithFusedBackward().Train());
        Assert.Equal(TinyRun.Weights(plain.Files[0]), TinyRun.Weights(fused.Files[0]));
        Assert.NotEqual(TinyRun.Weights(Whole("unclipped").Train().Files[0]), TinyRun.Weights(fused.Files[0]));
    }

    [Fact]
    public void Train_GradientsThatAreNotFinite_StepNothingOfTheirs_AndTheFaultSaysSo()
    {
        var fault = Assert.Throws<TrainingDivergedException>(() =>
            Whole("bad").WithGradients(new Poison()).WithFusedBackward().For(TrainingLength.Steps(9)).Train());
        Assert.True(fault.PartWasStepped);
        Assert.Contains("Parameters with finite gradients were stepped", fault.Message, StringComparison.Ordinal);
        var files = Directory.GetFiles(_folder.File("out"), "bad*.safetensors");
        Assert.All(TinyRun.Weights(Assert.Single(files)), weight => Assert.True(float.IsFinite(weight)));
    }

    [Fact]
    public void Build_WithWhatDoesNotGoTogether_SaysWhy()
    {
        void Refused(TrainerBuilder builder, string told)
        {
            var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(() => builder.WithFusedBackward().Build()).Problems);
            Assert.Equal("TrainingPlan.FusedBackward", problem.Option);
            Assert.Contains(told, problem.ToString(), StringComparison.Ordinal);
        }

        Refused(Whole("a").WithMaxGradientNorm(1), "WithMaxGradientNorm(null)");
        Refused(Whole("a").WithGradientAccumulation(2), "GradientAccumulation");
        Refused(Whole("a").WithPrecision(PrecisionPolicy.Float16), "BFloat16");
        Refused(Whole("a").WithOptimizer(new Together()), "Together");
        Assert.Equal("FusedBackwardOptions.Groups", Assert.Single(Assert.Throws<InvalidOptionsException>(() =>
            Whole("a").WithFusedBackward(groups: 0).Build()).Problems).Option);
        Assert.Equal("TrainingPlan.FusedBackward", Assert.Single(Assert.Throws<InvalidOptionsException>(() =>
            new Trainer(Whole("a").WithFusedBackward().Plan with { ReadsLossLate = true })).Problems).Option);
    }

    private TrainerBuilder Whole(string name) => new TrainerBuilder().WithModel(SmallRun.Model(_folder)).WithFullTraining(ModelParts.UNet)
        .WithImages(TinyRun.Images(_folder), resolution: 64).WithBatchSize(2).WithLearningRate(1e-4).WithMaxGradientNorm(null)
        .For(TrainingLength.Steps(2)).SaveTo(TinyRun.Output(_folder, name));

    private sealed record Together : OptimizerOptions
    {
        public override bool StepsOneByOne => false;

        public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new AdamWOptions().Create(groups);

        public override IEnumerable<OptionProblem> Validate() => [];
    }

    /// <summary>Looks at how many numbers of gradients there are whenever some are about to be used.</summary>
    private sealed class Gauge : IGradientStage
    {
        private readonly Dictionary<Tensor, long> _seen = new(ReferenceEqualityComparer.Instance);

        public bool WorksOneByOne => true;

        public long Most { get; private set; }

        public long All => _seen.Values.Sum();

        public long Largest => _seen.Values.Max();

        public Tensor Apply(IReadOnlyList<Tensor> parameters)
        {
            foreach (var parameter in parameters.Where(parameter => parameter.grad is not null)) _seen[parameter] = parameter.numel();
            Most = Math.Max(Most, _seen.Where(entry => entry.Key.grad is not null).Sum(entry => entry.Value));
            return GradientNorm.ClipWithoutReading(parameters, null);
        }

        public IEnumerable<OptionProblem> Validate() => [];
    }

    /// <summary>Makes one parameter's gradient infinite in the second step, when others have been stepped.</summary>
    private sealed class Poison : IGradientStage
    {
        private readonly List<Tensor> _seen = [];

        public bool WorksOneByOne => true;

        public Tensor Apply(IReadOnlyList<Tensor> parameters)
        {
            _seen.Add(parameters[0]);
            if (_seen.Count > 10 && ReferenceEquals(parameters[0], _seen[9])) parameters[0].grad?.fill_(float.PositiveInfinity);
            return GradientNorm.ClipWithoutReading(parameters, null);
        }

        public IEnumerable<OptionProblem> Validate() => [];
    }
}
