using StableTune.Optimizers;
using StableTune.Schedules;
using StableTune.Testing;

namespace StableTune.Training.Tests;

public sealed class ScheduleFreeTests
{
    public static TheoryData<string> Kinds => ["AdamWScheduleFree", "SGDScheduleFree", "RAdamScheduleFree"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void UseEvaluationWeights_BringsTheTrainedOnesBack_BitForBit(string name)
    {
        using var scope = NewDisposeScope();
        var recorded = OptimizerCase.Of("AdamW8bit", "default");
        using var plain = new RecordedRun(recorded, OptimizerCatalog.Default.Create(name));
        using var looking = new RecordedRun(recorded, OptimizerCatalog.Default.Create(name));
        var before = HeldTensors.Before();
        for (var step = 1; step <= 10; step++)
        {
            plain.Step(step);
            looking.Step(step);
            var trained = GoldenComparison.Floats(looking.Parameters["mat8"]);
            using (looking.Optimizer.UseEvaluationWeights())
                if (step > 8) Assert.NotEqual(trained, GoldenComparison.Floats(looking.Parameters["mat8"]));
            Assert.Equal(trained, GoldenComparison.Floats(looking.Parameters["mat8"]));
        }

        looking.AssertSame(plain);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Schedule_IsConstant_AndAnotherIsToldOf(string name)
    {
        var options = OptimizerCatalog.Default.Create(name);
        var plan = new TrainingPlan { Optimizer = options, Schedule = new ConstantWithWarmupScheduleOptions { Warmup = Warmup.Steps(9) } };
        Assert.IsType<ConstantScheduleOptions>(options.ScheduleOf(plan));
        Assert.Contains("constant_with_warmup: it is not followed", Assert.Single(options.Warnings(plan)), StringComparison.Ordinal);
        Assert.Empty(options.Warnings(new TrainingPlan { Optimizer = options }));
        Assert.False(options.StepsOneByOne);
    }

    [Fact]
    public void Validate_NamesEachOptionOutOfRange()
    {
        Assert.Equal(
            ["AdamWScheduleFreeOptions.WeightDecay", "AdamWScheduleFreeOptions.StepPower", "AdamWScheduleFreeOptions.RatePower",
                "AdamWScheduleFreeOptions.Beta1", "AdamWScheduleFreeOptions.Beta2", "AdamWScheduleFreeOptions.Epsilon",
                "AdamWScheduleFreeOptions.WarmupSteps"],
            new AdamWScheduleFreeOptions
            {
                WeightDecay = -1, StepPower = -1, RatePower = double.NaN, Beta1 = 0, Beta2 = 1, Epsilon = 0, WarmupSteps = -1,
            }.Validate().Select(problem => problem.Option));
        Assert.Equal("SGDScheduleFreeOptions.Momentum",
            Assert.Single(new SGDScheduleFreeOptions { Momentum = 1 }.Validate()).Option);
    }
}
