namespace StableTune.LibTorch.Tests;

public sealed class ComparisonTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Tensor _a = tensor(new[] { 1f, 2f, 3f });
    private readonly Tensor _b = tensor(new[] { 3f, 2f, 1f });

    public void Dispose() => _scope.Dispose();

    private static void Is(Tensor actual, params bool[] expected)
    {
        Assert.Equal(@bool, actual.dtype);
        Assert.Equal(expected, actual.data<bool>().ToArray());
    }

    [Fact]
    public void Comparisons_OfTensorsAndNumbers()
    {
        Is(_a.eq(_b), false, true, false);
        Is(_a.ne(2), true, false, true);
        Is(_a.lt(_b), true, false, false);
        Is(_a.le(2), true, true, false);
        Is(_a.gt(_b), false, false, true);
        Is(_a.ge(2), false, true, true);
        Is(_a > 1, false, true, true);
        Is(_a >= _b, false, true, true);
        Is(_a < _b, true, false, false);
        Is(_a <= 1, true, false, false);
    }

    [Fact]
    public void Logic_OnMasks()
    {
        var p = tensor(new[] { true, true, false, false });
        var q = tensor(new[] { true, false, true, false });
        Is(p & q, true, false, false, false);
        Is(p | q, true, true, true, false);
        Is(p ^ q, false, true, true, false);
        Is(~p, false, false, true, true);
        Is(p.logical_and(q), true, false, false, false);
        Is(p.logical_or(q), true, true, true, false);
        Is(p.logical_xor(q), false, true, true, false);
        Is(p.logical_not(), false, false, true, true);
    }

    [Fact]
    public void AllAndAny_OverAllOrOneDimension()
    {
        var x = tensor(new[] { true, false, true, true }, [2, 2]);
        Assert.False(x.all().ToBoolean());
        Assert.True(x.any().ToBoolean());
        Is(x.all(1), false, true);
        Is(x.any(0), true, true);
    }

    [Fact]
    public void Numbers_ThatAreNone_AreFound()
    {
        var x = tensor(new[] { 1.0, double.NaN, double.PositiveInfinity });
        Is(x.isfinite(), true, false, false);
        Is(x.isnan(), false, true, false);
        Is(x.isinf(), false, false, true);
    }

    [Fact]
    public void Closeness_ByTolerance()
    {
        Assert.True(_a.allclose(_a + 1e-7));
        Assert.False(_a.allclose(_a + 1e-3));
        Assert.True(_a.allclose(_a + 1e-3, atol: 1e-2));
        Assert.True(_a.equal(_a.clone()));
        Assert.False(_a.equal(_b));
        Is(_a.isclose(_b), false, true, false);
    }

    [Fact]
    public void Where_PicksBySide()
    {
        Close.To(where(_a > 1, _a, _b), [3, 2, 3]);
        Close.To(where(_a > 1, _a, 0), [0, 2, 3]);
        Close.To(where(_a > 1, 0, _b), [3, 0, 0]);
        Close.To(where(_a > 1, 1.0, 0.0), [0, 1, 1]);
        Close.To(_a.where(_a > 1, _b), [3, 2, 3]);
        GradientCheck.Of(t => where(_a > 1, t[0], t[1]), _a, _b);
    }
}
