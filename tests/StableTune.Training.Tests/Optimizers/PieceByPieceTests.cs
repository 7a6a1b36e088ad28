using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

/// <summary>Optimizers that step one parameter alone: what comes of it is what a step of all gives.</summary>
public sealed class PieceByPieceTests
{
    /// <summary>A multiple of the widest vector of a processor, so that each number is computed by the same instructions however many lie
    /// together.</summary>
    private const int Whole = 64;

    public static TheoryData<string> OneByOne =>
        [.. OptimizerCatalog.Default.Names.Where(name => OptimizerCatalog.Default.Create(name).StepsOneByOne)];

    [Theory]
    [MemberData(nameof(OneByOne))]
    public void Step_OfOneAfterAnother_IsTheStepOfAll_BitForBit(string name)
    {
        using var scope = NewDisposeScope();
        var (all, pieces) = (new Run(name), new Run(name));
        using var first = all.Optimizer;
        using var second = pieces.Optimizer;
        for (var step = 0; step < 3; step++)
        {
            var gradients = all.Weights.Select(weight => randn_like(weight)).ToArray();
            foreach (var (weight, gradient) in all.Weights.Zip(gradients)) weight.grad = gradient.clone();
            first.Step(new StepInfo([1e-3, 2e-3], step));
            foreach (var (weight, gradient) in pieces.Weights.Zip(gradients).Reverse())
            {
                weight.grad = gradient.clone();
                second.Step(new StepInfo([1e-3, 2e-3], step) { Only = [weight] });
                weight.grad = null;
            }
        }

        foreach (var (a, b) in all.Weights.Zip(pieces.Weights)) Assert.Equal(Numbers(a), Numbers(b));
    }

    [Fact]
    public void Step_OfSome_LeavesTheOthersAlone_ThoughTheyHaveGradients()
    {
        using var scope = NewDisposeScope();
        var run = new Run("AdamW");
        using var optimizer = run.Optimizer;
        var before = run.Weights.Select(Numbers).ToArray();
        foreach (var weight in run.Weights) weight.grad = ones_like(weight);
        optimizer.Step(new StepInfo([1e-3, 1e-3], 0) { Only = [run.Weights[1], zeros(2)] });
        Assert.Equal([true, false, true], run.Weights.Zip(before, (weight, old) => Numbers(weight).SequenceEqual(old)));
    }

    /// <summary>Squares of small gradients have no place in float16.</summary>
    [Fact]
    public void AdamW_OfFloat16Weights_IsThatOfFloat32_Rounded()
    {
        using var scope = NewDisposeScope();
        var half = new Run("AdamW", ScalarType.Float16);
        var full = new Run("AdamW", ScalarType.Float32);
        using var optimizer = half.Optimizer;
        using var reference = full.Optimizer;
        foreach (var (a, b) in half.Weights.Zip(full.Weights))
        {
            using var frozen = no_grad();
            b.copy_(a);
            a.grad = full_like(a, 1e-5);
            b.grad = a.grad.to(ScalarType.Float32);
        }

        optimizer.Step(new StepInfo([1e-2, 1e-2], 0));
        reference.Step(new StepInfo([1e-2, 1e-2], 0));
        foreach (var (a, b) in half.Weights.Zip(full.Weights)) Assert.Equal(Numbers(b.to(ScalarType.Float16)), Numbers(a));
    }

    private static float[] Numbers(Tensor tensor) => tensor.detach().to(ScalarType.Float32).contiguous().data<float>().ToArray();

    private sealed class Run
    {
        public Run(string name, ScalarType type = ScalarType.Float32)
        {
            using var random = new Generator(5);
            Weights = [.. new long[][] { [2, Whole], [Whole, Whole], [3 * Whole] }.Select(shape =>
                randn(shape, generator: random).to(type).requires_grad_())];
            Optimizer = OptimizerCatalog.Default.Create(name).Create(
            [
                new ParameterGroup("one", [new("a", Weights[0]), new("b", Weights[1])], 1e-3),
                new ParameterGroup("two", [new("c", Weights[2])], 2e-3),
            ]);
        }

        public Tensor[] Weights { get; }

        public IOptimizer Optimizer { get; }
    }
}
