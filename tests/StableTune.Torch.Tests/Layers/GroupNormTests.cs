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
        Assert.True(weight.allclose(expectedWeight, 1e-4, 1e-4));
        Assert.True(bias.allclose(expectedBias, 1e-4, 1e-4));
        Assert.True(weight.abs().max().item<float>() > 0);
    }

    [Fact]
    public void Backward_WithoutABias_WithChannelsInnermost_GivesTheFactorsGradient()
    {
        manual_seed(4);
        var input = randn(2, 4, 4, 8).permute(0, 3, 1, 2);
        var factors = ones(8, requires_grad: true);
        GroupNorm.Normalize(input, 2, factors, null, 1e-5).pow(3).sum().backward();
        Assert.Equal([8L], factors.grad!.shape);
        Assert.True(factors.grad.abs().max().item<float>() > 0);
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
