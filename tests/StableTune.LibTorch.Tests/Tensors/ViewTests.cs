namespace StableTune.LibTorch.Tests;

public sealed class ViewTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Tensor _x = arange(24, dtype: float32).reshape(2, 3, 4);

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Shapes_OfViews()
    {
        Assert.Equal([6, 4], _x.view(6, 4).shape);
        Assert.Equal([6, 4], _x.reshape(-1, 4).shape);
        Assert.Equal([2, 12], _x.flatten(1).shape);
        Assert.Equal([24], _x.flatten().shape);
        Assert.Equal([2, 3, 2, 2], _x.unflatten(2, 2, 2).shape);
        Assert.Equal([4, 2, 3], _x.permute(2, 0, 1).shape);
        Assert.Equal([3, 2, 4], _x.transpose(0, 1).shape);
        Assert.Equal([3, 4, 2], _x.movedim(0, 2).shape);
        Assert.Equal([2, 4, 3], _x.mT.shape);
        Assert.Equal([4, 3, 2], _x.T.shape);
        Assert.Equal([2, 1, 3, 4], _x.unsqueeze(1).shape);
        Assert.Equal([2, 3, 4], _x.unsqueeze(1).squeeze().shape);
        Assert.Equal([2, 3, 4], _x.unsqueeze(-1).squeeze(-1).shape);
        Assert.Equal([5, 2, 3, 4], _x.expand(5, -1, -1, -1).shape);
        Assert.Equal([2, 3, 4], zeros(3, 1).expand_as(_x).shape);
        Assert.Equal([2, 3, 4], zeros(4).broadcast_to(2, 3, 4).shape);
        Assert.Equal([4, 3, 8], _x.repeat(2, 1, 2).shape);
        Assert.Equal([2, 3, 8], _x.tile(2).shape);
        Assert.Equal([6, 4], _x.view_as(zeros(6, 4)).shape);
        Assert.Equal([2, 3, 2, 2], _x.unfold(2, 2, 2).shape);
    }

    [Fact]
    public void Views_ShareMemory_AndCopiesDoNot()
    {
        foreach (var view in (Tensor[])[_x.view(24), _x.t_like(), _x.narrow(0, 1, 1), _x.select(1, 2), _x.alias(), _x.detach(), _x.expand(2, 3, 4)])
            Assert.True(view.SharesStorageWith(_x));
        foreach (var copy in (Tensor[])[_x.clone(), _x.repeat(1, 1, 1), _x.flip(0), _x.transpose(0, 1).contiguous()])
            Assert.False(copy.SharesStorageWith(_x));
    }

    [Fact]
    public void Elements_StayWhereTheIndicesSay()
    {
        Close.To(_x.select(0, 1).select(1, 0), [12, 16, 20]);
        Close.To(_x.narrow(2, 1, 2)[0, 0], [1, 2]);
        Close.To(_x.slice(2, 0, 4, 3)[1, 2], [20, 23]);
        Close.To(_x[0].diagonal(), [0, 5, 10]);
        Close.To(_x[0, 0].flip(0), [3, 2, 1, 0]);
        Close.To(_x[0, 0].roll(1, 0), [3, 0, 1, 2]);
        Close.To(tensor(new[] { 1f, 2f }).repeat_interleave(2), [1, 1, 2, 2]);
        Close.To(tensor(new[] { 1f, 2f }).repeat_interleave(tensor(new[] { 1L, 3L })), [1, 2, 2, 2]);
        Close.To(tensor(new[] { 1f, 2f, 3f, 4f }, [2, 2]).t(), [1, 3, 2, 4]);
    }

    [Fact]
    public void Parts_CoverTheWhole()
    {
        Assert.Equal([2, 1], _x.split(2, 1).Select(part => part.size(1)));
        Assert.Equal([1, 3], _x.split([1, 3], 2).Select(part => part.size(2)));
        Assert.Equal([2, 2], _x.chunk(2, 2).Select(part => part.size(2)));
        Close.To(cat(_x.chunk(3, 1), 1), _x);
        Close.To(stack(_x.unbind(1), 1), _x);
        Assert.Equal(24, _x.reshape(24).split(1).Length);   // more parts than one call's buffer holds
    }

    [Fact]
    public void View_AsAnotherDtype_ReadsTheBytes()
        => Assert.Equal(0x3f800000, ones(1).view(int32).ToInt32());

    [Fact]
    public void Size_OfADimension_CountsFromBothEnds()
    {
        Assert.Equal(4, _x.size(-1));
        Assert.Equal(2, _x.size(0));
        Assert.Equal(12, _x.stride(0));
        Assert.Equal([12L, 4L, 1L], _x.stride());
        Assert.Equal(3, _x.dim());
        Assert.Equal(24, _x.numel());
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => _x.size(3));
        Assert.Contains("3 dimension", error.Message);
    }

    [Fact]
    public void Contiguity_FollowsTheMemory()
    {
        Assert.True(_x.is_contiguous());
        Assert.False(_x.transpose(0, 2).is_contiguous());
        Assert.True(_x.transpose(0, 2).contiguous().is_contiguous());
    }

    [Fact]
    public void Gradients_PassThroughViews()
    {
        GradientCheck.Of(t => t[0].permute(2, 0, 1).reshape(4, 6).narrow(1, 1, 3).flatten(), _x);
        GradientCheck.Of(t => t[0].unsqueeze(0).expand(2, -1, -1, -1), _x);
        GradientCheck.Of(t => t[0].repeat_interleave(2, 1).roll(1, 1).flip(2), _x);
        GradientCheck.Of(t => cat([t[0].chunk(2, 2)[0], t[0].select(1, 0).unsqueeze(1)[.., .., ..2]], 1), _x);
    }
}

file static class Shorthand
{
    internal static Tensor t_like(this Tensor x) => x.transpose(0, 1);
}
