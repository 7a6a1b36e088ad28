namespace StableTune.LibTorch.Tests;

[Collection(CountingTensors.Name)]
public sealed class CheckpointTests : IDisposable
{
    private static readonly Operator s_dropout = new("dropout");
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    private static Tensor Block(Tensor x, Tensor y, Tensor weight)
    {
        using var scope = NewDisposeScope();
        var hidden = s_dropout.Run(x.matmul(weight).tanh(), 0.5, true);
        return (hidden * y).MoveToOuterDisposeScope();
    }

    [Fact]
    public void Checkpoint_EqualsTheSegment_WithGradientsAndDropout()
    {
        var x = randn([3, 4], float64, requires_grad: true);
        var y = randn([3, 4], float64, requires_grad: true);
        var weight = randn([4, 4], float64, requires_grad: true);
        (Tensor Output, Tensor[] Gradients, Tensor After) Run(Func<Tensor> forward)
        {
            manual_seed(3).Dispose();
            foreach (var leaf in (Tensor[])[x, y, weight]) leaf.grad = null;
            var output = forward();
            randn(7);   // draws between the passes must not matter to the second run, nor be undone by it
            output.pow(2).sum().backward();
            return (output.detach(), [x.grad!.clone(), y.grad!.clone(), weight.grad!.clone()], randn(3));
        }
        var plain = Run(() => Block(x, y, weight));
        var runs = 0;
        var saved = Run(() => engine.checkpoint(
            inputs =>
            {
                runs++;
                return Block(inputs[0], inputs[1], weight);
            },
            x, y));
        Assert.Equal(2, runs);
        Assert.True(plain.Output.equal(saved.Output));
        for (var k = 0; k < 3; k++) Assert.True(plain.Gradients[k].equal(saved.Gradients[k]), $"gradient {k}");
        Assert.True(plain.After.equal(saved.After));
    }

    [Fact]
    public void Checkpoint_WhenNoInputWantsAGradient_StillReachesParameters()
    {
        var x = randn(2, 4);
        var weight = randn([4, 4], requires_grad: true);
        var output = engine.checkpoint(inputs => inputs[0].matmul(weight), x);
        Assert.True(output.requires_grad);
        output.sum().backward();
        Close.To(weight.grad!, x.sum(0).unsqueeze(1).expand(4, 4));
        Assert.Null(x.grad);
    }

    [Fact]
    public void Checkpoint_InsideACheckpoint()
    {
        var x = randn([2, 3], float64, requires_grad: true);
        var output = engine.checkpoint(outer => engine.checkpoint(inner => inner[0].sin(), outer[0]).cos(), x);
        output.sum().backward();
        Close.To(x.grad!, -x.sin().sin() * x.cos(), 1e-12);
    }

    [Fact]
    public void Checkpoint_ReturningItsInput_GivesAnObjectOfItsOwn()
    {
        var x = randn([2], requires_grad: true);
        var output = engine.checkpoint(inputs => inputs[0], x * 1);
        output.sum().backward();
        Close.To(x.grad!, [1, 1]);
        using var off = no_grad();
        var same = engine.checkpoint(inputs => inputs[0], x);
        Assert.NotSame(x, same);
        same.Dispose();
        Assert.Equal(2, x.numel());
    }

    [Fact]
    public void Checkpoint_KeepsNoActivations()
    {
        var x = randn([64], requires_grad: true);
        var before = engine.live_tensors;
        var output = engine.checkpoint(inputs => inputs[0].exp().sin().cos().tanh(), x);
        Assert.Equal(before + 1, engine.live_tensors);
        output.sum().backward();
        Assert.Equal(before + 2, engine.live_tensors);   // the sum
    }

    [Fact]
    public void Segment_IsLetGo_WithTheGraph_AlsoWithoutABackwardPass()
    {
        var before = engine.LiveSegments;
        var x = randn([4], requires_grad: true);
        using (NewDisposeScope())
        {
            engine.checkpoint(inputs => inputs[0].exp(), x);
            Assert.Equal(before + 1, engine.LiveSegments);
        }
        Assert.Equal(before, engine.LiveSegments);
        using (NewDisposeScope()) engine.checkpoint(inputs => inputs[0].exp(), x).sum().backward();
        Assert.Equal(before, engine.LiveSegments);
    }

    [Fact]
    public void Exception_InTheFirstRun_ArrivesAsItself()
    {
        var before = engine.LiveSegments;
        var x = randn([4], requires_grad: true);
        var error = Assert.Throws<InvalidDataException>(() => engine.checkpoint(_ => throw new InvalidDataException("mine"), x));
        Assert.Equal("mine", error.Message);
        Assert.Contains(nameof(Exception_InTheFirstRun_ArrivesAsItself), error.StackTrace);
        Assert.Equal(before, engine.LiveSegments);
    }

    [Fact]
    public void Exception_InTheSecondRun_ArrivesFromBackward()
    {
        var before = engine.LiveSegments;
        using (NewDisposeScope())
        {
            var x = randn([4], requires_grad: true);
            var runs = 0;
            var output = engine.checkpoint(inputs => ++runs == 1 ? inputs[0] * 2 : throw new InvalidDataException("second"), x);
            Assert.Equal("second", Assert.Throws<InvalidDataException>(() => output.sum().backward()).Message);
        }
        Assert.Equal(before, engine.LiveSegments);
    }

    [Fact]
    public void Exception_OfAnOperatorInside_KeepsItsName()
    {
        var x = randn([4], requires_grad: true);
        var error = Assert.Throws<TorchException>(() => engine.checkpoint(inputs => inputs[0].matmul(ones(3)), x));
        Assert.Equal("aten::matmul", error.Operation);
        Assert.Throws<InvalidOperationException>(() => engine.checkpoint(_ => null!, x));
    }

    [Fact]
    public void Grad_ThroughACheckpoint_ReachesItsInputs()
    {
        var x = tensor(new[] { 2.0 }, requires_grad: true);
        var output = engine.checkpoint(inputs => inputs[0].pow(3), x);
        Close.To(autograd.grad([output.sum()], [x])[0], [12]);
    }

    [Fact]
    public void SecondDerivative_ThroughACheckpoint_IsRefused()
    {
        var x = full([3], 2.0, float64, requires_grad: true);
        var y = engine.checkpoint(inputs => inputs[0].pow(3), x);
        var error = Assert.Throws<TorchException>(() => autograd.grad([y.sum()], [x], create_graph: true));
        Assert.Contains("second derivative", error.Message);
    }

    [Fact]
    public void Backward_Twice_WithRetainGraph_AccumulatesTwice()
    {
        var x = full([3], 2.0, float64, requires_grad: true);
        var y = engine.checkpoint(inputs => inputs[0] * inputs[1] * inputs[1], x, x).sum();
        y.backward(null, retain_graph: true);
        y.backward();
        Assert.Equal([24.0, 24, 24], x.grad!.data<double>().ToArray());
    }

    [Fact]
    public void HundredSteps_LeaveTheCountWhereItWas()
    {
        var weight = randn([8, 8], requires_grad: true);
        var before = engine.live_tensors;
        for (var step = 0; step < 100; step++)
        {
            using var scope = NewDisposeScope();
            var x = randn(2, 8);
            for (var layer = 0; layer < 3; layer++) x = engine.checkpoint(inputs => Block(inputs[0], inputs[0], weight), x);
            x.sum().backward();
            weight.grad = null;
        }
        Assert.Equal(before, engine.live_tensors);
    }
}
