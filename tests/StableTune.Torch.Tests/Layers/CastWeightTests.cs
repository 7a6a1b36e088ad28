namespace StableTune.Torch.Tests.Layers;

/// <summary>Large weights that are held in half precision and computed in float32, some rows at a time.</summary>
public sealed class CastWeightTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public CastWeightTests() => HalfPrecision.Assume(false);

    public void Dispose()
    {
        HalfPrecision.Assume(null);
        _scope.Dispose();
    }

    private static ConvolutionGeometry Around(long padding, long stride = 1, long groups = 1) =>
        new([stride, stride], [padding, padding], [1, 1], groups);

    /// <summary>Linear layers; convolutions as windows (small maps) and by oneDNN (larger ones); rows that no part divides.</summary>
    public static TheoryData<long[], long[], long, long> Cases() => new()
    {
        { [3, 77, 1000], [1100, 1000], 0, 0 },
        { [40, 640], [5120, 640], 0, 0 },
        { [2, 640, 6, 7], [190, 640, 3, 3], 1, 1 },
        { [1, 640, 8, 8], [192, 640, 3, 3], 2, 1 },
        { [2, 640, 12, 12], [190, 640, 3, 3], 1, 1 },
        { [1, 1280, 10, 10], [1000, 1280, 1, 1], 1, 1 },
        { [2, 1280, 10, 10], [1280, 640, 3, 3], 1, 2 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void ValueAndGradient_AreThoseOfTheWholeWeight(long[] shape, long[] kernel, long stride, long groups)
    {
        foreach (var type in new[] { ScalarType.BFloat16, ScalarType.Float16 })
        {
            var (x, w, b) = (randn(shape).to(type), (randn(kernel) / Math.Sqrt(kernel[1])).to(type), randn(kernel[0]).to(type));
            Assert.True(w.numel() >= 1 << 20);
            var geometry = kernel.Length == 4 ? Around(kernel[2] / 2, stride, groups) : null;
            (Tensor Output, Tensor Gradient) Of(Func<Tensor, Tensor> product, ScalarType computed)
            {
                var input = x.to(computed).detach().requires_grad_();
                var output = product(input);
                manual_seed(3);
                Gradients.Backward((output.to(float32) * randn(output.shape)).sum());
                return (output, input.grad!);
            }

            var actual = Of(input => geometry is null ? Products.Linear(input, w, b) : Products.Conv2d(input, w, b, geometry), type);
            var (wide, bias) = (w.to(float64), b.to(float64));
            var expected = Of(input => geometry is null ? nn.functional.linear(input, wide, bias)
                : nn.functional.conv2d(input, wide, bias, geometry.Stride, geometry.Padding, geometry.Dilation, geometry.Groups), float64);
            // What is left is the rounding of the result to its type.
            var rounding = type == ScalarType.BFloat16 ? 4e-3 : 5e-4;
            AssertClose(expected.Output, actual.Output, rounding);
            AssertClose(expected.Gradient, actual.Gradient, 2 * rounding);
        }
    }

    [Fact]
    public void AnInputWithoutSamples_IsConvolved()
    {
        using var frozen = no_grad();
        var (x, w) = (randn(640, 12, 12).bfloat16(), (randn(190, 640, 3, 3) / 25).bfloat16());
        var expected = nn.functional.conv2d(x.to(float64), w.to(float64), padding: [1L, 1L]);
        AssertClose(expected, Products.Conv2d(x, w, null, Around(1)), 4e-3);
    }

    [Fact]
    public void ABiasThatDoesNotFit_IsRefusedAsWithASmallWeight()
    {
        using var frozen = no_grad();
        Assert.ThrowsAny<Exception>(() => Products.Linear(randn(5, 1000).bfloat16(), randn(1100, 1000).bfloat16(), randn(1099).bfloat16()));
        Assert.ThrowsAny<Exception>(() =>
            Products.Conv2d(randn(1, 640, 12, 12).bfloat16(), randn(190, 640, 3, 3).bfloat16(), randn(189).bfloat16(), Around(1)));
    }

    [Fact]
    public void ASecondDerivative_IsRecorded()
    {
        var w = (randn(1100, 1000) / 32).bfloat16();
        var x = randn(8, 1000).bfloat16().requires_grad_();
        var gradient = autograd.grad([Products.Linear(x, w).pow(3).sum()], [x], retain_graph: true, create_graph: true)[0];
        Gradients.Backward(gradient.to(float32).pow(2).sum());
        Assert.True(x.grad!.to(float32).isfinite().all().item<bool>());
        Assert.True(x.grad!.to(float32).abs().max().item<float>() > 0);
    }

    private static void AssertClose(Tensor expected, Tensor actual, double tolerance)
    {
        Assert.Equal(expected.shape, actual.shape);
        Assert.InRange((expected - actual.to(float64)).abs().max().item<double>(), 0, tolerance * expected.abs().max().item<double>());
    }
}
