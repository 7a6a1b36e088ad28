using System.Text.Json;
using StableTune.Schedules;
using StableTune.Testing;

namespace StableTune.Training.Tests;

public sealed class ScheduleTests
{
    private static readonly double[] BaseRates = [0.001, 0.0005];

    public static TheoryData<string> ReferenceCases => [.. Cases().Select(c => c.GetProperty("case").GetString()!)];

    [Theory]
    [MemberData(nameof(ReferenceCases))]
    public void Factor_GivesTheReferenceRates(string name)
    {
        var reference = Cases().Single(c => c.GetProperty("case").GetString() == name);
        var arguments = reference.GetProperty("arguments");
        var total = arguments.GetProperty("max_train_steps").GetInt32();
        var schedule = Options(arguments).Create(total);
        foreach (var (rates, step) in reference.GetProperty("lr").EnumerateArray().Select((r, i) => (r, i)))
            for (var group = 0; group < BaseRates.Length; group++)
            {
                var expected = rates[group].GetDouble();
                Assert.True(Math.Abs(BaseRates[group] * schedule.Factor(step) - expected) <= 1e-12 + 1e-6 * expected,
                    $"{name}, step {step}: {BaseRates[group] * schedule.Factor(step)} instead of {expected}");
            }
    }

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(0, 1.0)]
    [InlineData(0, -0.1)]
    public void Validate_WarmupOutOfRange_NamesTheOption(int steps, double ratio)
    {
        var warmup = ratio == 0 ? Warmup.Steps(steps) : Warmup.Ratio(ratio);
        Assert.Equal("ConstantWithWarmupScheduleOptions.Warmup",
            Assert.Single(new ConstantWithWarmupScheduleOptions { Warmup = warmup }.Validate()).Option);
    }

    private static IEnumerable<JsonElement> Cases() =>
        JsonDocument.Parse(File.ReadAllText(Fixtures.Path("optim", "lr_schedules.json"))).RootElement.GetProperty("cases").EnumerateArray()
            .Where(c => c.TryGetProperty("lr", out var rates) && rates.GetArrayLength() > 0)
            .Where(c => c.GetProperty("arguments").GetProperty("lr_scheduler").GetString() is "constant_with_warmup"
                || (c.GetProperty("arguments").GetProperty("lr_scheduler").GetString() is "constant"
                    && !c.GetProperty("arguments").TryGetProperty("lr_warmup_steps", out _)));

    private static LrScheduleOptions Options(JsonElement arguments)
    {
        if (arguments.GetProperty("lr_scheduler").GetString() == "constant") return new ConstantScheduleOptions();
        var warmup = arguments.GetProperty("lr_warmup_steps");
        return new ConstantWithWarmupScheduleOptions { Warmup = warmup.TryGetInt32(out var steps) ? Warmup.Steps(steps)
            : Warmup.Ratio(warmup.GetDouble()) };
    }
}
