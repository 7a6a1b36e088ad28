namespace StableTune.Torch.Tests.Layers;

/// <summary>Layers as modules: names, exchange of parameters, conversion, messages.</summary>
public sealed class LayerTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    private static Layer[] All() =>
        [new Linear(8, 4), new Conv2d(8, 4, 3, padding: 1), new Embedding(8, 4), new GroupNorm(2, 8), new LayerNorm(8)];

    private static Tensor InputOf(Layer layer, ScalarType type) => layer is Embedding ? tensor(new[] { 1L, 7 }) : ones([2, 8, 8, 8], type);

    [Fact]
    public void StateDict_HasPyTorchsNamesAndShapes()
    {
        (string, long[])[][] expected =
        [
            [("weight", [4, 8]), ("bias", [4])], [("weight", [4, 8, 3, 3]), ("bias", [4])], [("weight", [8, 4])],
            [("weight", [8]), ("bias", [8])], [("weight", [8]), ("bias", [8])],
        ];
        foreach (var (layer, entries) in All().Zip(expected))
        {
            Assert.Equal(entries, layer.state_dict().Select(pair => (pair.Key, pair.Value.shape)));
            Assert.All(layer.parameters(), parameter => Assert.True(parameter.requires_grad));
            layer.Dispose();
        }
        using var linear = new Linear(8, 4, hasBias: false);
        using var conv = new Conv2d(8, 4, 1, groups: 2, hasBias: false);
        Assert.Equal(["weight"], linear.state_dict().Keys);
        Assert.Equal(["weight"], conv.state_dict().Keys);
        Assert.Equal([4, 4, 1, 1], conv.weight.shape);
        Assert.Null(linear.bias);
        Assert.Null(conv.bias);
    }

    [Fact]
    public void To_ConvertsParametersAndKeepsTheirNames()
    {
        foreach (var layer in All())
        {
            layer.to(ScalarType.Float64);
            var weight = (Parameter)layer.GetType().GetProperty("weight")!.GetValue(layer)!;
            Assert.Equal(ScalarType.Float64, weight.dtype);
            Assert.Same(layer.state_dict()["weight"], weight);
            Assert.All(layer.parameters(), parameter => Assert.Equal(ScalarType.Float64, parameter.dtype));
            Assert.Equal(ScalarType.Float64, layer.call(InputOf(layer, ScalarType.Float64)).dtype);
            layer.Dispose();
        }
    }

    [Fact]
    public void Setters_RegisterTheNewParameterAndDisposeTheOld()
    {
        using var layer = new Linear(3, 2);
        var (oldWeight, oldBias) = (layer.weight, layer.bias!);
        Parameter fresh;
        using (NewDisposeScope()) layer.weight = fresh = new Parameter(ones(2, 3));
        Assert.True(oldWeight.IsInvalid);
        Assert.False(fresh.IsInvalid);                              // taken out of the scope
        Assert.Same(fresh, layer.state_dict()["weight"]);
        layer.weight = fresh;
        Assert.False(fresh.IsInvalid);
        layer.bias = null;
        Assert.True(oldBias.IsInvalid);
        Assert.Equal(["weight"], layer.state_dict().Keys);
        Close.To(layer.call(ones(1, 3)), tensor(new[,] { { 3f, 3 } }));
        layer.bias = LayerInitialization.NewParameter(ones(2));
        Assert.Equal(["weight", "bias"], layer.state_dict().Keys);
        Close.To(layer.call(ones(1, 3)), tensor(new[,] { { 4f, 4 } }));
        using var conv = new Conv2d(1, 1, 1) { weight = LayerInitialization.NewParameter(full([1, 1, 1, 1], 2f)), bias = null };
        Close.To(conv.call(ones(1, 1, 1, 2)).flatten(), [2, 2]);
        using var norm = new LayerNorm(2);
        (norm.weight, norm.bias) = (LayerInitialization.NewParameter(zeros(2)), LayerInitialization.NewParameter(ones(2)));
        Close.To(norm.call(randn(2)), [1, 1]);
        using var group = new GroupNorm(1, 2);
        (group.weight, group.bias) = (LayerInitialization.NewParameter(zeros(2)), LayerInitialization.NewParameter(ones(2)));
        Close.To(group.call(randn(1, 2)).flatten(), [1, 1]);
        using var table = new Embedding(2, 1) { weight = LayerInitialization.NewParameter(ones(2, 1)) };
        Close.To(table.call(tensor(new[] { 1L })).flatten(), [1]);
    }

    [Fact]
    public void Errors_NameLayerShapesAndTypes()
    {
        string Message(Layer layer, Tensor input)
        {
            using (layer) return Assert.Throws<TorchException>(() => layer.call(input)).Message;
        }
        var x = ones(2, 3, 4, 4);
        var linear = Message(new Linear(8, 4), x);
        Assert.StartsWith("Linear 8 to 4 failed for (Float32 [2, 3, 4, 4], Float32 [4, 8]): ", linear);
        Assert.DoesNotContain("frame #", linear);
        Assert.StartsWith("Conv2d 8 to 4, 3x3 failed for (Float32 [2, 3, 4, 4], Float32 [4, 8, 3, 3]): ", Message(new Conv2d(8, 4, 3), x));
        Assert.StartsWith("Conv2d 3 to 4, 5x5 failed for (", Message(new Conv2d(3, 4, 5), x));
        Assert.StartsWith("Conv2d 8 to 4, 3x3 failed for (BFloat16 [2, 3, 4, 4], ",
            Message(new Conv2d(8, 4, 3).SetRequiresGrad(false), x.to(ScalarType.BFloat16).requires_grad_()));
        Assert.StartsWith("Embedding of 8 rows failed for (Int64 [1], Float32 [8, 4]): ",
            Message(new Embedding(8, 4), tensor(new[] { 8L })));
        Assert.StartsWith("GroupNorm of 8 channels in 2 groups failed for (Float32 [2, 3, 4, 4], Float32 [8]): ",
            Message(new GroupNorm(2, 8), x));
        Assert.StartsWith("LayerNorm of 8 failed for (Float32 [2, 3, 4, 4], Float32 [8]): ", Message(new LayerNorm(8), x));
    }

    [Fact]
    public void Constructors_RefuseWhatCannotBe()
    {
        Assert.Throws<ArgumentException>(() => new Conv2d(3, 4, 1, groups: 2));
        Assert.Throws<ArgumentException>(() => new Conv2d(4, 3, 1, groups: 2));
        Assert.Throws<ArgumentException>(() => new Conv2d(4, 4, 1, groups: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Embedding(3, 1, 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Embedding(3, 1, -4));
    }

    [Fact]
    public void Properties_SayWhatTheLayerIs()
    {
        using var conv = new Conv2d(4, 8, 3, 2, 1, 3, 4);
        Assert.Equal((4, 8, 4), (conv.in_channels, conv.out_channels, conv.groups));
        Assert.Equal([3, 3], conv.kernel_size);
        Assert.Equal([2, 2], conv.stride);
        Assert.Equal([1, 1], conv.padding);
        Assert.Equal([3, 3], conv.dilation);
        using var norm = new GroupNorm(2, 8, 1e-6);
        Assert.Equal((2, 8, 1e-6), (norm.num_groups, norm.num_channels, norm.eps));
        using var layer = new LayerNorm(8, 1e-6);
        Assert.Equal((8, 1e-6), (layer.width, layer.eps));
    }
}
