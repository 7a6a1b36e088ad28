namespace StableTune.LibTorch.Tests;

public sealed class AutogradTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void GradientSwitch_DisposedTwice_SetsBackOnce()
    {
        var inner = no_grad();
        inner.Dispose();
        using (no_grad())
        {
            inner.Dispose();
            Assert.False(is_grad_enabled());
        }

        Assert.True(is_grad_enabled());
    }

    [Fact]
    public void Backward_AccumulatesIntoLeaves()
    {
        var x = tensor(new[] { 1f, 2f }, requires_grad: true);
        Assert.Null(x.grad);
        (x * x).sum().backward();
        Close.To(x.grad!, [2, 4]);
        (x * x).sum().backward();
        Close.To(x.grad!, [4, 8]);
        x.grad = null;
        Assert.Null(x.grad);
        x.grad = ones(2);
        Close.To(x.grad!, [1, 1]);
    }

    [Fact]
    public void Backward_WithAGradient_OfATensor()
    {
        var x = tensor(new[] { 1f, 2f }, requires_grad: true);
        (x * 3).backward(tensor(new[] { 10f, 100f }));
        Close.To(x.grad!, [30, 300]);
    }

    [Fact]
    public void Backward_IntoSomeLeavesOnly()
    {
        var x = ones([2], requires_grad: true);
        var y = ones([2], requires_grad: true);
        (x * y).sum().backward(null, inputs: [x]);
        Assert.NotNull(x.grad);
        Assert.Null(y.grad);
    }

    [Fact]
    public void Grad_GivesGradientsWithoutAccumulating()
    {
        var x = tensor(new[] { 2.0 }, requires_grad: true);
        var y = x.pow(3).sum();
        var first = autograd.grad([y], [x], create_graph: true)[0];
        Close.To(first, [12]);
        Close.To(autograd.grad([first.sum()], [x])[0], [12]);   // the second derivative, 6x
        Assert.Null(x.grad);
    }

    [Fact]
    public void Grad_OfAnUnusedInput_FailsUnlessAllowed()
    {
        var x = ones([1], requires_grad: true);
        var unused = ones([1], requires_grad: true);
        Assert.Throws<TorchException>(() => autograd.grad([(x * 2).sum()], [x, unused]));
        var gradients = autograd.grad([(x * 2).sum()], [x, unused], allow_unused: true);
        Close.To(gradients[0], [2]);
        Assert.Null(gradients[1]);
        Assert.Throws<ArgumentException>(() => autograd.grad([x], [x], [ones(1), ones(1)]));
    }

    [Fact]
    public void Switches_NestAndReturn()
    {
        Assert.True(is_grad_enabled());
        using (no_grad())
        {
            Assert.False(is_grad_enabled());
            using (enable_grad()) Assert.True(is_grad_enabled());
            using (set_grad_enabled(true)) Assert.True(is_grad_enabled());
            Assert.False(is_grad_enabled());
            Assert.False((ones([1], requires_grad: true) * 2).requires_grad);
        }
        Assert.True(is_grad_enabled());
        using (inference_mode()) Assert.True(is_inference_mode_enabled());
        Assert.False(is_inference_mode_enabled());
    }

    [Fact]
    public void Switches_BelongToTheirThread()
    {
        using var off = no_grad();
        var elsewhere = false;
        var thread = new Thread(() => elsewhere = is_grad_enabled());
        thread.Start();
        thread.Join();
        Assert.True(elsewhere);
        Assert.False(is_grad_enabled());
    }

    [Fact]
    public void Leaves_AndDetachedTensors()
    {
        var x = ones([1], requires_grad: true);
        var y = x * 2;
        Assert.True(x.is_leaf);
        Assert.False(y.is_leaf);
        Assert.True(y.requires_grad);
        Assert.False(y.detach().requires_grad);
        y.retain_grad();
        y.sum().backward();
        Close.To(y.grad!, [1]);
        Assert.False(x.requires_grad_(false).requires_grad);
    }

    [Fact]
    public void RequiresGrad_OfIntegers_NamesTheTensor()
        => Assert.Contains("Int64 [2]", Assert.Throws<TorchException>(() => ones(2, dtype: int64).requires_grad_()).Message);

    [Fact]
    public void Backward_OfWhatWasNotRecorded_SaysSo()
        => Assert.Contains("backward of Float32 []", Assert.Throws<TorchException>(() => ones([]).backward()).Message);

    [Fact]
    public void Backward_AfterAChangeInPlace_IsRefused()
    {
        var x = ones([2], requires_grad: true);
        var y = x * 1;
        var z = y.pow(2);
        y.add_(1);
        Assert.Contains("inplace operation", Assert.Throws<TorchException>(() => z.sum().backward()).Message);
    }
}
