namespace StableTune.LibTorch.Tests;

/// <summary>Large weights on small maps take another way to the same result.</summary>
public sealed class SmallConvolutionTests : IDisposable
{
    private static readonly Operator s_conv2d = new("conv2d");
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(1, 1, 1, 4, ScalarType.Float32)]
    [InlineData(1, 2, 1, 8, ScalarType.Float32)]
    [InlineData(1, 1, 1, 8, ScalarType.Float32)]
    [InlineData(4, 1, 1, 2, ScalarType.Float32)]
    [InlineData(1, 1, 1, 8, ScalarType.BFloat16)]
    [InlineData(2, 2, 1, 8, ScalarType.BFloat16)]
    public void Convolution_OfASmallMap_EqualsThePlainOne(long batch, long stride, long padding, long side, ScalarType type)
    {
        var x = randn([batch, 256, side, side], type, requires_grad: true);
        var weight = randn([240, 256, 3, 3], type) * 0.02;
        var bias = randn([240], type);
        var plain = s_conv2d.Run(x, weight, bias, stride, padding, 1, 1);
        plain.mean().backward();
        var expected = x.grad!.clone();
        x.grad = null;
        var small = engine.conv2d_frozen(x, weight, bias, [stride], [padding]);
        small.mean().backward();
        // Sums of 2304 products, in another order; bfloat16 has 8 bits.
        var tolerance = type == ScalarType.BFloat16 ? 0.02 : 1e-5;
        Close.To(small, plain, tolerance);
        Close.To(x.grad! * plain.numel(), expected * plain.numel(), tolerance);
        using (no_grad()) Close.To(engine.conv2d_frozen(x, weight, bias, [stride], [padding]), plain, tolerance);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, -1)]
    public void Convolution_ThatCannotBe_IsLibTorchsError(long stride, long padding)
    {
        var (x, weight) = (randn(1, 256, 2, 2), randn(240, 256, 3, 3));
        var error = Assert.Throws<TorchException>(() => engine.conv2d_frozen(x, weight, null, [stride], [padding]));
        Assert.DoesNotContain("im2col", error.Message);
    }

    [Fact]
    public void Convolution_WithATrainedWeight_GivesItsGradient()
    {
        var x = randn(1, 256, 4, 4);
        var weight = randn([240, 256, 3, 3], requires_grad: true);
        engine.conv2d_frozen(x, weight, padding: [1]).sum().backward();
        Assert.Equal(weight.shape, weight.grad!.shape);
    }
}
