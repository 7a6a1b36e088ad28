namespace StableTune.Torch.Tests.Checkpointing;

/// <summary>What checkpoints do to the default random stream, which belongs to the process.</summary>
[Collection(CountingTensors.Name)]
public sealed class CheckpointRandomnessTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    private static Tensor Dropped(Tensor x) => nn.functional.dropout(x.exp(), 0.5, training: true);

    /// <summary>The gradient, and what the stream gives between the passes and after them.</summary>
    private static (Tensor Gradient, Tensor Between, Tensor After) Run(Func<Tensor, Tensor> forward)
    {
        manual_seed(3).Dispose();
        var x = linspace(-1, 1, 64, float64).requires_grad_();
        var output = forward(x);
        var between = randn(7);
        Gradients.Backward(output.pow(2).sum());
        return (x.grad!, between, randn(7));
    }

    private static void AssertSame((Tensor Gradient, Tensor Between, Tensor After) expected,
        (Tensor Gradient, Tensor Between, Tensor After) actual)
    {
        Close.Same(expected.Gradient, actual.Gradient);
        Close.Same(expected.Between, actual.Between);
        Close.Same(expected.After, actual.After);
    }

    [Fact]
    public void Dropout_FallsTheSameWay_AndTheStreamGoesOn()
        => AssertSame(Run(Dropped), Run(x => ActivationCheckpoint.Run(t => Dropped(t[0]), x)));

    [Fact]
    public void Dropout_InNestedCheckpoints_FallsTheSameWay()
        => AssertSame(
            Run(x => Dropped(Dropped(Dropped(x)))),
            Run(x => ActivationCheckpoint.Run(t => Dropped(ActivationCheckpoint.Run(s => Dropped(s[0]), Dropped(t[0]))), x)));

    [Fact]
    public void Dropout_InTwoCheckpoints_FallsTheSameWay()
        => AssertSame(
            Run(x => Dropped(Dropped(x))),
            Run(x => ActivationCheckpoint.Run(t => Dropped(t[0]), ActivationCheckpoint.Run(t => Dropped(t[0]), x))));

    [Fact]
    public void Stream_AfterAFault_IsWhereItWas()
    {
        manual_seed(3).Dispose();
        var x = ones([64], requires_grad: true);
        var runs = 0;
        var output = ActivationCheckpoint.Run(t =>
        {
            var dropped = Dropped(t[0]);
            return ++runs == 1 ? dropped : throw new InvalidDataException();
        }, x);
        var state = get_rng_state();
        Assert.Throws<InvalidDataException>(() => Gradients.Backward(output.sum()));
        Close.Same(state, get_rng_state());
    }

    [Fact]
    public void RunDeterministic_LeavesTheStreamAlone()
    {
        manual_seed(3).Dispose();
        var x = ones([64], requires_grad: true);
        var drawn = new List<Tensor>();
        var output = ActivationCheckpoint.RunDeterministic(t =>
        {
            drawn.Add(randn(5).DetachFromDisposeScope());
            return t[0].exp();
        }, x);
        Gradients.Backward(output.sum());
        manual_seed(3).Dispose();
        Close.Same(randn(5), drawn[0]);
        Close.Same(randn(5), drawn[1]);   // the next draw of the stream, not the first one again
        drawn.ForEach(tensor => tensor.Dispose());
    }
}
