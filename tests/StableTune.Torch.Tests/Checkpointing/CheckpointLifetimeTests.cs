using StableTune.Testing;

namespace StableTune.Torch.Tests.Checkpointing;

/// <summary>What checkpoints keep, and that nothing of it stays.</summary>
[Collection(CountingTensors.Name)]
public sealed class CheckpointLifetimeTests
{
    private const int Size = 1 << 18;                              // 1 MiB of float32: what stays behind would be seen
    private static readonly int Steps = Exhaustive.Runs(1000, 20_000);

    private static Tensor Segment(Tensor x, Tensor weight) => (x.exp().sin().cos() * weight).tanh();

    private static Tensor Quick(Tensor x, Tensor weight) => (x * weight).relu() * weight;

    private static void Step(Tensor weight, bool fails = false, bool plainBackward = false)
    {
        using var scope = NewDisposeScope();
        var (x, runs) = (ones(weight.shape), 0);
        Tensor Body(Tensor[] t) => fails && ++runs > 1 ? throw new InvalidDataException() : Quick(t[0], weight);
        x = ActivationCheckpoint.Run(Body, x);
        x = ActivationCheckpoint.RunDeterministic(t => ActivationCheckpoint.RunDeterministic(s => Quick(s[0], weight), t[0]) * 2, x);
        var loss = x.sum();
        if (plainBackward) loss.backward();
        else if (fails) Assert.Throws<InvalidDataException>(() => Gradients.Backward(loss));
        else Gradients.Backward(loss);
        weight.grad = null;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Steps_LeaveNoTensorsBehind(bool fails)
    {
        using var weight = ones([8], requires_grad: true);
        Step(weight, fails);
        var before = TensorCount.Live;
        for (var k = 0; k < Steps; k++) Step(weight, fails);
        Assert.Equal(before, TensorCount.Live);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Steps_LeaveNoMemoryBehind(bool fails, bool plainBackward)
    {
        if (!OperatingSystem.IsLinux()) return;
        using var weight = ones([Size / 8], requires_grad: true);   // 128 KiB: one tensor that stays in each step makes 25 MiB
        for (var k = 0; k < 30; k++) Step(weight, fails, plainBackward);
        var before = CountingTensors.ResidentBytes();
        for (var k = 0; k < 200; k++) Step(weight, fails, plainBackward);
        Assert.InRange(CountingTensors.ResidentBytes() - before, long.MinValue, 16 << 20);
    }

    [Fact]
    public void Run_KeepsNothingButTheOutput()
    {
        using var scope = NewDisposeScope();
        var x = ones([Size], requires_grad: true);
        var before = TensorCount.Live;
        var output = ActivationCheckpoint.RunDeterministic(t => Segment(t[0], t[0]), x);
        // neither TorchSharp's empty tensor of the output's size nor the anchor
        Assert.Equal(before + 1, TensorCount.Live);
        Gradients.Backward(output.sum());
        Assert.Equal(before + 2, TensorCount.Live);                 // the sum
    }

    [Fact]
    public void Run_KeepsNoActivations()
    {
        if (!OperatingSystem.IsLinux()) return;
        const int size = 10 << 20;                                  // 40 MiB: glibc gives as much back to the system at once
        using var scope = NewDisposeScope();
        var x = ones([size], requires_grad: true);
        long Kept(Func<Tensor, Tensor> forward)
        {
            using var inner = NewDisposeScope();
            var before = CountingTensors.ResidentBytes();
            forward(x);
            return CountingTensors.ResidentBytes() - before;
        }
        Kept(t => ActivationCheckpoint.RunDeterministic(s => Segment(s[0], s[0]), t));
        var plain = Kept(t => Segment(t, t));
        var saved = Kept(t => ActivationCheckpoint.RunDeterministic(s => Segment(s[0], s[0]), t));
        Assert.InRange(plain, 150L << 20, long.MaxValue);           // five activations
        Assert.InRange(saved, long.MinValue, 80L << 20);            // the output
    }

    [Fact]
    public void Graph_ThatIsNeverDifferentiated_IsLetGo()
    {
        using var x = ones([8], requires_grad: true);
        var held = new WeakReference(null);
        void Forward()
        {
            using var scope = NewDisposeScope();
            var big = new byte[1];
            held.Target = big;
            ActivationCheckpoint.Run(t => t[0] * big.Length, x);
        }
        var before = TensorCount.Live;
        Forward();
        Assert.Equal(before, TensorCount.Live);
        CountingTensors.Settle();
        Assert.False(held.IsAlive);
    }

    [Fact]
    public void ThreadsThatEnd_LeaveNothingBehind()
    {
        using var weight = ones([8], requires_grad: true);
        Step(weight);
        var before = TensorCount.Live;
        for (var k = 0; k < 20; k++)
            OnThread.Run(() =>
            {
                using var own = ones([8], requires_grad: true);
                Step(own);
            });
        Assert.Equal(before, TensorCount.Live);
        OnThread.Run(() =>
        {
            using var own = ones([8], requires_grad: true);
            Step(own, plainBackward: true);
        });
        CountingTensors.Settle();                                   // with a plain backward() the last gradients go with the thread
        CountingTensors.Settle();
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void BackwardOnAThreadWithoutADisposeScope_LeavesNothingBehind()
    {
        using var weight = ones([8], requires_grad: true);
        void Step()
        {
            using var scope = NewDisposeScope();
            var loss = ActivationCheckpoint.Run(t => ActivationCheckpoint.Run(s => Quick(s[0], weight), t[0] * 2), ones(8)).sum();
            var thread = new Thread(() => Gradients.Backward(loss));
            thread.Start();
            thread.Join();
            weight.grad = null;
        }
        Step();
        var before = TensorCount.Live;
        for (var k = 0; k < 20; k++) Step();
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void FrozenProduct_KeepsNothingButTheOutput()
    {
        using var scope = NewDisposeScope();
        var (x, weight) = (ones([1, 4, 8, 8], requires_grad: true), ones(4, 4, 3, 3));
        Tensor Run() => Products.Conv2d(x, weight, null, new([1, 1], [1, 1], [1, 1]));
        var before = TensorCount.Live;
        var output = Run();
        Assert.Equal(before + 1, TensorCount.Live);
        Gradients.Backward(output.sum());
        Assert.Equal(before + 2, TensorCount.Live);                 // the sum
        for (var k = 0; k < Steps / 4; k++)
        {
            using var inner = NewDisposeScope();
            Gradients.Backward(Run().sum());
        }
        Assert.Equal(before + 2, TensorCount.Live);
    }
}
