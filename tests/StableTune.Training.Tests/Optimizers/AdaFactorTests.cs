using System.Text.Json;
using StableTune.Optimizers;
using StableTune.Schedules;
using StableTune.Testing;

namespace StableTune.Training.Tests;

public sealed class AdaFactorTests
{
    /// <summary>The rates that sd-scripts' adafactor schedule reports: the initial one, then those of weights that are 0.</summary>
    [Fact]
    public void EffectiveRates_AreThoseOfTheReferencesSchedule()
    {
        using var scope = NewDisposeScope();
        var root = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("optim", "lr_schedules.json"))).RootElement;
        var recorded = root.GetProperty("cases").EnumerateArray().Single(row => row.GetProperty("case").GetString() == "adafactor");
        var initial = double.Parse(recorded.GetProperty("arguments").GetProperty("lr_scheduler").GetString()!.Split(':')[1],
            System.Globalization.CultureInfo.InvariantCulture);
        Tensor[] weights = [zeros(2, 3).requires_grad_(), zeros(4).requires_grad_()];
        foreach (var weight in weights) weight.grad = zeros_like(weight);
        using var optimizer = new AdaFactorOptions { WarmupInit = false }.Create(
            [.. weights.Select((weight, i) => new ParameterGroup($"{i}", [new NamedParameter($"w{i}", weight)], initial))]);
        var step = 0;
        foreach (var rates in recorded.GetProperty("lr").EnumerateArray())
        {
            Assert.All(rates.EnumerateArray().Zip(optimizer.EffectiveRates), pair =>
                Assert.Equal(pair.First.GetDouble(), pair.Second, 1e-6 * pair.First.GetDouble()));
            optimizer.Step(new StepInfo([initial, initial], step++));
        }
    }

    [Fact]
    public void State_OfAMatrix_IsARowAndAColumn()
    {
        using var weight = zeros(1024, 512).requires_grad_();
        using var optimizer = new AdaFactorOptions().Create([new ParameterGroup("all", [new NamedParameter("w", weight)], 0.1)]);
        Assert.Equal(4 * (1024 + 512), ((StatefulOptimizer)optimizer).StateBytes);
    }

    [Fact]
    public void ReferenceName_SaysWhatIsInForce()
    {
        Assert.Equal("transformers.optimization.Adafactor(warmup_init=True,relative_step=True)", new AdaFactorOptions().ReferenceName);
        Assert.Equal(
            "transformers.optimization.Adafactor(eps=(1e-30, 0.01),beta1=0.9,scale_parameter=False,relative_step=False)",
            new AdaFactorOptions { RelativeStep = false, ScaleParameter = false, Beta1 = 0.9, Epsilon = (1e-30, 0.01) }.ReferenceName);
    }

    [Fact]
    public void Schedule_WithARelativeStep_IsItsOwn()
    {
        var plan = new TrainingPlan { Optimizer = new AdaFactorOptions(), LearningRate = 1e-3 };
        Assert.Equal("adafactor:0.001", plan.Optimizer.ScheduleOf(plan).Name);
        var chosen = plan with { Schedule = new AdaFactorScheduleOptions() };
        Assert.Same(chosen.Schedule, chosen.Optimizer.ScheduleOf(chosen));
        var warmup = new ConstantWithWarmupScheduleOptions { Warmup = Warmup.Steps(5) };
        Assert.Same(warmup, new AdaFactorOptions { RelativeStep = false }.ScheduleOf(plan with { Schedule = warmup }));
    }

    [Fact]
    public void Warnings_WithARelativeStep_NameWhatIsNotLookedAt()
    {
        var plan = new TrainingPlan { UNetLearningRate = 1e-4, Schedule = new ConstantWithWarmupScheduleOptions() };
        string[] warnings = [.. new AdaFactorOptions().Warnings(plan)];
        Assert.Contains("WarmupInit True", warnings[0], StringComparison.Ordinal);
        Assert.Contains("TrainingPlan.UNetLearningRate is 0.0001: it is not looked at", warnings[1], StringComparison.Ordinal);
        Assert.Contains("constant_with_warmup: it is not followed", warnings[2], StringComparison.Ordinal);
        Assert.Equal(3, warnings.Length);
    }

    [Fact]
    public void Warnings_WithRatesOfTheRun_AdviseWhatSuitsThem()
    {
        var options = new AdaFactorOptions { RelativeStep = false, ClipThreshold = 2 };
        string[] warnings = [.. options.Warnings(new TrainingPlan())];
        Assert.Equal(3, warnings.Length);
        Assert.Contains("constant_with_warmup is advised", warnings[0], StringComparison.Ordinal);
        Assert.Contains("MaxGradientNorm is 1", warnings[1], StringComparison.Ordinal);
        Assert.Contains("ClipThreshold is 2: 1 is advised", warnings[2], StringComparison.Ordinal);
        Assert.Empty((options with { ClipThreshold = 1 }).Warnings(new TrainingPlan
        {
            MaxGradientNorm = null, Schedule = new ConstantWithWarmupScheduleOptions(),
        }));
    }

    [Fact]
    public void Schedule_OfAdaFactor_WithAnotherOptimizer_IsRefused()
    {
        var plan = new TrainingPlan { Schedule = new AdaFactorScheduleOptions() };
        var problem = Assert.Single(plan.Schedule.Fits(plan, null));
        Assert.Equal("TrainingPlan.Schedule", problem.Option);
        Assert.Contains("AdamWOptions", problem.ToString(), StringComparison.Ordinal);
        Assert.Empty(plan.Schedule.Fits(plan with { Optimizer = new AdaFactorOptions() }, null));
    }

    [Fact]
    public void Validate_NamesEachOptionOutOfRange() => Assert.Equal(
        ["AdaFactorOptions.Epsilon", "AdaFactorOptions.ClipThreshold", "AdaFactorOptions.WeightDecay", "AdaFactorOptions.DecayRate",
            "AdaFactorOptions.Beta1", "AdaFactorOptions.WarmupInit"],
        new AdaFactorOptions
        {
            Epsilon = (0, 1), ClipThreshold = 0, WeightDecay = -1, DecayRate = 0, Beta1 = 1, WarmupInit = true, RelativeStep = false,
        }.Validate().Select(problem => problem.Option));
}
