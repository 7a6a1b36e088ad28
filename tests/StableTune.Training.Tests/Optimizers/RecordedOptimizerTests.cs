using System.Text.Json;
using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

/// <summary>Optimizers against the recorded trajectories of the references, case by case.</summary>
public sealed class RecordedOptimizerTests
{
    /// <summary>Codes beside a rounding boundary may differ by one (README of the fixtures).</summary>
    private const double SmallestShareOfEqualCodes = 0.995;

    /// <summary>The references' names.</summary>
    private static readonly string[] s_optimizers =
    [
        "AdamW", "Adam", "SGDNesterov", "RMSprop", "Adagrad", "NAdam", "RAdam", "Adamax", "Lion", "Adafactor", "AdamWScheduleFree",
        "RAdamScheduleFree", "SGDScheduleFree", "AdamW8bit", "Adam8bit", "Lion8bit", "SGDNesterov8bit", "PagedAdamW8bit",
        "PagedAdamW32bit", "Lion32bnb",
    ];

    public static TheoryData<string, string> Cases => OptimizerCase.All(s_optimizers);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Step_FollowsTheReferenceTrajectory(string optimizer, string name) => Follow(optimizer, name, usesOperators: false);

    /// <summary>As on a GPU.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Step_WithOperators_FollowsTheReferenceTrajectory(string optimizer, string name) =>
        Follow(optimizer, name, usesOperators: true);

    private static void Follow(string optimizer, string name, bool usesOperators)
    {
        var recorded = OptimizerCase.Of(optimizer, name);
        using var golden = Golden.Open("optim", recorded.Trajectory);
        using var scope = NewDisposeScope();
        using var run = new RecordedRun(recorded, RecordedOptions.Of(recorded));
        if (run.Optimizer is StatefulOptimizer stateful) stateful.UsesOperators = usesOperators;
        var compared = 0;
        for (var step = 1; step <= OptimizerCase.Steps; step++)
        {
            run.Step(step);
            AssertRates(recorded, run, step);
            // Of some optimizers fewer steps were recorded.
            if (!golden.Contains($"{name}/step{step:D2}/{run.Parameters.Keys.First()}")) continue;
            compared++;
            foreach (var (parameter, value) in run.Parameters)
                golden.AssertClose($"{name}/step{step:D2}/{parameter}", value, recorded.Tolerance, relativeToMax: true);
            AssertState(golden, $"{name}/step{step:D2}", run, recorded.Tolerance);
            AssertEvaluated(golden, $"{name}/eval{step:D2}", run, recorded.Tolerance);
        }

        Assert.True(compared > 0, $"{optimizer}: nothing is recorded of {name}");
    }

    [Fact]
    public void TheCases_AreThere() => Assert.True(Cases.Count >= 40, $"{Cases.Count} cases");

    /// <summary>What the reference refuses is refused, where it is an error here too.</summary>
    [Fact]
    public void Errors_OfTheReference_AreProblems()
    {
        foreach (var error in OptimizerCase.Errors.Where(error => error.TryGetProperty("args", out _)))
        {
            var (optimizer, arguments) = (error.GetProperty("optimizer").GetString()!, error.GetProperty("args"));
            switch (optimizer)
            {
                case "Adafactor" when arguments.TryGetProperty("warmup_init", out _):
                    Assert.Equal("AdaFactorOptions.WarmupInit", Assert.Single(RecordedOptions.Of(optimizer, arguments).Validate()).Option);
                    break;
                case "Adafactor" or "Lion":
                    // A rate beside relative_step is told of and not looked at; a rate of 0 trains nothing.
                    Assert.Empty(RecordedOptions.Of(optimizer, arguments).Validate());
                    break;
                case "SGDNesterov":
                    Assert.Equal("SGDOptions.Nesterov", Assert.Single(RecordedOptions.Of("SGD", arguments).Validate()).Option);
                    break;
                default: break;
            }
        }
    }

    private static void AssertRates(OptimizerCase recorded, RecordedRun run, int step)
    {
        var (groups, rates) = (recorded.GroupsAfter(step), run.Optimizer.EffectiveRates);
        for (var i = 0; i < groups.Length; i++)
        {
            var expected = groups[i].TryGetProperty("effective_lr", out var perTensor) ? perTensor[0].GetDouble()
                : groups[i].TryGetProperty("scheduled_lr", out var scheduled) ? scheduled.GetDouble()
                : groups[i].GetProperty("lr").GetDouble();
            Assert.Equal(expected, rates[i], Math.Max(1e-6 * expected, 1e-18));
        }
    }

    /// <summary>What the optimizer remembers, where that was recorded too.</summary>
    private static void AssertState(Golden golden, string step, RecordedRun run, double tolerance)
    {
        using var folder = new TemporaryFolder();
        Setup.Write(folder.File("state"), run.Optimizer);
        using var saved = SavedState.Open(folder.File("state"));
        var state = saved.Of(run.Optimizer.Name);
        (string Slot, string[] Recorded)[] slots =
            [("m", ["state1"]), ("v", ["state2", "exp_avg_sq"]), ("z", ["z"])];
        foreach (var (parameter, value) in run.Parameters)
        {
            foreach (var (slot, names) in slots)
            {
                if (names.Select(name => $"{step}/{parameter}.{name}").FirstOrDefault(golden.Contains) is not { } expected) continue;
                if (state.HasTensor($"{parameter}.{slot}"))
                    golden.AssertClose(expected, state.Tensor($"{parameter}.{slot}"), tolerance, relativeToMax: true);
                else AssertCodes(golden, expected, state, $"{parameter}.{slot}", (int)value.numel(), tolerance);
            }
        }
    }

    private static void AssertCodes(Golden golden, string expected, StateReader state, string slot, int count, double tolerance)
    {
        golden.AssertClose(expected.Replace(".state", ".absmax", StringComparison.Ordinal), state.Tensor($"{slot}.absmax"), tolerance,
            relativeToMax: true);
        var codes = state.Tensor($"{slot}.codes").data<byte>().ToArray()[..count];
        var wanted = golden.Bytes(expected);
        var equal = codes.Zip(wanted).Count(pair => pair.First == pair.Second) / (double)wanted.Length;
        Assert.True(equal >= SmallestShareOfEqualCodes, $"{expected}: only {equal:P2} of the codes are equal");
        Assert.All(codes.Zip(wanted), pair => Assert.InRange(pair.First - pair.Second, -1, 1));
    }

    /// <summary>The weights that are sampled from and saved, where they are others.</summary>
    private static void AssertEvaluated(Golden golden, string step, RecordedRun run, double tolerance)
    {
        if (!golden.Contains($"{step}/{run.Parameters.Keys.First()}")) return;
        var trained = run.Parameters.ToDictionary(pair => pair.Key, pair => GoldenComparison.Floats(pair.Value));
        using (var evaluation = run.Optimizer.UseEvaluationWeights())
        {
            Assert.NotNull(evaluation);
            foreach (var (parameter, value) in run.Parameters)
                golden.AssertClose($"{step}/{parameter}", value, tolerance, relativeToMax: true);
        }

        foreach (var (parameter, value) in run.Parameters) Assert.Equal(trained[parameter], GoldenComparison.Floats(value));
    }
}
