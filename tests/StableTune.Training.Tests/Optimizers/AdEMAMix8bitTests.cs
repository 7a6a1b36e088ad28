using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

public sealed class AdEMAMix8bitTests
{
    /// <summary>Codes beside a rounding boundary may differ by one (README of the fixtures).</summary>
    private const double SmallestShareOfEqualCodes = 0.995;

    public static TheoryData<string, string> Cases
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var kind in new[] { "AdEMAMix8bit", "PagedAdEMAMix8bit" })
                foreach (var row in OptimizerCase.NamesOf("AdEMAMix8bit")) data.Add(kind, row);
            return data;
        }
    }

    /// <summary>Paged variants give the same numbers.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Step_FollowsTheReferenceTrajectory(string kind, string name)
    {
        var recorded = OptimizerCase.Of("AdEMAMix8bit", name);
        using var golden = Golden.Open("optim", recorded.Trajectory);
        using var scope = NewDisposeScope();
        using var run = new RecordedRun(recorded, OptionsByName.With(OptimizerCatalog.Default.Create(kind), recorded.Arguments));
        for (var step = 1; step <= OptimizerCase.Steps; step++)
        {
            run.Step(step);
            if (!OptimizerCase.RecordedSteps.Contains(step)) continue;
            foreach (var (parameter, value) in run.Parameters)
                golden.AssertClose($"{name}/step{step:D2}/{parameter}", value, recorded.Tolerance, relativeToMax: true);
            AssertState(golden, $"{name}/step{step:D2}", run, recorded.Tolerance);
        }
    }

    [Theory]
    [InlineData("AdEMAMix8bit")]
    [InlineData("PagedAdEMAMix8bit")]
    public void State_SavedAndLoaded_ContinuesBitForBit(string kind)
    {
        using var scope = NewDisposeScope();
        var (recorded, options) = (OptimizerCase.Of("AdEMAMix8bit", "default"), OptimizerCatalog.Default.Create(kind));
        using var whole = new RecordedRun(recorded, options);
        using var first = new RecordedRun(recorded, options);
        using var second = new RecordedRun(recorded, options);
        whole.Steps(1, 8);
        first.Steps(1, 4);
        second.ContinueFrom(first);
        second.Steps(5, 8);
        second.AssertSame(whole);
    }

    [Fact]
    public void ReferenceName_NamesBitsandbytes()
    {
        Assert.Equal("bitsandbytes.optim.ademamix.AdEMAMix8bit(t_beta3=10)", new AdEMAMix8bitOptions { TBeta3 = 10 }.ReferenceName);
        Assert.Equal("bitsandbytes.optim.ademamix.PagedAdEMAMix8bit", new PagedAdEMAMix8bitOptions().ReferenceName);
    }

    private static void AssertState(Golden golden, string step, RecordedRun run, double tolerance)
    {
        using var folder = new TemporaryFolder();
        Setup.Write(folder.File("state"), run.Optimizer);
        using var saved = SavedState.Open(folder.File("state"));
        var state = saved.Of(run.Optimizer.Name);
        foreach (var parameter in run.Parameters.Keys)
        {
            // The reference stacks both means.
            if (state.HasTensor($"{parameter}.m"))
            {
                golden.AssertClose($"{step}/{parameter}.state1", stack([state.Tensor($"{parameter}.m"), state.Tensor($"{parameter}.m2")]),
                    tolerance, relativeToMax: true);
                golden.AssertClose($"{step}/{parameter}.state2", state.Tensor($"{parameter}.v"), tolerance, relativeToMax: true);
                continue;
            }

            golden.AssertClose($"{step}/{parameter}.absmax1",
                stack([state.Tensor($"{parameter}.m.absmax"), state.Tensor($"{parameter}.m2.absmax")]), tolerance, relativeToMax: true);
            golden.AssertClose($"{step}/{parameter}.absmax2", state.Tensor($"{parameter}.v.absmax"), tolerance, relativeToMax: true);
            AssertCodes(golden.Bytes($"{step}/{parameter}.state1"), [.. Codes("m"), .. Codes("m2")]);
            AssertCodes(golden.Bytes($"{step}/{parameter}.state2"), Codes("v"));

            byte[] Codes(string slot) =>
                state.Tensor($"{parameter}.{slot}.codes").data<byte>().ToArray()[..(int)run.Parameters[parameter].numel()];
        }
    }

    private static void AssertCodes(byte[] wanted, byte[] found)
    {
        Assert.Equal(wanted.Length, found.Length);
        var equal = found.Zip(wanted).Count(pair => pair.First == pair.Second) / (double)wanted.Length;
        Assert.True(equal >= SmallestShareOfEqualCodes, $"only {equal:P2} of the codes are equal");
    }
}
