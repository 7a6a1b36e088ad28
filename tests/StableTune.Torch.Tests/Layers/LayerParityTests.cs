using StableTune.Testing;

namespace StableTune.Torch.Tests.Layers;

/// <summary>Our layers against TorchSharp's own, given the same weights.</summary>
public sealed class LayerParityTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    /// <summary>Compares values, and gradients of the input and of all parameters, in float64.</summary>
    private static void AssertSame(Layer ours, nn.Module<Tensor, Tensor> theirs, Tensor input, double tolerance = 1e-12)
    {
        using var _ = ours;
        using var __ = theirs;
        theirs.to(ScalarType.Float64);
        foreach (var (name, tensor) in ours.state_dict()) tensor.SetData(randn(tensor.shape, float64));
        Assert.Equal(theirs.state_dict().Keys.Order(), ours.state_dict().Keys.Order());
        theirs.load_state_dict(ours.state_dict());
        var wantsGradient = input.is_floating_point();
        Tensor First(nn.Module<Tensor, Tensor> module, out Tensor leaf)
        {
            leaf = wantsGradient ? input.detach().requires_grad_() : input;
            var output = module.call(leaf);
            // Weighed, as the plain sum of a norm's output does not depend on its input.
            Gradients.Backward((output.pow(2) * linspace(0.5, 1.5, output.numel(), float64).view(output.shape)).sum());
            return output;
        }
        var (actual, expected) = (First(ours, out var x), First(theirs, out var y));
        Close.To(actual, expected, tolerance);
        if (wantsGradient) Close.To(x.grad!, y.grad!, tolerance * 100);
        foreach (var (name, parameter) in theirs.named_parameters())
            Close.To(ours.get_parameter(name)!.grad!, parameter.grad!, tolerance * 100);
        if (!wantsGradient) return;

        // Frozen, the gradient of the input stays the same.
        ours.SetRequiresGrad(false);
        First(ours, out var frozen);
        Close.To(frozen.grad!, y.grad!, tolerance * 100);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Linear_EqualsTorchSharps(bool hasBias)
    {
        AssertSame(new Linear(4, 3, hasBias), nn.Linear(4, 3, hasBias), randn([2, 5, 4], float64));
        AssertSame(new Linear(4, 3, hasBias), nn.Linear(4, 3, hasBias), randn([2, 4], float64));
        AssertSame(new Linear(4, 3, hasBias), nn.Linear(4, 3, hasBias), randn([4], float64));
    }

    [Theory]
    [InlineData(1, 0, 1, 1, true)]
    [InlineData(1, 1, 1, 1, false)]
    [InlineData(2, 1, 1, 1, true)]
    [InlineData(1, 2, 2, 2, true)]
    [InlineData(2, 0, 1, 4, true)]
    public void Conv2d_EqualsTorchSharps(long stride, long padding, long dilation, long groups, bool hasBias)
    {
        Tensor[] inputs =
        [
            randn([3, 4, 8, 7], float64), randn([1, 4, 8, 7], float64), randn([4, 8, 7], float64),
                randn([2, 8, 7, 4], float64).permute(0, 3, 1, 2),
        ];
        foreach (var input in inputs)
            AssertSame(
                new Conv2d(4, 8, 3, stride, padding, dilation, groups, hasBias),
                nn.Conv2d(4, 8, 3L, stride, padding, dilation, groups: groups, bias: hasBias), input);
    }

    [Fact]
    public void Conv2d_WithKernelOfOne_EqualsTorchSharps()
        => AssertSame(new Conv2d(4, 8, 1), nn.Conv2d(4, 8, 1L), randn([2, 4, 5, 5], float64));

    [Theory]
    [InlineData(null)]
    [InlineData(0L)]
    [InlineData(3L)]
    public void Embedding_EqualsTorchSharps(long? padding)
    {
        AssertSame(new Embedding(5, 3, padding), nn.Embedding(5, 3, padding), tensor(new long[,] { { 0, 3, 3 }, { 4, 1, 0 } }));
        AssertSame(new Embedding(5, 3, padding), nn.Embedding(5, 3, padding), tensor(new[] { 0, 3 }));
    }

    [Fact]
    public void Embedding_WithPaddingFromTheEnd_GivesThatRowNoGradient()
    {
        using var layer = new Embedding(5, 2, paddingIndex: -1);
        Assert.Equal(4, layer.padding_idx);
        Close.To(layer.weight[4], [0, 0]);
        Gradients.Backward(layer.call(tensor(new[] { 4L, 1 })).sum());
        Close.To(layer.weight.grad![4], [0, 0]);
        Close.To(layer.weight.grad![1], [1, 1]);
    }

    [Fact]
    public void Norms_EqualTorchSharps()
    {
        AssertSame(new GroupNorm(2, 6), nn.GroupNorm(2, 6), randn([3, 6, 4, 5], float64));
        AssertSame(new GroupNorm(3, 6, 1e-2), nn.GroupNorm(3, 6, 1e-2), randn([2, 6, 3], float64));
        AssertSame(new LayerNorm(6), nn.LayerNorm(6), randn([3, 4, 6], float64));
        AssertSame(new LayerNorm(6, 1e-2), nn.LayerNorm(6, 1e-2), randn([6], float64));
    }

    [Fact]
    public void Layers_GradientsMatchDifferences()
    {
        GradientCheck.Of(t => Products.Linear(t[0], t[1], t[2]), randn([2, 3], float64), randn([4, 3], float64), randn([4], float64));
        ConvolutionGeometry geometry = new([2, 1], [1, 0], [1, 2], 2);
        var (x, weight, bias) = (randn([2, 4, 5, 6], float64), randn([4, 2, 3, 2], float64), randn([4], float64));
        GradientCheck.Of(t => Products.Conv2d(t[0], t[1], t[2], geometry), x, weight, bias);
        GradientCheck.Of(t => Products.Conv2d(t[0], weight, bias, geometry), x);
        using var group = new GroupNorm(2, 4);
        GradientCheck.Of(t => group.call(t[0]), x);
        using var layer = new LayerNorm(6);
        GradientCheck.Of(t => layer.call(t[0]), x);
    }

    [Fact]
    public void FrozenConvolution_OfManyShapes_EqualsThePlainOne()
    {
        var random = new Random(7);
        for (var run = 0; run < Exhaustive.Runs(60, 5000); run++)
        {
            using var scope = NewDisposeScope();
            long Some(int least, int most) => random.Next(least, most + 1);
            var groups = Some(1, 3);
            long[] kernel = [Some(1, 3), Some(1, 3)], dilation = [Some(1, 2), Some(1, 2)], padding = [Some(0, 2), Some(0, 2)];
            ConvolutionGeometry geometry = new([Some(1, 3), Some(1, 3)], padding, dilation, groups);
            var x = randn([Some(1, 3), groups * Some(1, 3), Some(5, 9), Some(5, 9)], float64);
            if (Some(0, 1) == 1) x = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);   // channels last
            var weight = randn([groups * Some(1, 3), x.shape[1] / groups, .. kernel], float64);
            var bias = Some(0, 1) == 1 ? randn([weight.shape[0]], float64) : null;
            Tensor Gradient(Func<Tensor, Tensor> convolution)
            {
                var leaf = x.detach().requires_grad_();
                Gradients.Backward(convolution(leaf).pow(2).sum());
                return leaf.grad!;
            }
            Close.To(
                Gradient(t => Products.Conv2d(t, weight, bias, geometry)),
                Gradient(t => nn.functional.conv2d(t, weight, bias, geometry.Stride, padding, dilation, groups)), 1e-11);
        }
    }

    [Fact]
    public void FrozenConvolution_HasASecondDerivative()
    {
        var (weight, geometry) = (randn([2, 2, 3, 3], float64), new ConvolutionGeometry([1, 1], [1, 1], [1, 1]));
        Tensor SecondDerivative(Func<Tensor, Tensor> convolution)
        {
            var x = linspace(-1, 1, 32, float64).view(1, 2, 4, 4).requires_grad_();
            var gradient = autograd.grad([convolution(x).pow(3).sum()], [x], retain_graph: true, create_graph: true)[0];
            Gradients.Backward(gradient.pow(2).sum());
            return x.grad!;
        }
        Close.To(SecondDerivative(x => Products.Conv2d(x, weight, null, geometry)),
            SecondDerivative(x => nn.functional.conv2d(x, weight, null, padding: [1, 1])), 1e-10);
    }
}
