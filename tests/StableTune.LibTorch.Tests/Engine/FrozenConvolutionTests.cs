namespace StableTune.LibTorch.Tests;

public sealed class FrozenConvolutionTests : IDisposable
{
    private static readonly Operator s_conv2d = new("conv2d");
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(1, 1, 1, 1, ScalarType.Float32)]
    [InlineData(2, 0, 1, 1, ScalarType.Float32)]
    [InlineData(1, 2, 2, 2, ScalarType.Float64)]
    [InlineData(2, 1, 1, 4, ScalarType.Float64)]
    [InlineData(1, 1, 1, 1, ScalarType.BFloat16)]
    public void Output_AndGradient_EqualThePlainConvolution(long stride, long padding, long dilation, long groups, ScalarType type)
    {
        var x = randn([2, 4, 9, 8], type, requires_grad: true);
        var weight = randn([8, 4 / groups, 3, 3], type);
        var bias = randn([8], type);
        var plain = s_conv2d.Run(x, weight, bias, stride, padding, dilation, groups);
        plain.pow(2).sum().backward();
        var expected = x.grad!.clone();
        x.grad = null;
        var frozen = engine.conv2d_frozen(x, weight, bias, [stride], [padding], [dilation], groups);
        frozen.pow(2).sum().backward();
        Assert.True(plain.equal(frozen));
        Close.To(x.grad!, expected, 1e-6);
    }

    [Fact]
    public void Gradient_MatchesDifferences()
    {
        var weight = randn([2, 3, 3, 3], float64);
        GradientCheck.Of(t => engine.conv2d_frozen(t[0], weight, padding: [1, 0], stride: [2, 1]), randn([1, 3, 5, 4], float64));
    }

    [Fact]
    public void Weight_ThatWantsAGradient_GetsOne()
    {
        var x = randn([1, 2, 4, 4], requires_grad: true);
        var weight = randn([2, 2, 3, 3], requires_grad: true);
        engine.conv2d_frozen(x, weight).sum().backward();
        Assert.NotNull(weight.grad);
        Assert.NotNull(x.grad);
    }

    [Fact]
    public unsafe void Input_IsNotKeptForTheBackwardPass()
    {
        // The input is an intermediate result in memory that we lend, so that we are told when nothing holds it any more.
        bool GoneAfter(Func<Tensor, Tensor> convolution)
        {
            var memory = new float[8 * 8];
            var released = false;
            fixed (float* data = memory)
            {
                using var scope = NewDisposeScope();
                var input = engine.from_memory((nint)data, [1, 1, 8, 8], float32, () => released = true);
                input.add_(ones([1], requires_grad: true));
                var output = convolution(input);
                Assert.True(output.requires_grad);
                input.Dispose();
                return released;
            }
        }
        var weight = ones(1, 1, 3, 3);
        Assert.True(GoneAfter(input => engine.conv2d_frozen(input, weight)));
        Assert.False(GoneAfter(input => s_conv2d.Run(input, weight)), "libtorch keeps it no more: conv2d_frozen is of no use then");
    }

    [Fact]
    public void Shapes_ThatDoNotFit_AreNamed()
    {
        var x = randn([1, 2, 4, 4], requires_grad: true);
        var error = Assert.Throws<TorchException>(() => engine.conv2d_frozen(x, ones(1, 3, 3, 3)));
        Assert.Contains("engine.conv2d_frozen failed for (Float32 [1, 2, 4, 4], Float32 [1, 3, 3, 3]", error.Message);
        Assert.Throws<ArgumentException>(() => engine.conv2d_frozen(x, ones(1, 2, 3, 3), stride: [1, 1, 1]));
    }
}
