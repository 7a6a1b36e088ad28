namespace StableTune.LibTorch.Tests;

public sealed class ReductionTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Tensor _x = tensor(new[] { 1.0, 2.0, 3.0, 4.0, 6.0, 5.0 }, [2, 3]);

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Sums_MeansAndProducts()
    {
        Assert.Equal(21, _x.sum().ToDouble());
        Close.To(_x.sum(1), [6, 15]);
        Assert.Equal([2, 1], _x.sum(1, keepdim: true).shape);
        Assert.Equal(21, _x.sum([0, 1]).ToDouble());
        Assert.Equal(3.5, _x.mean().ToDouble());
        Close.To(_x.mean([1]), [2, 5]);
        Close.To(_x.mean(0), [2.5, 4, 4]);
        Assert.Equal(720, _x.prod().ToDouble());
        Close.To(_x.prod(1), [6, 120]);
        Assert.Equal(int64, tensor(new[] { 1, 2 }).sum().dtype);
        Assert.Equal(float64, ones(3).sum(float64).dtype);
    }

    [Fact]
    public void Spread_WithAndWithoutBessel()
    {
        Close.To(_x.var(1), [1, 1]);
        Close.To(_x.var(1, unbiased: false), [2 / 3.0, 2 / 3.0], 1e-12);
        Close.To(_x.std([1]), [1, 1]);
        Assert.Equal(3.5, _x.var().ToDouble(), 1e-12);
        Assert.Equal(Math.Sqrt(3.5), _x.std().ToDouble(), 1e-12);
    }

    [Fact]
    public void Extremes_AndWhereTheyAre()
    {
        Assert.Equal(6, _x.max().ToDouble());
        Assert.Equal(1, _x.min().ToDouble());
        var (values, indexes) = _x.max(1);
        Close.To(values, [3, 6]);
        Close.To(indexes, [2, 1]);
        Close.To(_x.min(0).values, [1, 2, 3]);
        Assert.Equal(4, _x.argmax().ToInt64());
        Close.To(_x.argmin(1), [0, 0]);
        Close.To(_x.amax(1), [3, 6]);
        Close.To(_x.amin(0, 1), [1]);
        Assert.Equal([2, 1], _x.amax([1], keepdim: true).shape);
    }

    [Fact]
    public void Norms()
    {
        Assert.Equal(Math.Sqrt(91), _x.norm().ToDouble(), 1e-12);
        Assert.Equal(21, _x.norm(p: 1).ToDouble());
        Close.To(_x.norm(1, keepdim: false, p: 2), [Math.Sqrt(14), Math.Sqrt(77)], 1e-12);
        Close.To(_x.norm([0, 1], keepdim: true), [Math.Sqrt(91)], 1e-12);
    }

    [Fact]
    public void Running_SumsAndProducts()
    {
        Close.To(_x.cumsum(1), [1, 3, 6, 4, 10, 15]);
        Close.To(_x.cumprod(1), [1, 2, 6, 4, 24, 120]);
        Close.To(_x.diff(), [1, 1, 2, -1]);
        Close.To(_x.logsumexp(1), _x.exp().sum(1).log(), 1e-12);
    }

    [Fact]
    public void Order_Statistics()
    {
        Close.To(_x.sort(1, descending: true).values, [3, 2, 1, 6, 5, 4]);
        Close.To(_x.argsort(1), [0, 1, 2, 0, 2, 1]);
        Close.To(_x.topk(2, 1).values, [3, 2, 6, 5]);
        Assert.Equal(3, _x.median().ToDouble());
        Assert.Equal(3.5, _x.quantile(tensor(0.5)).ToDouble());
        Assert.Equal(6, _x.count_nonzero().ToInt64());
        Close.To(tensor(new[] { 0L, 2L, 2L }).bincount(), [1, 0, 2]);
    }

    [Fact]
    public void Gradients_MatchDifferences()
    {
        GradientCheck.Of(t => t[0].sum(0), _x);
        GradientCheck.Of(t => t[0].mean([1], keepdim: true), _x);
        GradientCheck.Of(t => t[0].std(1), _x);
        GradientCheck.Of(t => t[0].var(0, unbiased: false), _x);
        GradientCheck.Of(t => t[0].norm(), _x);
        GradientCheck.Of(t => t[0].max(1).values, _x);
        GradientCheck.Of(t => t[0].cumprod(1), _x);
        GradientCheck.Of(t => t[0].cumsum(0), _x);
        GradientCheck.Of(t => t[0].logsumexp(1), _x);
    }
}
