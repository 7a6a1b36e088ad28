namespace StableTune.Torch.Tests.Layers;

/// <summary>Products large enough for oneDNN, where it stands in for MKL, are those of libtorch's own operators.</summary>
public sealed class OneDnnTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(64, 128, 96)]
    [InlineData(1, 300, 70)]
    public void Multiply_BothLayoutsOfTheRightFactor_EqualsTheProduct(long rows, long inner, long columns)
    {
        var (left, right) = (randn(3, rows, inner), randn(columns, inner));
        using var frozen = no_grad();
        var expected = left.matmul(right.t());
        AssertClose(expected, OneDnn.Multiply(left, right));
        AssertClose(expected, OneDnn.Multiply(left, right.t().contiguous().t()));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]     // an input that is not contiguous
    public void Linear_FrozenAndLarge_GivesValuesAndGradientsOfThePlainOne(bool hasBias, bool strided)
    {
        using var layer = new Linear(160, 320, hasBias).SetRequiresGrad(false);
        var x = randn(2, 64, 160);
        if (strided) x = x.transpose(1, 2).contiguous().transpose(1, 2);
        var direction = randn(2, 64, 320);
        var (own, plain) = (x.clone().requires_grad_(), x.clone().requires_grad_());
        var (actual, expected) = (layer.call(own), nn.functional.linear(plain, layer.weight, layer.bias));
        Gradients.Backward((actual * direction).sum());
        (expected * direction).sum().backward();
        AssertClose(expected, actual);
        AssertClose(plain.grad!, own.grad!);
    }

    [Fact]
    public void Linear_TrainedAndLarge_GivesTheGradientOfItsWeight()
    {
        using var layer = new Linear(160, 320);
        var x = randn(128, 160);
        layer.call(x).pow(2).sum().backward();
        var expected = (nn.functional.linear(x, layer.weight, layer.bias) * 2).t().mm(x);
        AssertClose(expected, layer.weight.grad!);
    }

    [Fact]
    public void IsQuicker_SmallOrOfAnotherType_IsFalse()
    {
        Assert.False(OneDnn.IsQuicker(ones(1), 8, 8, 8));
        Assert.False(OneDnn.IsQuicker(ones(1, ScalarType.Float64), 1024, 1024, 1024));
        Assert.False(OneDnn.IsQuicker(ones(1, ScalarType.BFloat16), 1024, 1024, 1024));
    }

    private static void AssertClose(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.shape, actual.shape);
        Assert.InRange((expected - actual).abs().max().item<float>(), 0, 1e-5 * expected.abs().max().item<float>());
    }
}
