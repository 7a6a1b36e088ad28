using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

public sealed class ClipByNormTests
{
    [Theory]
    [InlineData(0.5)]
    [InlineData(1.0)]
    [InlineData(1e3)]
    public void Apply_ClipsAsTorchsClipGradNorm(double most)
    {
        using var scope = NewDisposeScope();
        Tensor[] gradients = [randn([3, 4], float64), randn([5], float64), randn([], float64)];
        var (ours, theirs) = (WithGradients(gradients), WithGradients(gradients));
        var norm = new ClipByNorm { MaxNorm = most }.Apply(ours);
        Assert.Equal([], norm.shape);
        Assert.Equal(nn.utils.clip_grad_norm_(theirs, most), norm.item<double>(), 1e-12);
        foreach (var (a, b) in ours.Zip(theirs)) GoldenComparison.AssertClose("gradient", b.grad!, a.grad!, 1e-12);
    }

    [Fact]
    public void Apply_WithoutLimit_OnlyMeasures()
    {
        using var scope = NewDisposeScope();
        Tensor[] parameters = [.. WithGradients(tensor(new[] { 3f, 4f })), ones(2).requires_grad_()];
        Assert.Equal(5, new ClipByNorm { MaxNorm = null }.Apply(parameters).item<float>());
        Assert.Equal([3f, 4f], parameters[0].grad!.data<float>().ToArray());
        Assert.Null(parameters[1].grad);
    }

    [Fact]
    public void Apply_LeavesNothingBehind()
    {
        using var scope = NewDisposeScope();
        Tensor[] parameters = WithGradients(randn(3), randn(4));
        new ClipByNorm().Apply(parameters).Dispose();
        var before = HeldTensors.Before();
        for (var i = 0; i < 100; i++) new ClipByNorm().Apply(parameters).Dispose();
        Assert.Equal(before, TensorCount.Live);
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(-1.0)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Validate_OfANormThatCannotBe_NamesTheOption(double norm) =>
        Assert.Equal("ClipByNorm.MaxNorm", Assert.Single(new ClipByNorm { MaxNorm = norm }.Validate()).Option);

    [Fact]
    public void Validate_OfTheDefaultAndOfNone_FindsNothing()
    {
        Assert.Equal(1.0, new ClipByNorm().MaxNorm);
        Assert.Empty(new ClipByNorm().Validate());
        Assert.Empty(new ClipByNorm { MaxNorm = null }.Validate());
    }

    private static Parameter[] WithGradients(params Tensor[] gradients) =>
        [.. gradients.Select(gradient => new Parameter(zeros_like(gradient)) { grad = gradient.clone() })];
}
