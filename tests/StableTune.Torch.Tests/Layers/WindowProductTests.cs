namespace StableTune.Torch.Tests.Layers;

/// <summary>Large weights on small maps take another way to the same result.</summary>
public sealed class WindowProductTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        HalfPrecision.Assume(null);
        OneDnn.Assume(null);
        _scope.Dispose();
    }

    private static ConvolutionGeometry Geometry(long stride = 1, long padding = 1, long dilation = 1, long groups = 1) =>
        new([stride, stride], [padding, padding], [dilation, dilation], groups);

    [Theory]
    [InlineData(1, 1, 1, 1, 4, ScalarType.Float32)]
    [InlineData(1, 2, 1, 1, 8, ScalarType.Float32)]
    [InlineData(1, 1, 1, 1, 8, ScalarType.Float32)]
    [InlineData(1, 1, 2, 2, 6, ScalarType.Float32)]
    [InlineData(4, 1, 0, 1, 4, ScalarType.Float32)]
    [InlineData(1, 1, 1, 1, 8, ScalarType.BFloat16)]
    [InlineData(2, 2, 1, 1, 8, ScalarType.BFloat16)]
    public void Conv2d_OfASmallMap_EqualsThePlainOne(long batch, long stride, long padding, long dilation, long side, ScalarType type)
    {
        HalfPrecision.Assume(true);
        var (x, weight, bias) = (randn([batch, 256, side, side], type), randn([240, 256, 3, 3], type) * 0.02, randn([240], type));
        var geometry = Geometry(stride, padding, dilation);
        Assert.True(WindowProduct.IsQuicker(x, weight, bias, geometry));
        (Tensor, Tensor) Run(Func<Tensor, Tensor> convolution)
        {
            var leaf = x.detach().requires_grad_();
            var output = convolution(leaf);
            Gradients.Backward(output.sum());
            return (output, leaf.grad!);
        }
        var (expected, expectedGradient) = Run(t => nn.functional.conv2d(
            t, weight, bias, geometry.Stride, geometry.Padding, geometry.Dilation));
        var (actual, gradient) = Run(t => Products.Conv2d(t, weight, bias, geometry));
        // Sums of 2304 products, in another order; bfloat16 has 8 bits.
        var tolerance = type == ScalarType.BFloat16 ? 0.05 : 1e-4;
        Close.To(actual, expected, tolerance);
        Close.To(gradient, expectedGradient, tolerance);
        using (no_grad()) Close.To(Products.Conv2d(x, weight, null, geometry),
            nn.functional.conv2d(x, weight, null, geometry.Stride, geometry.Padding, geometry.Dilation), tolerance);
    }

    /// <summary>With more places than channels, and with fewer.</summary>
    [Theory]
    [InlineData(1, 32, 48, 40)]
    [InlineData(3, 32, 40, 48)]
    [InlineData(2, 8, 320, 240)]
    public void Conv2d_OfSinglePlaces_EqualsThePlainOne_WhereMklIsSlow(long batch, long side, long input, long output)
    {
        OneDnn.Assume(true);
        var (x, weight, bias) = (randn(batch, input, side, side), randn(output, input, 1, 1), randn(output));
        var geometry = ConvolutionGeometry.Pointwise;
        Assert.True(WindowProduct.IsQuicker(x, weight, bias, geometry));
        var direction = randn(batch, output, side, side);
        var (own, plain) = (x.clone().requires_grad_(), x.to(float64).requires_grad_());
        var actual = Products.Conv2d(own, weight, bias, geometry);
        var expected = nn.functional.conv2d(plain, weight.to(float64), bias.to(float64));
        Gradients.Backward((actual * direction).sum());
        (expected * direction).sum().backward();
        Close.To(actual.to(float64), expected, 1e-4);
        Close.To(own.grad!.to(float64), plain.grad!, 1e-4);
        Assert.True(own.grad!.is_contiguous());
    }

    /// <summary>Of single places, and of windows.</summary>
    [Theory]
    [InlineData(1, 32, 40, 48)]
    [InlineData(3, 8, 256, 240)]
    public void Conv2d_HasASecondDerivative_WhereMklIsSlow(long kernel, long side, long input, long output)
    {
        OneDnn.Assume(true);
        var (x, weight) = (randn(1, input, side, side), randn(output, input, kernel, kernel) * 0.05);
        var geometry = Geometry(padding: kernel / 2);
        Assert.True(WindowProduct.IsQuicker(x, weight, null, geometry));
        Tensor Of(ScalarType type, Func<Tensor, Tensor, Tensor> convolution)
        {
            var xs = x.to(type).detach().requires_grad_();
            var gradient = autograd.grad([convolution(xs, weight.to(type)).pow(3).sum()], [xs], retain_graph: true, create_graph: true)[0];
            Gradients.Backward(gradient.pow(2).sum());
            return xs.grad!;
        }

        var expected = Of(float64, (xs, ws) => nn.functional.conv2d(xs, ws, padding: geometry.Padding));
        var actual = Of(ScalarType.Float32, (xs, ws) => Products.Conv2d(xs, ws, null, geometry)).to(float64);
        Close.To(actual / expected.abs().max(), expected / expected.abs().max(), 1e-5);
    }

    [Fact]
    public void IsQuicker_ElsewhereIsFalse()
    {
        HalfPrecision.Assume(true);
        var (x, weight, bias) = (ones(1, 256, 8, 8), ones(240, 256, 3, 3), ones(240));
        bool IsQuicker(Tensor? input = null, Tensor? kernels = null, Tensor? added = null, ConvolutionGeometry? geometry = null) =>
            WindowProduct.IsQuicker(input ?? x, kernels ?? weight, added ?? bias, geometry ?? Geometry());
        Assert.True(IsQuicker());
        Assert.False(IsQuicker(ones(2, 256, 8, 8)), "a large map");
        Assert.False(IsQuicker(ones(256, 8, 8)), "no batch");
        Assert.False(IsQuicker(ones(1, 128, 8, 8)), "other channels");
        Assert.False(IsQuicker(ones(1, 256, 1, 1), geometry: Geometry(padding: 0)), "an input below the kernel");
        Assert.False(IsQuicker(ones([1, 256, 8, 8], ScalarType.BFloat16)), "types differ");
        Assert.False(IsQuicker(x.to(float64), weight.to(float64)), "float64");
        Assert.False(IsQuicker(kernels: ones(20, 256, 3, 3), added: ones(20)), "a small weight");
        OneDnn.Assume(false);
        Assert.False(IsQuicker(ones(1, 1024, 8, 8), ones(1024, 1024, 1, 1), ones(1024), Geometry(padding: 0)), "a kernel of one");
        OneDnn.Assume(true);
        Assert.True(IsQuicker(ones(2, 1024, 8, 8), ones(1024, 1024, 1, 1), ones(1024), Geometry(padding: 0)));
        Assert.False(IsQuicker(ones(1, 1024, 8, 8), ones(1024, 1024, 1, 1), ones(1024)), "a kernel of one, with zeros around");
        Assert.False(IsQuicker(ones(1, 8, 8, 1024).permute(0, 3, 1, 2), ones(1024, 1024, 1, 1), ones(1024), Geometry(padding: 0)),
            "channels that lie innermost");
        Assert.False(IsQuicker(kernels: ones(256, 240, 3, 3).transpose(0, 1)), "no contiguous weight");
        Assert.False(IsQuicker(kernels: ones([240, 256, 3, 3], requires_grad: true)), "a trained weight");
        Assert.False(IsQuicker(added: ones([240], requires_grad: true)), "a trained bias");
        Assert.False(IsQuicker(added: ones(1)), "a bias that does not fit");
        Assert.False(IsQuicker(geometry: Geometry(groups: 2)), "groups");
        Assert.False(IsQuicker(geometry: Geometry(stride: 0)));
        Assert.False(IsQuicker(geometry: Geometry(padding: -1)));
        Assert.False(IsQuicker(geometry: Geometry(dilation: 0)));
        using (no_grad()) Assert.True(IsQuicker(kernels: ones([240, 256, 3, 3], requires_grad: true)));
        HalfPrecision.Assume(false);
        Assert.True(IsQuicker(x.to(ScalarType.BFloat16), weight.to(ScalarType.BFloat16)));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, -1)]
    public void Conv2d_ThatCannotBe_IsTheLayersError(long stride, long padding)
    {
        using var layer = new Conv2d(256, 240, 3, stride, padding);
        var error = Assert.Throws<TorchException>(() => layer.call(ones(1, 256, 4, 4)));
        Assert.StartsWith("Conv2d 256 to 240, 3x3 failed for (Float32 [1, 256, 4, 4], Float32 [240, 256, 3, 3]): ", error.Message);
    }
}
