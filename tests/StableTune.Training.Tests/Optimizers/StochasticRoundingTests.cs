using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

public sealed class StochasticRoundingTests
{
    /// <summary>The distance of numbers of bfloat16 between 1 and 2.</summary>
    private const double Spacing = 1.0 / 128;

    public static TheoryData<string> Kinds => ["SGD", "Lion", "AdamW", "Adam", "AdamW8bit", "AdaFactor", "AdamWScheduleFree"];

    /// <summary>A step of a tenth of the spacing: a tenth of all numbers move, and the mean is exact. Of 100,000 draws the share deviates
    /// by 0.00095 (one standard deviation).</summary>
    [Fact]
    public void Step_MuchSmallerThanTheLastBit_CountsOnAverage()
    {
        using var scope = NewDisposeScope();
        var weight = full(100_000, 1.5, ScalarType.BFloat16).requires_grad_();
        using var optimizer = Create(new SGDOptions { StochasticRounding = true }, weight);
        Step(optimizer, weight, Spacing / 10, 0);
        var numbers = GoldenComparison.Floats(weight);
        Assert.Equal([(float)(1.5 - Spacing), 1.5f], numbers.Distinct().Order());
        Assert.InRange(numbers.Count(number => number < 1.5) / 100_000.0, 0.1 - 0.005, 0.1 + 0.005);
        for (var step = 1; step < 40; step++) Step(optimizer, weight, Spacing / 10, step);
        // 40 tenths, each with a variance of 0.09 spacings squared: the mean of 100,000 deviates by 0.006 spacings.
        Assert.InRange(GoldenComparison.Floats(weight).Average(number => (double)number), 1.5 - (4.03 * Spacing), 1.5 - (3.97 * Spacing));
    }

    [Fact]
    public void Step_WithoutIt_IsLost()
    {
        using var scope = NewDisposeScope();
        var weight = full(1000, 1.5, ScalarType.BFloat16).requires_grad_();
        using var optimizer = Create(new SGDOptions(), weight);
        for (var step = 0; step < 40; step++) Step(optimizer, weight, Spacing / 10, step);
        Assert.All(GoldenComparison.Floats(weight), number => Assert.Equal(1.5f, number));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_OfFloat32_IsThePlainStep(string name)
    {
        using var scope = NewDisposeScope();
        var recorded = OptimizerCase.Of("AdamW8bit", "default");
        using var plain = new RecordedRun(recorded, OptimizerCatalog.Default.Create(name));
        using var rounded = new RecordedRun(recorded, OptimizerCatalog.Default.Create(name) with { StochasticRounding = true });
        plain.Steps(1, 3);
        rounded.Steps(1, 3);
        foreach (var (parameter, value) in plain.Parameters)
            GoldenComparison.AssertClose(parameter, value, rounded.Parameters[parameter], 1e-7);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void State_SavedAndLoaded_ContinuesBitForBit(string name)
    {
        using var scope = NewDisposeScope();
        var options = OptimizerCatalog.Default.Create(name) with { StochasticRounding = true };
        var (whole, goingOn) = (Weight(), Weight());
        using var first = Create(options, whole);
        for (var step = 0; step < 3; step++) Step(first, whole, 1e-4, step);
        using var second = Create(options, goingOn);
        Setup.Copy(first, second);
        using (no_grad()) goingOn.copy_(whole);
        for (var step = 3; step < 6; step++)
        {
            Step(first, whole, 1e-4, step);
            Step(second, goingOn, 1e-4, step);
        }

        Assert.Equal(GoldenComparison.Floats(whole), GoldenComparison.Floats(goingOn));
        Assert.Equal(RecordedRun.StateBytes(first), RecordedRun.StateBytes(second));
    }

    [Fact]
    public void Apply_LeavesNumbersOfBFloat16_AndInfinities()
    {
        using var scope = NewDisposeScope();
        using var rounding = new StochasticRounding();
        float[] numbers = [0f, -0f, 1f, -1.5f, float.PositiveInfinity, float.NegativeInfinity, 1e-38f, 3.3895314e38f];
        var exact = GoldenComparison.Floats(AlignedTensor.Of(numbers, numbers.Length).to(ScalarType.BFloat16).to(ScalarType.Float32));
        Assert.Equal(exact, GoldenComparison.Floats(rounding.Apply(AlignedTensor.Of(exact, exact.Length))));
    }

    [Fact]
    public void Apply_GoesToOneOfTheTwoNeighbours_AndLeavesNothingBehind()
    {
        using var values = randn(5000, generator: new Generator(3));
        using var rounding = new StochasticRounding();
        rounding.Apply(values).Dispose();
        var before = HeldTensors.Before();
        using (var scope = NewDisposeScope())
        {
            var rounded = GoldenComparison.Floats(rounding.Apply(values));
            Assert.All(rounded.Zip(GoldenComparison.Floats(values)), pair =>
            {
                var bits = BitConverter.SingleToInt32Bits(pair.Second);
                var (towardsZero, away) = (bits & unchecked((int)0xFFFF0000), (bits & unchecked((int)0xFFFF0000)) + 0x10000);
                Assert.Contains(BitConverter.SingleToInt32Bits(pair.First), new[] { towardsZero, away });
            });
        }

        Assert.Equal(before, TensorCount.Live);
    }

    private static Tensor Weight() => randn([70, 80], generator: new Generator(5)).to(ScalarType.BFloat16).requires_grad_();

    private static IOptimizer Create(OptimizerOptions options, Tensor weight) =>
        options.Create([new ParameterGroup("all", [new NamedParameter("w", weight)], 1)]);

    private static void Step(IOptimizer optimizer, Tensor weight, double rate, int step)
    {
        weight.grad = ones_like(weight);
        optimizer.Step(new StepInfo([rate], step));
    }
}
