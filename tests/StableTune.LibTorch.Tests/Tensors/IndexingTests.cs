namespace StableTune.LibTorch.Tests;

public sealed class IndexingTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Tensor _x = arange(24, dtype: float32).reshape(2, 3, 4);

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Get_ByNumbersAndSlices()
    {
        Assert.Equal(23, _x[1, 2, 3].ToSingle());
        Assert.Equal(23, _x[-1, -1, -1].ToSingle());
        Close.To(_x[0, 1], [4, 5, 6, 7]);
        Close.To(_x[0, 1, TensorIndex.Slice(1, 3)], [5, 6]);
        Close.To(_x[0, 1, TensorIndex.Slice(step: 2)], [4, 6]);
        Close.To(_x[0, 1, TensorIndex.Slice(-2)], [6, 7]);
        Close.To(_x[0, 1, 1..3], [5, 6]);
        Close.To(_x[0, 1, ..^1], [4, 5, 6]);
        Close.To(_x[0, 1, ^2..], [6, 7]);
        Close.To(_x[TensorIndex.Colon, 0, 0], [0, 12]);
    }

    [Fact]
    public void Get_WithEllipsisAndNewDimensions()
    {
        Close.To(_x[TensorIndex.Ellipsis, 0].flatten(), [0, 4, 8, 12, 16, 20]);
        Assert.Equal([2, 3, 1, 4], _x[TensorIndex.Ellipsis, TensorIndex.None, TensorIndex.Colon].shape);
        Assert.Equal([1, 2, 3, 4], _x[TensorIndex.None].shape);
        Assert.Equal([3, 1], _x[0, TensorIndex.Ellipsis, TensorIndex.None, 0].shape);
    }

    [Fact]
    public void Get_ByTensorsAndMasks()
    {
        Close.To(_x[0, 0][tensor(new[] { 3L, 0L })], [3, 0]);
        Close.To(_x[TensorIndex.Colon, tensor(new[] { 2L }), 0].flatten(), [8, 20]);
        Close.To(_x[_x > 21], [22, 23]);
        Close.To(_x[TensorIndex.Ellipsis, tensor(new[] { 0L, 3L })][1, 2], [20, 23]);
        Close.To(_x[tensor(new[] { false, true }), 0].flatten(), [12, 13, 14, 15]);
    }

    [Fact]
    public void Set_WritesIntoThePart()
    {
        _x[0, 1] = tensor(-1f);
        Close.To(_x[0, 1], [-1, -1, -1, -1]);
        _x[TensorIndex.Ellipsis, 0] = tensor(new[] { 7L });
        Close.To(_x[1, TensorIndex.Colon, 0], [7, 7, 7]);
        _x[_x > 20] = tensor(0f);
        Assert.Equal(19, _x.max().ToSingle());   // 20 made way for a 7 above
        _x[0, 0][tensor(new[] { 1L, 2L })] = tensor(new[] { 50f, 60f });
        Close.To(_x[0, 0], [7, 50, 60, 3]);
    }

    [Fact]
    public void Get_WithoutEntries_IsAnotherObject()
    {
        var all = _x[TensorIndex.Ellipsis];
        Assert.NotSame(_x, all);
        all.Dispose();
        Assert.Equal(24, _x.numel());
    }

    [Fact]
    public void Get_WithTooManyEntries_SaysSo()
    {
        var error = Assert.Throws<ArgumentException>(() => _x[0, 0, 0, 0]);
        Assert.Contains("[2, 3, 4]", error.Message);
        Assert.Throws<ArgumentException>(() => _x[TensorIndex.Ellipsis, TensorIndex.Ellipsis]);
        Assert.Throws<ArgumentOutOfRangeException>(() => TensorIndex.Slice(step: -1));
        Assert.Throws<TorchException>(() => _x[2]);
    }

    [Fact]
    public void Selections_ByIndex()
    {
        var index = tensor(new[] { 2L, 0L });
        Close.To(_x[0].index_select(0, index)[0], [8, 9, 10, 11]);
        Close.To(_x[0].gather(1, tensor(new[] { 3L, 0L, 1L }, [3, 1])).flatten(), [3, 4, 9]);
        Close.To(zeros(3).scatter(0, index, tensor(new[] { 5f, 6f })), [6, 0, 5]);
        Close.To(zeros(3).scatter_(0, index, 1), [1, 0, 1]);
        Close.To(ones(3).scatter_add(0, tensor(new[] { 1L, 1L }), tensor(new[] { 5f, 6f })), [1, 12, 1]);
        Close.To(ones(3).index_add(0, index, tensor(new[] { 1f, 2f }), 10), [21, 1, 11]);
        Close.To(zeros(3).index_copy_(0, index, tensor(new[] { 1f, 2f })), [2, 0, 1]);
        Close.To(zeros(3).index_fill_(0, index, 9), [9, 0, 9]);
        Close.To(_x.take(tensor(new[] { 0L, 23L })), [0, 23]);
        Close.To(zeros(3).index_put(tensor(4f), index), [4, 0, 4]);
    }

    [Fact]
    public void Selections_ByMask()
    {
        var mask = tensor(new[] { true, false, true });
        var v = tensor(new[] { 1f, 2f, 3f });
        Close.To(v.masked_fill(mask, -1), [-1, 2, -1]);
        Close.To(v.masked_fill(mask, tensor(-2f)), [-2, 2, -2]);
        Close.To(v.masked_select(mask), [1, 3]);
        Close.To(v.masked_scatter(mask, tensor(new[] { 8f, 9f })), [8, 2, 9]);
        Close.To(mask.nonzero().flatten(), [0, 2]);
        GradientCheck.Of(t => t[0].masked_fill(mask, 3).sum(), v);
    }

    [Fact]
    public void Triangles_AndDiagonals()
    {
        var m = arange(1, 5, dtype: float32).reshape(2, 2);
        Close.To(m.tril(), [1, 0, 3, 4]);
        Close.To(m.triu(), [1, 2, 0, 4]);
        Close.To(m.triu(1), [0, 2, 0, 0]);
        Close.To(m.diag(), [1, 4]);
        Close.To(tensor(new[] { 1f, 2f }).diag(), [1, 0, 0, 2]);
    }

    [Fact]
    public void Gradients_PassThroughIndices()
    {
        var index = tensor(new[] { 2L, 0L, 2L });
        GradientCheck.Of(t => t[0][TensorIndex.Colon, index, 1..3], _x);
        GradientCheck.Of(t => t[0][0].gather(0, tensor(new[] { 1L, 0L, 2L, 1L }, [1, 4])), _x);
        GradientCheck.Of(t => t[0][0].index_select(0, index), _x);
    }

    [Fact]
    public void Mask_OfSeveralDimensions_LeavesTheEntriesBehindItTheirDimensions()
    {
        using var scope = NewDisposeScope();
        var x = arange(18).view(2, 3, 3);
        var mask = tensor(new[] { true, false, false, false, true, true }, [2, 3]);
        Assert.Equal([1L, 13, 16], x[mask, 1].data<long>().ToArray());
        Assert.Equal([1L, 2, 13, 14, 16, 17], x[mask, TensorIndex.Slice(1)].data<long>().ToArray());
        Assert.Equal([2L, 0, 2], x[mask, tensor(new long[] { 2, 0, 2 })].remainder(3).data<long>().ToArray());
        x[mask, 2] = tensor(-1L);
        Assert.Equal([-1L, -1, -1], x[mask, 2].data<long>().ToArray());
        Assert.Equal(3, x.lt(0).sum().ToInt64());
    }
}
