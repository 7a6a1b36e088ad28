namespace StableTune.Torch.Tests.Checkpointing;

/// <summary>Values and gradients of checkpoints.</summary>
public sealed class ActivationCheckpointTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    private static Tensor Block(Tensor x, Tensor y, Tensor weight)
    {
        using var scope = NewDisposeScope();
        return (x.matmul(weight).tanh() * y).MoveToOuterDisposeScope();
    }

    /// <summary>A result and the gradients of the leaves, which are without any afterwards.</summary>
    private static (Tensor Output, Tensor[] Gradients) Differentiated(Func<Tensor> forward, params Tensor[] leaves)
    {
        var output = forward();
        Gradients.Backward(output.pow(2).sum());
        Tensor[] gradients = [.. leaves.Select(leaf => leaf.grad!.clone())];
        foreach (var leaf in leaves) leaf.grad = null;
        return (output.detach(), gradients);
    }

    private static void AssertSame(Func<Tensor> plain, Func<Tensor> saved, Tensor[] leaves, double tolerance = 0)
    {
        var (expected, actual) = (Differentiated(plain, leaves), Differentiated(saved, leaves));
        Close.Same(expected.Output, actual.Output);
        for (var k = 0; k < leaves.Length; k++) Close.To(actual.Gradients[k], expected.Gradients[k], tolerance);
    }

    [Fact]
    public void Run_EqualsTheSegment_BitByBit()
    {
        var (x, y, weight) = (Leaf(3, 4), Leaf(3, 4), Leaf(4, 4));
        AssertSame(() => Block(x, y, weight), () => ActivationCheckpoint.Run(t => Block(t[0], t[1], weight), x, y), [x, y, weight]);
        AssertSame(() => Block(x, y, weight), () => ActivationCheckpoint.RunDeterministic(t => Block(t[0], t[1], weight), x, y),
            [x, y, weight]);
    }

    [Fact]
    public void Run_GradientsMatchDifferences()
    {
        var constant = randn([3, 4], float64);
        GradientCheck.Of(t => ActivationCheckpoint.Run(s => Block(s[0], s[1], s[2]), t[0], constant, t[1]), randn([3, 4], float64),
            randn([4, 4], float64));
    }

    [Fact]
    public void Run_CallsTheSegmentOnceInEachPass()
    {
        var (x, runs) = (Leaf(2), 0);
        var output = ActivationCheckpoint.Run(t =>
        {
            runs++;
            return t[0].exp();
        }, x);
        Assert.Equal(1, runs);
        Gradients.Backward(output.sum());
        Assert.Equal(2, runs);
    }

    [Fact]
    public void Run_WhenNoInputWantsAGradient_ReachesParameters()
    {
        var (x, weight) = (randn([2, 4], float64), Leaf(4, 4));
        var output = ActivationCheckpoint.Run(t => t[0].matmul(weight), x);
        Assert.True(output.requires_grad);
        Gradients.Backward(output.sum());
        Close.To(weight.grad!, x.sum(0L).unsqueeze(1).expand(4, 4), 1e-14);
        Assert.Null(x.grad);
    }

    [Fact]
    public void Run_WithoutInputs_ReachesParameters()
    {
        var weight = Leaf(4);
        Gradients.Backward(ActivationCheckpoint.Run(_ => weight.pow(2)).sum());
        Close.To(weight.grad!, 2 * weight, 1e-14);
    }

    [Fact]
    public void Run_WhenNothingWantsAGradient_GivesNone()
    {
        var x = randn([3], float64);
        var output = ActivationCheckpoint.Run(t => t[0].exp(), x);
        Gradients.Backward(output.sum());
        Assert.Null(x.grad);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Run_Nested_EqualsTheSegment(int depth)
    {
        var (x, weight) = (Leaf(3, 4), Leaf(4, 4));
        Tensor Nested(Tensor input, int levels) => levels == 0
            ? Block(input, input, weight)
            : ActivationCheckpoint.Run(t => Nested(t[0].sin(), levels - 1).cos(), input);
        Tensor Plain(Tensor input, int levels) => levels == 0 ? Block(input, input, weight) : Plain(input.sin(), levels - 1).cos();
        AssertSame(() => Plain(x, depth), () => Nested(x, depth), [x, weight]);
    }

    [Fact]
    public void Run_SeveralTimesInOneGraph_EqualsTheSegments()
    {
        var (x, weight) = (Leaf(3, 4), Leaf(4, 4));
        var segment = (Tensor[] t) => Block(t[0], t[0], weight);
        AssertSame(
            () => Enumerable.Range(0, 3).Aggregate(x, (hidden, _) => Block(hidden, hidden, weight)) + Block(x, x, weight),
            () => Enumerable.Range(0, 3).Aggregate(x, (hidden, _) => ActivationCheckpoint.Run(segment, hidden))
                + ActivationCheckpoint.Run(segment, x),
            [x, weight],
            tolerance: 1e-13);   // gradients are summed in another order
    }

    [Fact]
    public void Run_WithTheSameInputTwice_AddsBothGradients()
    {
        var x = Leaf(3);
        Gradients.Backward(ActivationCheckpoint.Run(t => t[0] * t[1], x, x).sum());
        Close.To(x.grad!, 2 * x, 1e-14);
    }

    [Fact]
    public void Run_OfAnInputThatIsUnused_GivesItNoGradient()
    {
        var (x, unused) = (Leaf(3), Leaf(3));
        Gradients.Backward(ActivationCheckpoint.Run(t => t[0].exp(), x, unused).sum());
        Assert.NotNull(x.grad);
        Assert.Null(unused.grad);
    }

    [Fact]
    public void Run_OfOutputThatIsUnused_LeavesTheSegmentAlone()
    {
        var (x, runs) = (Leaf(3), 0);
        ActivationCheckpoint.Run(t => (++runs, t[0].exp()).Item2, x);
        Gradients.Backward(x.sum());
        Assert.Equal(1, runs);
    }

    [Fact]
    public void Run_WhoseOutputGetsNoGradient_IsNotRunAgain()
    {
        var (x, weight, runs) = (Leaf(3), Leaf(3), 0);
        var first = ActivationCheckpoint.Run(t => (++runs, t[0].exp()).Item2, x);
        Gradients.Backward(ActivationCheckpoint.Run(_ => weight * 2, first).sum());
        Assert.Equal(1, runs);
        Assert.Null(x.grad);
        Close.To(weight.grad!, [2, 2, 2]);
    }

    [Fact]
    public void Run_AroundFrozenLayers_EqualsThem()
    {
        using var conv = new Conv2d(4, 4, 3, padding: 1).SetRequiresGrad(false);
        using var norm = new GroupNorm(2, 4);
        conv.to(ScalarType.Float64);
        norm.to(ScalarType.Float64);
        var x = Leaf(2, 4, 5, 5);
        Tensor Layers(Tensor input) => conv.call(norm.call(conv.call(input)).relu());
        AssertSame(() => Layers(x), () => ActivationCheckpoint.Run(t => Layers(t[0]), x), [x, norm.weight, norm.bias]);
    }

    [Fact]
    public void Run_ReturningItsInput_GivesATensorOfItsOwn()
    {
        var x = Leaf(2);
        var same = ActivationCheckpoint.Run(t => t[0], x);
        Assert.NotSame(x, same);
        Gradients.Backward((same * 3).sum());
        Close.To(x.grad!, [3, 3]);
        same.Dispose();
        using (no_grad()) ActivationCheckpoint.Run(t => t[0], x).Dispose();
        Assert.Equal(2, x.numel());
    }

    [Fact]
    public void Run_ReturningWhatItDidNotMake_LeavesThatAlone()
    {
        var (x, constant, weight) = (Leaf(2), ones([2], float64), Leaf(2));
        var output = ActivationCheckpoint.Run(_ => constant, x);
        Assert.False(constant.requires_grad);
        Gradients.Backward(output.sum());
        Gradients.Backward(ActivationCheckpoint.Run(_ => weight, x).sum());
        Assert.True(weight.is_leaf);
        Close.To(weight.grad!, [1, 1]);
        using var inner = NewDisposeScope();
        using var off = no_grad();
        var own = ones(1);
        ActivationCheckpoint.Run(_ => own, x);
        Assert.True(inner.Contains(own));
    }

    [Fact]
    public void Output_CanBeChangedInPlace()
    {
        var x = Leaf(3);
        var output = ActivationCheckpoint.Run(t => t[0].exp(), x);
        output.mul_(2);
        Gradients.Backward(output.sum());
        Close.To(x.grad!, 2 * x.exp(), 1e-14);
    }

    [Fact]
    public void Run_UnderNoGrad_RecordsNothing()
    {
        var x = Leaf(3);
        using var off = no_grad();
        var output = ActivationCheckpoint.Run(t => t[0].exp(), x);
        Assert.False(output.requires_grad);
        Close.To(output, x.exp(), 0);
    }

    [Fact]
    public void Run_WithWrongArguments_IsRefusedAtOnce()
    {
        var x = Leaf(3);
        Assert.Throws<InvalidOperationException>(() => ActivationCheckpoint.Run(_ => null!, x));
        Assert.Throws<ArgumentNullException>(() => ActivationCheckpoint.Run(null!, x));
        Assert.Throws<ArgumentNullException>(() => ActivationCheckpoint.Run(t => t[0], null!));
        Assert.Throws<ArgumentException>(() => ActivationCheckpoint.Run(t => t[0], x, null!));
    }

    [Fact]
    public void Backward_TwiceWithRetainGraph_AddsBoth()
    {
        var x = Leaf(3);
        var loss = ActivationCheckpoint.Run(t => t[0].pow(3), x).sum();
        loss.backward(retain_graph: true);
        Gradients.Backward(loss);
        Close.To(x.grad!, 6 * x.pow(2), 1e-13);
    }

    [Fact]
    public void Grad_WithRespectToAnInput_GoesThrough()
    {
        var x = Leaf(3);
        var output = ActivationCheckpoint.Run(t => t[0].pow(3), x);
        Close.To(autograd.grad([output.sum()], [x])[0], 3 * x.pow(2), 1e-13);
    }

    [Fact]
    public void Run_OnSeveralThreads_GivesEachItsOwn()
        => OnThread.Run(4, k =>
        {
            var weight = full([4, 4], k + 1.0, float64, requires_grad: true);
            for (var step = 0; step < 50; step++)
            {
                using var scope = NewDisposeScope();
                var x = ones([2, 4], float64).requires_grad_();
                var output = ActivationCheckpoint.RunDeterministic(t =>
                    ActivationCheckpoint.RunDeterministic(s => s[0].matmul(weight), t[0]) * 2, x);
                Gradients.Backward(output.sum());
                Close.To(x.grad!, full([2, 4], 8 * (k + 1.0), float64));
                Close.To(weight.grad!, full([4, 4], 4.0, float64));
                weight.grad = null;
            }
        });

    [Fact]
    public void Backward_OnAnotherThread_EqualsTheSegment()
    {
        var (x, weight) = (Leaf(3, 4), Leaf(4, 4));
        var (_, expected) = Differentiated(() => Block(x, x, weight), x, weight);
        var loss = ActivationCheckpoint.Run(t => ActivationCheckpoint.Run(s => Block(s[0], s[0], weight), t[0]), x).pow(2).sum();
        OnThread.Run(() => Gradients.Backward(loss));
        Close.Same(expected[0], x.grad!);
        Close.Same(expected[1], weight.grad!);
    }

    private static Tensor Leaf(params long[] shape) => randn(shape, float64, requires_grad: true);
}
