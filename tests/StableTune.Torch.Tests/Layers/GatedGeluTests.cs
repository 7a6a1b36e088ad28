namespace StableTune.Torch.Tests.Layers;

/// <summary>The gated GELU against the operators that it is made of.</summary>
[Collection(CountingTensors.Name)]
public sealed class GatedGeluTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    /// <summary>The same by autograd; in half precision the GELU alone is computed in float32.</summary>
    private static Tensor Plain(Tensor input)
    {
        var halves = input.chunk(2, -1);
        var gate = input.dtype is ScalarType.Float32 or ScalarType.Float64 ? halves[1] : halves[1].to(float32);
        return halves[0] * nn.functional.gelu(gate).to(input.dtype);
    }

    private static bool AreSame(Tensor one, Tensor other) =>
        one.shape.SequenceEqual(other.shape) && (one == other).all().item<bool>();

    private static (Tensor Output, Tensor Gradient) Of(Func<Tensor, Tensor> gated, Tensor input, Tensor direction)
    {
        var x = input.detach().requires_grad_();
        var y = gated(x);
        Gradients.Backward((y * direction).sum());
        return (y, x.grad!);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void ValueAndGradient_AreBitForBitThoseOfTheOperators(ScalarType type)
    {
        foreach (var shape in new long[][] { [2, 77, 64], [1024, 2560], [6], [3, 0, 8], [1, 5, 2] })
        {
            var (x, direction) = ((randn(shape) * 3).to(type), randn([.. shape[..^1], shape[^1] / 2]).to(type));
            // Rows that lie elsewhere, and a gradient that is one number for all places.
            foreach (var input in new[] { x, cat([x, x], -1)[TensorIndex.Ellipsis, ..(int)shape[^1]] })
            foreach (var way in new[] { direction, direction.flatten().sum(0L).expand(direction.shape) })
            {
                var (expected, actual) = (Of(Plain, input, way), Of(Activations.GatedGelu, input, way));
                Assert.Equal(type, actual.Output.dtype);
                Assert.True(AreSame(expected.Output, actual.Output), $"value of {type} [{string.Join(", ", shape)}]");
                Assert.True(AreSame(expected.Gradient, actual.Gradient), $"gradient of {type} [{string.Join(", ", shape)}]");
            }
        }
    }

    [Fact]
    public void Gradient_IsThatOfFiniteDifferences()
    {
        var x = randn(3, 8, dtype: float64);
        var direction = randn(3, 4, dtype: float64);
        var gradient = Of(Activations.GatedGelu, x, direction).Gradient;
        const double step = 1e-6;
        for (var i = 0; i < x.numel(); i++)
        {
            double Moved(double by)
            {
                var moved = x.clone();
                moved.view(-1)[i] += by;
                return (Activations.GatedGelu(moved) * direction).sum().item<double>();
            }

            Assert.Equal((Moved(step) - Moved(-step)) / (2 * step), gradient.view(-1)[i].item<double>(), 1e-7);
        }
    }

    [Fact]
    public void SecondDerivatives_AreThoseOfTheOperators()
    {
        var x = randn(5, 12, dtype: float64);
        Tensor Second(Func<Tensor, Tensor> gated)
        {
            var input = x.detach().requires_grad_();
            var gradient = autograd.grad([gated(input).pow(3).sum()], [input], retain_graph: true, create_graph: true)[0];
            Gradients.Backward(gradient.pow(2).sum());
            return input.grad!;
        }

        Assert.InRange((Second(Plain) - Second(Activations.GatedGelu)).abs().max().item<double>(), 0, 1e-10);
    }

    [Fact]
    public void WithoutGradients_NothingIsRecorded_AndTheInputStays()
    {
        var x = randn(4, 6);
        var before = x.clone();
        Assert.False(Activations.GatedGelu(x).requires_grad);
        using (no_grad()) Assert.False(Activations.GatedGelu(x.detach().requires_grad_()).requires_grad);
        Assert.True(AreSame(before, x));
    }

    [Fact]
    public void Steps_LeaveNoTensorBehind_AndAnInputThatWasChangedIsRefused()
    {
        var x = randn(4, 6).requires_grad_();
        var before = TensorCount.Live;
        using (NewDisposeScope())
        {
            Gradients.Backward(Activations.GatedGelu(x).sum());
            x.grad = null;
        }

        Assert.Equal(before, TensorCount.Live);
        var loss = Activations.GatedGelu(x).sum();
        using (no_grad()) x.add_(1);
        Assert.Contains("inplace operation", Record.Exception(() => Gradients.Backward(loss))!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnOddDimension_IsRefused()
    {
        Assert.Contains("[2, 5] has no halves", Assert.Throws<ArgumentException>(() => Activations.GatedGelu(randn(2, 5))).Message,
            StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Activations.GatedGelu(tensor(1f)));
        Assert.Throws<ArgumentNullException>(() => Activations.GatedGelu(null!));
    }
}
