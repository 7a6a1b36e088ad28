namespace StableTune.Torch.Tests.Operators;

[Collection(CountingTensors.Name)]
public sealed class OperatorLifetimeTests
{
    private const int Calls = 1000;
    private static readonly Operator Backward = new("aten::convolution_backward");

    private static void CallAllWays(Tensor x)
    {
        using var scope = NewDisposeScope();
        new Operator("aten::matmul").Call(x, x);
        new Operator("aten::split", "Tensor").CallForList(x, 4L, 0L);
        new Operator("aten::sort").CallForMany(2, x, 0L, true);
        var image = x.view(1, 1, 8, 8);
        Backward.CallForMany(
            3, image, image, ones(1, 1, 1, 1), OperatorArgument.None, new long[] { 1, 1 }, new long[] { 0, 0 }, new long[] { 1, 1 }, false,
            new long[] { 0, 0 }, 1L, new[] { true, false, false });
        new Operator("aten::gelu").Call(x, "tanh");
        new Operator("aten::_foreach_mul_", "Tensor").Do(new[] { x, x }, tensor(1f));
    }

    [Fact]
    public void Calls_LeaveNoTensorsBehind()
    {
        using var x = ones(8, 8);
        CallAllWays(x);
        CountingTensors.Settle();
        var before = TensorCount.Live;
        for (var k = 0; k < Calls; k++) CallAllWays(x);
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Calls_LeaveNoMemoryBehind()
    {
        if (!OperatingSystem.IsLinux()) return;
        const int size = 1 << 17;                                   // 512 KiB: a forgotten handle in ten would show
        void Call(int refused)
        {
            using var scope = NewDisposeScope();
            var x = ones(size);
            new Operator("aten::cat").Call(new[] { x, x }, 0L);
            new Operator("aten::split", "Tensor").CallForList(x, size / 2, 0L);
            if (refused % 10 == 0) Assert.Throws<TorchException>(() => new Operator("aten::matmul").Call(x, ones(3)));
            if (refused % 10 == 5) Assert.Throws<TorchException>(() => new Operator("aten::cat").Call(new[] { x, null! }, 0L));
        }

        for (var k = 0; k < 50; k++) Call(k);
        var before = CountingTensors.ResidentBytes();
        for (var k = 0; k < 500; k++) Call(k);
        Assert.InRange(CountingTensors.ResidentBytes() - before, long.MinValue, 16 << 20);
    }

    [Fact]
    public void Results_BelongToTheDisposeScope()
    {
        using var x = ones(8, 8);
        using var scope = NewDisposeScope();
        new Operator("aten::matmul").Call(x, x);
        new Operator("aten::split", "Tensor").CallForList(x, 4L, 0L);
        Assert.Equal(3, scope.DisposablesCount);
    }
}
