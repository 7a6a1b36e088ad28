namespace StableTune.Torch.Tests.Checkpointing;

/// <summary>Exceptions in either pass of a checkpoint, and in other nodes of ours.</summary>
public sealed class CheckpointFaultTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    private static Tensor Leaf() => ones([4], float64, requires_grad: true);

    /// <summary>A checkpoint whose second pass fails.</summary>
    private static Tensor Failing(Tensor x, Exception? exception = null)
    {
        var runs = 0;
        exception ??= new InvalidDataException("second");
        return ActivationCheckpoint.RunDeterministic(t => ++runs == 1 ? t[0] * 2 : throw exception, x);
    }

    private static void AssertWorks()
    {
        var x = Leaf();
        Gradients.Backward(ActivationCheckpoint.Run(t => t[0].pow(2), x).sum());
        Close.To(x.grad!, [2, 2, 2, 2]);
    }

    [Fact]
    public void Exception_InTheFirstPass_ArrivesAsItself()
    {
        var error = Assert.Throws<InvalidDataException>(() =>
            ActivationCheckpoint.Run(_ => throw new InvalidDataException("mine"), Leaf()));
        Assert.Equal("mine", error.Message);
        AssertWorks();
    }

    private static Tensor ThrowsFromADeepPlace() => throw new InvalidDataException("deep");

    [Fact]
    public void Exception_InTheSecondPass_ComesFromBackwardWithItsStack()
    {
        var (x, runs) = (Leaf(), 0);
        var loss = ActivationCheckpoint.Run(t => ++runs == 1 ? t[0] * 2 : ThrowsFromADeepPlace(), x).sum();
        var error = Assert.Throws<InvalidDataException>(() => Gradients.Backward(loss));
        Assert.Equal("deep", error.Message);
        Assert.Contains(nameof(ThrowsFromADeepPlace), error.StackTrace);
        Assert.Null(x.grad);
        AssertWorks();
    }

    [Fact]
    public void Cancellation_InTheSecondPass_ComesFromBackward()
    {
        using var source = new CancellationTokenSource();
        var x = Leaf();
        var loss = ActivationCheckpoint.Run(t =>
        {
            source.Token.ThrowIfCancellationRequested();
            return t[0] * 2;
        }, x).sum();
        source.Cancel();
        var error = Assert.Throws<OperationCanceledException>(() => Gradients.Backward(loss));
        Assert.Equal(source.Token, error.CancellationToken);
        AssertWorks();
    }

    [Fact]
    public void ErrorOfAnOperator_InTheSecondPass_ComesFromBackward()
    {
        var (x, runs) = (Leaf(), 0);
        var loss = ActivationCheckpoint.Run(t => new Operator("aten::dot").Call(t[0], ones([++runs == 1 ? 4 : 3], float64)), x).sum();
        Assert.Equal("aten::dot", Record.Exception(() => Gradients.Backward(loss)) is TorchException error ? error.Operation : null);
        AssertWorks();
    }

    [Fact]
    public void OtherShape_InTheSecondPass_ComesFromBackward()
    {
        var (x, runs) = (Leaf(), 0);
        var loss = ActivationCheckpoint.Run(t => ++runs == 1 ? t[0] * 2 : t[0].narrow(0, 0, 3), x).sum();
        Assert.NotNull(Record.Exception(() => Gradients.Backward(loss)));
        AssertWorks();
    }

    [Fact]
    public void Exception_InANestedSecondPass_ComesFromBackward()
    {
        var (x, runs) = (Leaf(), 0);
        Tensor Inner(Tensor[] t) => ++runs < 3 ? t[0] * 2 : throw new InvalidDataException("inner");
        var loss = ActivationCheckpoint.Run(t => ActivationCheckpoint.Run(Inner, t[0].sin()), x).sum();
        Assert.Equal("inner", Assert.Throws<InvalidDataException>(() => Gradients.Backward(loss)).Message);
        Assert.Null(x.grad);
        AssertWorks();
    }

    [Fact]
    public void SeveralExceptions_GiveTheFirst()
    {
        var x = Leaf();
        var loss = Failing(Failing(x, new IOException("later")), new IOException("first")).sum();
        Assert.Equal("first", Assert.Throws<IOException>(() => Gradients.Backward(loss)).Message);
        AssertWorks();
    }

    [Fact]
    public void PlainBackward_KeepsTheException_ForTheNextCheckpoint()
    {
        var x = Leaf();
        Failing(x).sum().backward();
        Assert.Null(x.grad);
        Assert.Equal("second", Assert.Throws<InvalidDataException>(() => ActivationCheckpoint.Run(t => t[0], x)).Message);
        AssertWorks();
        Failing(x).sum().backward();
        Assert.Throws<InvalidDataException>(() => Gradients.Backward(x.sum()));
        AssertWorks();
        Failing(x).sum().backward();
        Assert.Throws<InvalidDataException>(() => Products.Conv2d(
            ones([1, 1, 2, 2], requires_grad: true), ones(1, 1, 1, 1), null, new([1, 1], [0, 0], [1, 1])));
        AssertWorks();
    }

    [Fact]
    public void Exception_OnOneThread_IsNotThrownOnAnother()
    {
        Failing(Leaf()).sum().backward();
        OnThread.Run(AssertWorks);
        Assert.Throws<InvalidDataException>(() => ActivationCheckpoint.Run(t => t[0], Leaf()));
    }

    [Fact]
    public void Exceptions_OnSeveralThreads_ArriveOnTheirOwn()
        => OnThread.Run(4, k =>
        {
            for (var step = 0; step < 50; step++)
            {
                using var scope = NewDisposeScope();
                var message = $"{k}, {step}";
                var loss = Failing(Leaf(), new IOException(message)).sum();
                Assert.Equal(message, Assert.Throws<IOException>(() => Gradients.Backward(loss)).Message);
                AssertWorks();
            }
        });

    [Fact]
    public void BackwardOnAnotherThread_ThrowsThere()
    {
        var loss = Failing(Leaf()).sum();
        OnThread.Run(() =>
        {
            Assert.Throws<InvalidDataException>(() => Gradients.Backward(loss));
            AssertWorks();
        });
        AssertWorks();
        var (x, runs) = (Leaf(), 0);
        Tensor Inner(Tensor[] t) => ++runs < 3 ? t[0] * 2 : throw new InvalidDataException("inner");
        var nested = ActivationCheckpoint.Run(t => ActivationCheckpoint.Run(Inner, t[0]), x).sum();
        OnThread.Run(() => Assert.Throws<InvalidDataException>(() => Gradients.Backward(nested)));
        AssertWorks();
    }

    [Fact]
    public void SecondDerivative_IsRefused()
    {
        var x = Leaf();
        var output = ActivationCheckpoint.Run(t => t[0].pow(3), x);
        Assert.NotNull(Record.Exception(() =>
        {
            output.sum().backward(create_graph: true);
            Gradients.Backward(x.sum());
        }) is NotSupportedException error && error.Message.Contains("no second derivative") ? error : null);
        AssertWorks();
    }

    [Fact]
    public void InputChangedInPlace_BetweenThePasses_IsTold()
    {
        var x = Leaf() * 1;
        var loss = ActivationCheckpoint.Run(t => t[0].exp(), x).sum();
        x.add_(1);
        Assert.Contains("modified by an inplace operation", Record.Exception(() => Gradients.Backward(loss))!.Message);
        AssertWorks();
    }

    [Fact]
    public void FrozenWeightChangedInPlace_BetweenThePasses_IsTold()
    {
        var weight = ones(1, 1, 1, 1);
        var loss = Products.Conv2d(ones([1, 1, 2, 2], requires_grad: true), weight, null, new([1, 1], [0, 0], [1, 1])).sum();
        weight.add_(1);
        Assert.Contains("modified by an inplace operation", Record.Exception(() => Gradients.Backward(loss))!.Message);
        AssertWorks();
    }

    [Fact]
    public void Backward_ThatCannotBe_NamesTheLoss()
    {
        Assert.StartsWith("backward failed for (Float32 []): ",
            Assert.Throws<TorchException>(() => Gradients.Backward(ones([2]).sum())).Message);
        Assert.StartsWith("backward failed for (Float64 [4]): ",
            Assert.Throws<TorchException>(() => Gradients.Backward(Leaf() * 2)).Message);
        Assert.Throws<ArgumentNullException>(() => Gradients.Backward(null!));
        var loss = Leaf().pow(2).sum();
        Gradients.Backward(loss);
        Assert.Throws<TorchException>(() => Gradients.Backward(loss));
    }

    [Fact]
    public void Backward_TwiceWithoutRetainGraph_IsToldOrDoneAgain()
    {
        // libtorch frees what it saved itself; TorchSharp's node keeps what a checkpoint saved, so that its second pass may work again.
        var x = Leaf();
        var loss = ActivationCheckpoint.Run(t => t[0].pow(2), x);
        Gradients.Backward(loss.sum());
        var error = Record.Exception(() => Gradients.Backward(loss.sum()));
        if (error is null) Close.To(x.grad!, [4, 4, 4, 4]);
        AssertWorks();
    }
}
