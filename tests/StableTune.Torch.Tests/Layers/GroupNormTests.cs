namespace StableTune.Torch.Tests.Layers;

/// <summary>Trained factors of a group norm whose input is not: libtorch's own backward pass ends the process where channels lie
/// innermost.</summary>
public sealed class GroupNormTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(8, 32)]
    [InlineData(1, 64)]
    [InlineData(64, 8)]
    public void Backward_OfFactorsAlone_WithChannelsInnermost_IsThatOfAnyLayout(int side, int channels)
    {
        manual_seed(3);
        using var norm = new GroupNorm(4, channels);
        var innermost = randn(2, side, side, channels).permute(0, 3, 1, 2);
        var (weight, bias) = Gradients(norm, innermost);
        var (expectedWeight, expectedBias) = Gradients(norm, empty(innermost.shape).copy_(innermost));
        AssertSame(expectedWeight, weight);
        AssertSame(expectedBias, bias);
    }

    /// <summary>What lies before wants a gradient too, but this pass does not.</summary>
    [Fact]
    public void Gradients_OfFactorsAlone_OfAnInputThatWantsOneToo_AreThoseOfAnyLayout()
    {
        manual_seed(5);
        var innermost = randn(2, 4, 4, 8).permute(0, 3, 1, 2);
        Tensor Gradient(Tensor input)
        {
            var (leaf, factors) = (input.detach().requires_grad_(), ones(8, requires_grad: true));
            var found = autograd.grad([GroupNorm.Normalize(leaf, 2, factors, null, 1e-5).pow(3).sum()], [factors])[0];
            Assert.Null(leaf.grad);
            return found;
        }

        AssertSame(Gradient(empty(innermost.shape).copy_(innermost)), Gradient(innermost));
    }

    [Fact]
    public void Backward_OfFactorsAlone_OverVolumesWithChannelsInnermost_IsThatOfAnyLayout()
    {
        manual_seed(4);
        var innermost = randn([2, 3, 4, 5, 8]).permute(0, 4, 1, 2, 3);
        Tensor Gradient(Tensor input)
        {
            var factors = ones(8, requires_grad: true);
            GroupNorm.Normalize(input, 2, factors, null, 1e-5).pow(3).sum().backward();
            return factors.grad!;
        }

        AssertSame(Gradient(empty(innermost.shape).copy_(innermost)), Gradient(innermost));
    }

    private static void AssertSame(Tensor expected, Tensor actual)
    {
        Assert.True(expected.abs().max().item<float>() > 0.1f, "nothing to compare");
        Assert.True(actual.allclose(expected, 1e-4, 1e-4));
    }

    private static (Tensor Weight, Tensor Bias) Gradients(GroupNorm norm, Tensor input)
    {
        norm.weight.grad = norm.bias.grad = null;
        var output = norm.call(input);
        Assert.Equal(input.shape, output.shape);
        output.pow(3).sum().backward();
        return (norm.weight.grad!.clone(), norm.bias.grad!.clone());
    }
}
