namespace StableTune.Adapters.Tests;

public sealed class NormShapeTests
{
    /// <summary>What lies before the first norm is frozen, and its channels may lie innermost: libtorch's own backward pass ends the
    /// process then.</summary>
    [Fact]
    public void Apply_TrainedFactors_OfAnInputThatIsNot_GiveTheirGradientInAnyLayout()
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        var shape = new NormShape([8], Groups: 2, Epsilon: 1e-5);
        var innermost = randn(2, 4, 4, 8).permute(0, 3, 1, 2);
        Tensor Gradient(Tensor input)
        {
            var factors = ones(8, requires_grad: true);
            shape.Apply(input, factors).pow(3).sum().backward();
            return factors.grad!;
        }

        var expected = Gradient(empty(innermost.shape).copy_(innermost));
        Assert.True(expected.abs().max().item<float>() > 0.1f, "nothing to compare");
        Assert.True(Gradient(innermost).allclose(expected, 1e-4, 1e-4));
    }
}
