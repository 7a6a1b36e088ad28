namespace StableTune.Torch.Tests.Layers;

public sealed class LayerParametersTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void As_GivesTheTensorItselfOrAConvertedOne()
    {
        var x = ones(2);
        Assert.Same(x, x.As(ScalarType.Float32));
        Assert.Equal(ScalarType.Float64, x.As(ScalarType.Float64).dtype);
        Assert.Throws<ArgumentNullException>(() => ((Tensor)null!).As(ScalarType.Float64));
    }

    [Fact]
    public void SetRequiresGrad_ReachesChildren()
    {
        using var module = nn.Sequential(new Linear(2, 2), nn.Sequential(new GroupNorm(1, 2)));
        Assert.Same(module, module.SetRequiresGrad(false));
        Assert.All(module.parameters(), parameter => Assert.False(parameter.requires_grad));
        module.SetRequiresGrad(true);
        Assert.All(module.parameters(), parameter => Assert.True(parameter.requires_grad));
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float64)]
    public void SetData_ExchangesValuesAndTypeUnderTheSameObject(ScalarType type)
    {
        using var layer = new Linear(2, 2, hasBias: false);
        var weight = layer.weight;
        Gradients.Backward(layer.call(ones(1, 2)).sum());
        Assert.NotNull(weight.grad);
        weight.SetData(full([2, 2], 3f, type));
        Assert.Equal(type, weight.dtype);
        Assert.Null(weight.grad);
        Assert.True(weight.requires_grad);
        Assert.Same(weight, layer.state_dict()["weight"]);
        Gradients.Backward(layer.call(ones([1, 2], type)).sum());
        Assert.Equal(type, weight.grad!.dtype);
    }

    [Fact]
    public void SetData_SharesTheMemory_WhichOutlivesTheOther()
    {
        var (target, data) = (zeros(3), ones(3));
        target.SetData(data);
        Assert.Equal(data.DataPointer(), target.DataPointer());
        data.Dispose();
        Close.To(target, [1, 1, 1]);
    }

    [Fact]
    public void SetData_OfWhatDoesNotFit_IsRefusedAndChangesNothing()
    {
        var target = ones([2, 3], requires_grad: true);
        Gradients.Backward(target.sum());
        Assert.StartsWith("set_data failed for (Float32 [2, 3], Float32 [3, 2]): the shapes differ",
            Assert.Throws<TorchException>(() => target.SetData(ones(3, 2))).Message);
        Assert.NotNull(target.grad);
        Assert.Throws<TorchException>(() => empty([2], device: META).SetData(ones(2)));
        Assert.Throws<ArgumentNullException>(() => target.SetData(null!));
        Assert.Throws<ArgumentNullException>(() => ((Tensor)null!).SetData(target));
    }
}
