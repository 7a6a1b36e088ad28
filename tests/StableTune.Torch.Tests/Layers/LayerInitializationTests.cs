namespace StableTune.Torch.Tests.Layers;

/// <summary>The default random stream, which initialisation draws from, belongs to the process.</summary>
[Collection(CountingTensors.Name)]
public sealed class LayerInitializationTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void NewLayers_AreDrawnAsTorchSharpDrawsThem()
    {
        void AssertSame(Layer ours, Func<nn.Module> theirs)
        {
            manual_seed(5).Dispose();
            using var expected = theirs();
            foreach (var (name, tensor) in expected.state_dict()) Close.To(ours.state_dict()[name], tensor, 1e-6);
            ours.Dispose();
        }
        manual_seed(5).Dispose();
        AssertSame(new Linear(30, 20), () => nn.Linear(30, 20));
        manual_seed(5).Dispose();
        AssertSame(new Conv2d(6, 4, 3, groups: 2), () => nn.Conv2d(6, 4, 3L, groups: 2));
        manual_seed(5).Dispose();
        AssertSame(new Embedding(7, 5, 2), () => nn.Embedding(7, 5, 2));
    }

    [Fact]
    public void LinearAndConv2d_AreUniformWithinTheirBounds()
    {
        using var linear = new Linear(100, 1000);
        using var conv = new Conv2d(8, 1000, 3, groups: 2);
        foreach (var (parameter, fanIn) in new[] { (linear.weight, 100), (linear.bias!, 100), (conv.weight, 36), (conv.bias!, 36) })
        {
            var bound = 1 / Math.Sqrt(fanIn);
            var values = parameter.detach().Elements<float>().ToArray();
            Assert.InRange(values.Max(), 0.9 * bound, bound);
            Assert.InRange(values.Min(), -bound, -0.9 * bound);
            Assert.InRange(values.Average(), -0.2 * bound, 0.2 * bound);
        }
    }

    [Fact]
    public void Norms_BeginAsOnesAndZeros()
    {
        using var group = new GroupNorm(2, 4);
        using var layer = new LayerNorm(3);
        Close.To(group.weight, [1, 1, 1, 1]);
        Close.To(group.bias, [0, 0, 0, 0]);
        Close.To(layer.weight, [1, 1, 1]);
        Close.To(layer.bias, [0, 0, 0]);
    }

    [Fact]
    public void Skip_DrawsNothing()
    {
        var before = get_rng_state();
        using (LayerInitialization.Skip())
        {
            new Linear(3, 3).Dispose();
            new Embedding(3, 3).Dispose();
        }
        Close.Same(before, get_rng_state());
        new Linear(3, 3).Dispose();
        Assert.False(before.Equals(get_rng_state()));
    }

    [Fact]
    public void Skip_OnMeta_TakesNoMemoryAndKeepsTypes()
    {
        using var skip = LayerInitialization.Skip(META, ScalarType.BFloat16);
        using var layer = new Conv2d(1 << 20, 1 << 20, 3);
        Assert.True(layer.weight.is_meta);
        Assert.Equal([1 << 20, 1 << 20, 3, 3], layer.weight.shape);
        Assert.Equal(ScalarType.BFloat16, layer.bias!.dtype);
        using var norm = new GroupNorm(1, 4);
        Assert.True(norm.weight.is_meta);
    }

    [Fact]
    public void Skip_Nested_EndsWithEach()
    {
        ScalarType Made()
        {
            using var layer = new Linear(1, 1);
            return layer.weight.dtype;
        }
        using (LayerInitialization.Skip(dtype: ScalarType.Float64))
        {
            using (var inner = LayerInitialization.Skip(dtype: ScalarType.BFloat16))
            {
                Assert.Equal(ScalarType.BFloat16, Made());
                inner.Dispose();
                inner.Dispose();
                Assert.Equal(ScalarType.Float64, Made());
            }
            Assert.Equal(ScalarType.Float64, Made());
            OnThread.Run(() => Assert.Equal(ScalarType.Float32, Made()));
        }
        Assert.Equal(ScalarType.Float32, Made());
    }

    [Fact]
    public void NewParameter_StandsOutsideDisposeScopes()
    {
        Parameter parameter;
        using (NewDisposeScope()) parameter = LayerInitialization.NewParameter(ones(2), requiresGrad: false);
        Close.To(parameter, [1, 1]);
        Assert.False(parameter.requires_grad);
        parameter.Dispose();
        Assert.Throws<ArgumentNullException>(() => LayerInitialization.NewParameter(null!));
    }
}
