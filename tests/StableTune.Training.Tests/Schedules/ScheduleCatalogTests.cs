using StableTune.Schedules;

namespace StableTune.Training.Tests;

public sealed class ScheduleCatalogTests
{
    [Theory]
    [InlineData("constant", typeof(ConstantScheduleOptions))]
    [InlineData("constant_with_warmup", typeof(ConstantWithWarmupScheduleOptions))]
    [InlineData("linear", typeof(LinearScheduleOptions))]
    [InlineData("cosine", typeof(CosineScheduleOptions))]
    [InlineData("cosine_with_restarts", typeof(CosineWithRestartsScheduleOptions))]
    [InlineData("cosine_with_min_lr", typeof(CosineWithMinLrScheduleOptions))]
    [InlineData("polynomial", typeof(PolynomialScheduleOptions))]
    [InlineData("inverse_sqrt", typeof(InverseSqrtScheduleOptions))]
    [InlineData("warmup_stable_decay", typeof(WarmupStableDecayScheduleOptions))]
    [InlineData("piecewise_constant", typeof(PiecewiseConstantScheduleOptions))]
    public void Create_TakesTheReferencesNames(string name, Type kind) => Assert.IsType(kind, ScheduleCatalog.Default.Create(name));

    [Fact]
    public void EveryEntry_IsValidOrSaysWhatItNeeds_AndNamedSoInMetadata() => Assert.All(ScheduleCatalog.Default.Names, name =>
    {
        var options = ScheduleCatalog.Default.Create(name);
        string? needed = name switch
        {
            "cosine_with_min_lr" => "MinRatio", "piecewise_constant" => "StepRules", "points" => "Points", "StepLR" => "StepSize",
            "MultiStepLR" => "Milestones", "ExponentialLR" => "Gamma", "CosineAnnealingLR" => "TMax",
            "CosineAnnealingWarmRestarts" => "T0", _ => null,
        };
        Assert.Equal(needed is null ? [] : [$"{options.GetType().Name}.{needed}"], options.Validate().Select(problem => problem.Option));
        Assert.Equal(name, options.Name);
    });

    [Theory]
    [InlineData("constant_with_warmups")]
    [InlineData("Constant")]
    public void Create_OfAnUnknownName_TellsTheKnownOnes(string name)
    {
        var fault = Assert.Throws<ArgumentException>(() => ScheduleCatalog.Default.Create(name));
        Assert.Contains("no known learning-rate schedule. Did you mean ", fault.Message, StringComparison.Ordinal);
    }
}
