using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

public sealed class AdamW8bitTests
{
    [Fact]
    public void ReferenceName_HasOnlyWhatDiffers_AsPythonWritesIt()
    {
        Assert.Equal("bitsandbytes.optim.adamw.AdamW8bit", new AdamW8bitOptions().ReferenceName);
        Assert.Equal(
            "bitsandbytes.optim.adamw.AdamW8bit(weight_decay=0.1,betas=(0.9, 0.99),eps=1e-06)",
            new AdamW8bitOptions { WeightDecay = 0.1, Beta2 = 0.99, Epsilon = 1e-6 }.ReferenceName);
    }

    [Fact]
    public void State_SavedAndLoaded_ContinuesBitForBit()
    {
        using var scope = NewDisposeScope();
        var (recorded, options) = (OptimizerCase.Of("AdamW8bit", "default"), new AdamW8bitOptions());
        using var whole = new RecordedRun(recorded, options);
        using var first = new RecordedRun(recorded, options);
        using var second = new RecordedRun(recorded, options);
        whole.Steps(1, 10);
        first.Steps(1, 5);
        second.ContinueFrom(first);
        second.Steps(6, 10);
        second.AssertSame(whole);
    }

    [Fact]
    public void State_OfLargeParameters_TakesAQuarterOfTheBytes()
    {
        // A million elements: two codes for each, and two scales of four bytes for each 256.
        using var weight = zeros(1024, 1024).requires_grad_();
        using var optimizer = new AdamW8bitOptions().Create([new ParameterGroup("all", [new NamedParameter("w", weight)], 0.1)]);
        var bytes = (2 * 1024 * 1024) + (2 * 4 * 4096);
        Assert.InRange(RecordedRun.StateBytes(optimizer).Length, bytes, bytes + 1000);
    }

    [Theory]
    [InlineData(4095, false)]
    [InlineData(4096, true)]
    public void State_IsInEightBits_From4096Elements(int count, bool coded)
    {
        using var scope = NewDisposeScope();
        using var weight = zeros(count).requires_grad_();
        using var optimizer = new AdamW8bitOptions().Create([new ParameterGroup("all", [new NamedParameter("w", weight)], 0.1)]);
        using var folder = new TemporaryFolder();
        Setup.Write(folder.File("state"), optimizer);
        using var state = SavedState.Open(folder.File("state"));
        string[] expected = coded ? ["w.m.absmax", "w.m.codes", "w.v.absmax", "w.v.codes"] : ["w.m", "w.v"];
        Assert.Equal(expected, state.Of(optimizer.Name).TensorNames.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Step_OfChannelsLastWeights_GivesTheSameNumbers()
    {
        using var scope = NewDisposeScope();
        var (start, gradient) = (Random(16, 32, 3, 3), Random(16, 32, 3, 3));
        var plain = StepOnce(start.clone(), gradient);
        var channelsLast = StepOnce(start.permute(0L, 2, 3, 1).contiguous().permute(0L, 3, 1, 2), gradient);
        Assert.False(channelsLast.is_contiguous());
        Assert.Equal(GoldenComparison.Floats(plain), GoldenComparison.Floats(channelsLast));
    }

    [Fact]
    public void Step_OfWeightsInHalfPrecision_IsThatInFloat32_Rounded()
    {
        using var scope = NewDisposeScope();
        var (start, gradient) = (Random(64, 80).to(ScalarType.BFloat16), Random(64, 80).to(ScalarType.BFloat16));
        var half = StepOnce(start.clone(), gradient);
        var full = StepOnce(start.to(ScalarType.Float32), gradient.to(ScalarType.Float32));
        Assert.Equal(ScalarType.BFloat16, half.dtype);
        Assert.Equal(GoldenComparison.Floats(full.to(ScalarType.BFloat16)), GoldenComparison.Floats(half));
        Assert.NotEqual(GoldenComparison.Floats(start), GoldenComparison.Floats(half));
    }

    [Fact]
    public void Validate_NamesEachOptionOutOfRange()
    {
        var options = new AdamW8bitOptions { Beta1 = 1, Beta2 = double.NaN, Epsilon = 0, WeightDecay = -1 };
        Assert.Equal(
            ["AdamW8bitOptions.Beta1", "AdamW8bitOptions.Beta2", "AdamW8bitOptions.Epsilon", "AdamW8bitOptions.WeightDecay"],
            options.Validate().Select(problem => problem.Option));
    }

    private static Tensor Random(params long[] shape) => randn(shape, generator: new Generator(7));

    private static Tensor StepOnce(Tensor start, Tensor gradient)
    {
        using var scope = NewDisposeScope();
        var weight = start.requires_grad_();
        weight.grad = gradient.clone();
        using var optimizer = new AdamW8bitOptions().Create([new ParameterGroup("all", [new NamedParameter("w", weight)], 0.01)]);
        optimizer.Step(new StepInfo([0.01], 0));
        return weight.detach().MoveToOuterDisposeScope();
    }
}
