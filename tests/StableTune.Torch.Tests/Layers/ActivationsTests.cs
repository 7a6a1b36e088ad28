namespace StableTune.Torch.Tests.Layers;

public sealed class ActivationsTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void TanhGelu_EqualsItsFormula()
    {
        var x = linspace(-4, 4, 17, float64);
        Close.To(Activations.TanhGelu(x), 0.5 * x * (1 + (Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x.pow(3))).tanh()), 1e-14);
        GradientCheck.Of(t => Activations.TanhGelu(t[0]), x);
    }

    [Fact]
    public void QuickGelu_EqualsItsFormula()
    {
        var x = linspace(-4, 4, 17, float64);
        Close.To(Activations.QuickGelu(x), x / (1 + (-1.702 * x).exp()), 1e-14);
        GradientCheck.Of(t => Activations.QuickGelu(t[0]), x);
        Assert.Equal(ScalarType.BFloat16, Activations.QuickGelu(x.to(ScalarType.BFloat16)).dtype);
        Assert.Throws<ArgumentNullException>(() => Activations.QuickGelu(null!));
        Assert.Throws<ArgumentNullException>(() => Activations.TanhGelu(null!));
    }
}
