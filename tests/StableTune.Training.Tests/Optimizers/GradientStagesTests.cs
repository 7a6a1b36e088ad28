using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

/// <summary>Clipping by value, and stages one after another.</summary>
public sealed class GradientStagesTests
{
    [Theory]
    [InlineData(0.1)]
    [InlineData(1.5)]
    public void ByValue_ClipsAsTorchsClipGradValue_AndGivesTheNormBefore(double most)
    {
        using var scope = NewDisposeScope();
        Tensor[] gradients = [randn([3, 4], float64), randn([5], float64)];
        var (ours, theirs) = (WithGradients(gradients), WithGradients(gradients));
        var norm = new ClipByValue { MaxValue = most }.Apply([.. ours, ones(2).requires_grad_()]);
        nn.utils.clip_grad_value_(theirs, most);
        Assert.Equal(Math.Sqrt(gradients.Sum(gradient => gradient.square().sum().item<double>())), norm.item<double>(), 1e-12);
        foreach (var (a, b) in ours.Zip(theirs)) GoldenComparison.AssertClose("gradient", b.grad!, a.grad!, 0);
    }

    [Fact]
    public void Stages_ComeOneAfterAnother_AndGiveTheFirstNorm()
    {
        using var scope = NewDisposeScope();
        var parameters = WithGradients(tensor(new[] { 3f, -4f }));
        var stage = new GradientStages(new ClipByValue { MaxValue = 3 }, new ClipByNorm { MaxNorm = 1 });
        Assert.Equal(5, stage.Apply(parameters).item<float>());
        var (side, norm) = (3f, MathF.Sqrt(18) + 1e-6f);
        Assert.Equal([side / norm, -side / norm], parameters[0].grad!.data<float>().ToArray(), (a, b) => MathF.Abs(a - b) < 1e-6f);
    }

    [Fact]
    public void WorksOneByOne_WhereNoStageLooksAtAllTogether()
    {
        IGradientStage value = new ClipByValue(), norm = new ClipByNorm(), measure = new ClipByNorm { MaxNorm = null };
        Assert.Equal([true, false, true], new[] { value, norm, measure }.Select(stage => stage.WorksOneByOne));
        Assert.True(new GradientStages(value, measure).WorksOneByOne);
        Assert.False(new GradientStages(value, norm).WorksOneByOne);
    }

    [Fact]
    public void Validate_NamesWhatCannotBe()
    {
        Assert.Equal("ClipByValue.MaxValue", Assert.Single(new ClipByValue { MaxValue = 0 }.Validate()).Option);
        Assert.Equal("GradientStages.Stages", Assert.Single(new GradientStages().Validate()).Option);
        Assert.Equal(["ClipByValue.MaxValue", "ClipByNorm.MaxNorm"],
            new GradientStages(new ClipByValue { MaxValue = double.NaN }, new ClipByNorm { MaxNorm = -1 }).Validate()
                .Select(problem => problem.Option));
    }

    [Fact]
    public void Apply_LeavesNothingBehind()
    {
        using var scope = NewDisposeScope();
        var parameters = WithGradients(randn(3), randn(4));
        var stage = new GradientStages(new ClipByValue(), new ClipByNorm());
        stage.Apply(parameters).Dispose();
        var before = HeldTensors.Before();
        for (var i = 0; i < 100; i++) stage.Apply(parameters).Dispose();
        Assert.Equal(before, TensorCount.Live);
    }

    private static Parameter[] WithGradients(params Tensor[] gradients) =>
        [.. gradients.Select(gradient => new Parameter(zeros_like(gradient)) { grad = gradient.clone() })];
}
