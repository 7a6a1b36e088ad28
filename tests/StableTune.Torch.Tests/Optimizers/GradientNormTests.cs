namespace StableTune.Torch.Tests.Optimizers;

[Collection(CountingTensors.Name)]
public sealed class GradientNormTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    private static Parameter[] WithGradients(params Tensor[] gradients) => [.. gradients.Select(gradient =>
    {
        var parameter = new Parameter(zeros_like(gradient)) { grad = gradient.clone() };
        return parameter;
    })];

    [Theory]
    [InlineData(0.5)]
    [InlineData(1e3)]
    [InlineData(1e-3)]
    public void Clip_EqualsTorchSharps(double maximum)
    {
        Tensor[] gradients = [randn([3, 4], float64), randn([5], float64), randn([], float64)];
        var (ours, theirs) = (WithGradients(gradients), WithGradients(gradients));
        Assert.Equal(nn.utils.clip_grad_norm_(theirs, maximum), GradientNorm.Clip(ours, maximum), 1e-12);
        foreach (var (a, b) in ours.Zip(theirs)) Close.To(a.grad!, b.grad!, 1e-12);
    }

    [Fact]
    public void Clip_WithoutGradients_IsZero()
    {
        Assert.Equal(0, GradientNorm.Clip([], 1));
        Assert.Equal(0, GradientNorm.Clip([ones([2], requires_grad: true), ones(3)], 1));
        Assert.Throws<ArgumentNullException>(() => GradientNorm.Clip(null!, 1));
    }

    [Fact]
    public void Clip_PassesOverThoseWithoutGradients()
    {
        Tensor[] parameters = [ones([2], requires_grad: true), .. WithGradients(tensor(new[] { 3f, 4 }))];
        Assert.Equal(5, GradientNorm.Clip(parameters, 1), 1e-6);
        Close.To(parameters[1].grad!, [0.6, 0.8]);
    }

    [Fact]
    public void Clip_AtInfinity_OnlyMeasures()
    {
        var parameters = WithGradients(tensor(new[] { 3f, 4 }));
        Assert.Equal(5, GradientNorm.Clip(parameters, double.PositiveInfinity), 1e-6);
        Close.To(parameters[0].grad!, [3, 4], 0);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Clip_OfNonFiniteGradients_LeavesThemAlone(float bad)
    {
        var parameters = WithGradients(tensor(new[] { 3f, bad }), tensor(new[] { 1f }));
        Assert.False(double.IsFinite(GradientNorm.Clip(parameters, 1)));
        Close.To(parameters[1].grad!, [1], 0);
        Assert.Equal(3f, parameters[0].grad![0].item<float>());
    }

    [Fact]
    public void Clip_OfMixedTypes_TakesOneNorm()
    {
        var parameters = WithGradients(tensor(new[] { 3f, 4 }), tensor(new[] { 12f }).to(ScalarType.BFloat16), tensor(new[] { 84.0 }));
        Assert.Equal(85, GradientNorm.Clip(parameters, 8.5), 1e-6);
        Close.To(parameters[0].grad!, [0.3, 0.4]);
        Close.To(parameters[1].grad!, [1.2], 0.01);               // bfloat16 has 8 bits
        Close.To(parameters[2].grad!, [8.4], 1e-6);
        Assert.Equal([ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float64], parameters.Select(parameter => parameter.grad!.dtype));
    }

    [Fact]
    public void Clip_LeavesNoTensorsBehind()
    {
        var parameters = WithGradients(randn(3), randn(4).to(ScalarType.BFloat16));
        GradientNorm.Clip(parameters, 0.1);
        var before = TensorCount.Live;
        for (var k = 0; k < 200; k++) GradientNorm.Clip(parameters, 0.1);
        Assert.Equal(before, TensorCount.Live);
    }
}
