namespace StableTune.LibTorch.Tests;

public sealed class ArithmeticTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Tensor _a = tensor(new[] { 1.0, -2.0, 3.5, 4.0 }, [2, 2]);
    private readonly Tensor _b = tensor(new[] { 2.0, 5.0, -0.5, 8.0 }, [2, 2]);

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Operators_OfTwoTensors_WorkElementByElement()
    {
        Close.To(_a + _b, [3, 3, 3, 12]);
        Close.To(_a - _b, [-1, -7, 4, -4]);
        Close.To(_a * _b, [2, -10, -1.75, 32]);
        Close.To(_a / _b, [0.5, -0.4, -7, 0.5]);
        Close.To(_a % _b, [1, 3, 0, 4]);
        Close.To(-_a, [-1, 2, -3.5, -4]);
    }

    [Fact]
    public void Operators_WithNumbers_WorkOnBothSides()
    {
        Close.To(_a + 1, [2, -1, 4.5, 5]);
        Close.To(1 + _a, [2, -1, 4.5, 5]);
        Close.To(_a - 1, [0, -3, 2.5, 3]);
        Close.To(10 - _a, [9, 12, 6.5, 6]);
        Close.To(_a * 0.5, [0.5, -1, 1.75, 2]);
        Close.To(2.0 * _a, [2, -4, 7, 8]);
        Close.To(_a / 2, [0.5, -1, 1.75, 2]);
        Close.To(7 / _a, [7, -3.5, 2, 1.75]);
    }

    [Fact]
    public void Operators_OfDifferentShapes_Broadcast()
        => Close.To(_a + tensor(new[] { 10.0, 20.0 }), [11, 18, 13.5, 24]);

    [Fact]
    public void Operators_WithANumber_KeepTheDtype()
    {
        Assert.Equal(float32, (ones(2) * 0.1).dtype);
        Assert.Equal(bfloat16, (ones(2, dtype: bfloat16) * 0.1).dtype);
        Assert.Equal(int64, (ones(2, dtype: int64) * 3).dtype);
        Assert.Equal(float32, (ones(2, dtype: int64) * 0.5).dtype);
    }

    [Fact]
    public void AddAndSub_WithAlpha_ScaleTheOther()
    {
        Close.To(_a.add(_b, alpha: 2), [5, 8, 2.5, 20]);
        Close.To(_a.sub(_b, alpha: 0.5), [0, -4.5, 3.75, 0]);
        Close.To(_a.add(3, alpha: 2), [7, 4, 9.5, 10]);
    }

    [Fact]
    public void InPlace_Forms_ChangeAndReturnTheTensorItself()
    {
        var x = _a.clone();
        var address = x.data_ptr();
        Assert.Same(x, x.add_(_b));
        Assert.Same(x, x.sub_(1));
        Assert.Same(x, x.mul_(2));
        Assert.Same(x, x.div_(4));
        Assert.Equal(address, x.data_ptr());
        Close.To(x, [1, 1, 1, 5.5]);
    }

    [Fact]
    public void Div_WithARoundingMode_Rounds()
    {
        Close.To(tensor(new[] { 7.0, -7.0 }).div(2, RoundingMode.floor), [3, -4]);
        Close.To(tensor(new[] { 7.0, -7.0 }).div(2, RoundingMode.trunc), [3, -3]);
        Close.To(tensor(new[] { 7.0, -7.0 }).div(tensor(2.0), RoundingMode.floor), [3, -4]);
    }

    [Fact]
    public void Pow_OfTensorsAndNumbers()
    {
        Close.To(_a.pow(2), [1, 4, 12.25, 16]);
        Close.To(_a.abs().pow(0.5), [1, Math.Sqrt(2), Math.Sqrt(3.5), 2]);
        Close.To(_a.pow(tensor(new[] { 3.0, 2.0 })), [1, 4, 42.875, 16]);
    }

    [Fact]
    public void Fused_Forms_EqualTheirDefinition()
    {
        Close.To(_a.addcmul(_b, _b, 0.1), _a + 0.1 * _b * _b);
        Close.To(_a.addcdiv(_b, _a, 0.1), _a + 0.1 * _b / _a);
        Close.To(_a.lerp(_b, 0.25), _a + 0.25 * (_b - _a));
        Close.To(_a.clone().lerp_(_b, tensor(0.25)), _a + 0.25 * (_b - _a));
    }

    [Fact]
    public void Clamp_WithEitherBound()
    {
        Close.To(_a.clamp(0, 3), [1, 0, 3, 3]);
        Close.To(_a.clamp(min: 0), [1, 0, 3.5, 4]);
        Close.To(_a.clamp(max: 3), [1, -2, 3, 3]);
        Close.To(_a.clamp_min(2), [2, 2, 3.5, 4]);
        Close.To(_a.maximum(_b), [2, 5, 3.5, 8]);
        Close.To(_a.minimum(_b), [1, -2, -0.5, 4]);
    }

    [Fact]
    public void NanToNum_ReplacesWhatIsNoNumber()
        => Close.To(tensor(new[] { double.NaN, double.PositiveInfinity, 1.0 }).nan_to_num(0, 9, -9), [0, 9, 1]);

    [Fact]
    public void Gradients_MatchDifferences()
    {
        GradientCheck.Of(t => t[0] + t[1], _a, _b);
        GradientCheck.Of(t => t[0] * t[1] - t[0] / t[1], _a, _b);
        GradientCheck.Of(t => 3 / t[0] - t[0] * 2, _a);
        GradientCheck.Of(t => t[0].addcmul(t[0], t[1], 0.3).addcdiv(t[1], t[0], 0.2), _a, _b);
        GradientCheck.Of(t => t[0].lerp(t[1], 0.3), _a, _b);
        GradientCheck.Of(t => t[0].pow(3), _a);
        GradientCheck.Of(t => t[0].clamp(-1, 3), _a);
        GradientCheck.Of(t => t[0].maximum(t[1]), _a, _b);
    }
}
