namespace StableTune.LibTorch.Tests;

public sealed class UtilsTests
{
    private static Parameter WithGradient(params float[] gradient)
    {
        using var scope = NewDisposeScope();
        var parameter = nn.Parameter(zeros(gradient.Length));
        parameter.grad = tensor(gradient, [gradient.Length]);
        return parameter;
    }

    [Fact]
    public void ClipGradNorm_ScalesByTheFormula()
    {
        using var scope = NewDisposeScope();
        using var a = WithGradient(3, 0);
        using var b = WithGradient(4);
        using var idle = nn.Parameter(ones(1));
        Assert.Equal(5, nn.utils.clip_grad_norm_([a, idle, b], 1), 6);
        Close.To(a.grad!, [3 / 5.000001, 0], 1e-6);
        Close.To(b.grad!, [4 / 5.000001], 1e-6);
    }

    [Fact]
    public void ClipGradNorm_BelowTheBound_LeavesThemAlone()
    {
        using var scope = NewDisposeScope();
        using var a = WithGradient(3, -4);
        Assert.Equal(5, nn.utils.clip_grad_norm_([a], 6), 6);
        Close.To(a.grad!, [3, -4], 0);
        Assert.Equal(4, nn.utils.clip_grad_norm_([a], 6, double.PositiveInfinity), 6);
        Assert.Equal(7, nn.utils.clip_grad_norm_([a], 10, 1), 6);
        Assert.Equal(0, nn.utils.clip_grad_norm_([], 1));
    }

    [Fact]
    public void ClipGradNorm_NotFinite_ThrowsWhenAsked()
    {
        using var scope = NewDisposeScope();
        using var a = WithGradient(float.NaN, 1);
        Assert.Throws<InvalidOperationException>(() => nn.utils.clip_grad_norm_([a], 1, error_if_nonfinite: true));
        Assert.True(double.IsNaN(nn.utils.clip_grad_norm_([a], 1)));
    }

    [Fact]
    public void ClipGradValue_LimitsEachElement()
    {
        using var scope = NewDisposeScope();
        using var a = WithGradient(3, -4, 0.5f);
        nn.utils.clip_grad_value_([a], 1);
        Close.To(a.grad!, [1, -1, 0.5], 0);
    }

    [Fact]
    public void Vector_ThereAndBack()
    {
        using var scope = NewDisposeScope();
        using var linear = nn.Linear(2, 1);
        var vector = nn.utils.parameters_to_vector(linear.parameters());
        Assert.Equal([3L], vector.shape);
        Assert.True(vector.requires_grad);
        nn.utils.vector_to_parameters(tensor([1f, 2f, 3f], [3]), linear.parameters());
        Close.To(linear.weight, [1, 2], 0);
        Close.To(linear.bias!, [3], 0);
        Assert.Throws<ArgumentException>(() => nn.utils.vector_to_parameters(ones(4), linear.parameters()));
    }
}
