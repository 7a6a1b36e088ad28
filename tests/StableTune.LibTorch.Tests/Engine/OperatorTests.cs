namespace StableTune.LibTorch.Tests;

public sealed class OperatorTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Call_ReachesAnyOperator()
    {
        var x = tensor(new[] { 3f, 1f, 2f });
        Close.To(engine.call("add", "Tensor", x, x)[0], [6, 2, 4]);
        Close.To(engine.call("aten::add", "Tensor", x, x, 2)[0], [9, 3, 6]);
        var sorted = engine.call("sort", "", x);
        Close.To(sorted[0], [1, 2, 3]);
        Close.To(sorted[1], [1, 2, 0]);
        Close.To(engine.call("permute", "", x.view(1, 3), new[] { 1, 0 })[0], x.view(3, 1));
        Close.To(engine.call("cat", "", new List<Tensor> { x, x }, 0)[0], [3, 1, 2, 3, 1, 2]);
        Close.To(engine.call("full", "", new long[] { 2 }, 1.5, float64, null, CPU)[0], [1.5, 1.5]);
        Assert.True(engine.call("equal", "", x, x)[0].ToBoolean());
        Close.To(engine.call("einsum", "", "i,i->", new[] { x, x })[0], [14]);
    }

    [Fact]
    public void Numbers_TakeTheTypeOfTheSchema()
    {
        var x = ones(2, 2);
        Assert.Equal(float64, engine.call("sum", "", x, float64)[0].dtype);               // an enum for an int argument
        Close.To(engine.call("dropout", "", x, 0, 1)[0], [1, 1, 1, 1]);                   // ints for a float and a bool
        Close.To(engine.call("clamp", "", x, null, 0.5f)[0], [0.5, 0.5, 0.5, 0.5]);       // a float for an optional scalar
        Close.To(engine.call("sum", "dim_IntList", x, 0)[0], [2, 2]);                     // an int for a list of ints
        Close.To(engine.call("avg_pool2d", "", ones(1, 1, 4, 4), 2)[0].flatten(), [1, 1, 1, 1]);   // an int for a pair
        Close.To(engine.call("std", "", x, false)[0], [0]);
        var upsampled = engine.call("upsample_nearest2d", "", ones(1, 1, 2, 2), new long[] { 4, 4 }, 2.0, 2.0)[0];
        Assert.Equal([1, 1, 4, 4], upsampled.shape);
        Close.To(engine.call("upsample_nearest2d", "vec", ones(1, 1, 1, 1), null, new[] { 2.0, 2.0 })[0].flatten(), [1, 1, 1, 1]);
    }

    [Fact]
    public void Wrong_ArgumentKinds_NameTheArgument()
    {
        Assert.Contains("argument 'dim' cannot take a floating-point number",
            Assert.Throws<TorchException>(() => engine.call("softmax", "int", ones(2), 0.5)).Message);
        Assert.Contains("argument 'dim' is missing", Assert.Throws<TorchException>(() => engine.call("softmax", "int", ones(2))).Message);
        Assert.Contains("takes 1 arguments, got 2", Assert.Throws<TorchException>(() => engine.call("neg", "", ones(2), ones(2))).Message);
        Assert.Contains("DateTime", Assert.Throws<ArgumentException>(() => engine.call("neg", "", DateTime.UnixEpoch)).Message);
    }

    [Fact]
    public void Unknown_Operators_AreToldFromKnownOnes()
    {
        Assert.True(engine.has_operator("conv2d"));
        Assert.True(engine.has_operator("add", "Tensor"));
        Assert.False(engine.has_operator("add", "Spoon"));
        Assert.False(engine.has_operator("no_such_operator"));
        var error = Assert.Throws<TorchException>(() => engine.call("no_such_operator", "", ones(1)));
        Assert.Contains("aten::no_such_operator", error.Message);
        Assert.Contains(engine.version, error.Message);
    }

    [Fact]
    public void Errors_DescribeEveryKindOfInput()
    {
        var message = Assert.Throws<TorchException>(() => cat([ones(2, 2), ones(3, dtype: int64)], 1)).Message;
        Assert.StartsWith("aten::cat failed for (2 tensors: Float32 [2, 2]; Int64 [3], 1): ", message);
        Assert.Contains("[7, 7]", Assert.Throws<TorchException>(() => ones(4).view(7, 7)).Message);
        Assert.Contains("\"ij->q\"", Assert.Throws<TorchException>(() => einsum("ij->q", ones(1, 1))).Message);
        Assert.DoesNotContain("frame #", message);
    }

    [Fact]
    public void Threads_ResolveAndFailOnTheirOwn()
    {
        var messages = new string[16];
        Parallel.For(0, messages.Length, k =>
        {
            using var scope = NewDisposeScope();
            messages[k] = Assert.Throws<TorchException>(() => ones(k + 2).view(1, 1)).Message;
        });
        for (var k = 0; k < messages.Length; k++) Assert.Contains($"Float32 [{k + 2}]", messages[k]);
    }

    [Fact]
    public void Foreach_TreatsWholeLists()
    {
        Tensor[] Lists(params double[] values) => [.. values.Select(value => full([2], value, float64))];
        var a = Lists(1, 4);
        engine.foreach_add_(a, 1);
        Close.To(stack(a).flatten(), [2, 2, 5, 5]);
        engine.foreach_add_(a, Lists(1, 1), alpha: 3);
        engine.foreach_sub_(a, Lists(1, 0));
        Close.To(stack(a).flatten(), [4, 4, 8, 8]);
        engine.foreach_mul_(a, 0.5);
        engine.foreach_mul_(a, Lists(2, 1));
        engine.foreach_div_(a, 2);
        engine.foreach_div_(a, Lists(1, 2));
        Close.To(stack(a).flatten(), [2, 2, 1, 1]);
        engine.foreach_addcmul_(a, Lists(2, 3), Lists(1, 1), 0.5);
        engine.foreach_addcdiv_(a, Lists(2, 3), Lists(2, 2), 2);
        Close.To(stack(a).flatten(), [5, 5, 5.5, 5.5]);
        engine.foreach_lerp_(a, Lists(1, 1.5), 0.25);
        Close.To(stack(a).flatten(), [4, 4, 4.5, 4.5]);
        Close.To(stack(engine.foreach_sqrt(a)).flatten(), [2, 2, Math.Sqrt(4.5), Math.Sqrt(4.5)]);
        Close.To(stack(engine.foreach_norm(a)), [Math.Sqrt(32), Math.Sqrt(40.5)], 1e-12);
        Close.To(stack(engine.foreach_norm(a, 1)), [8, 9]);
        Close.To(stack(engine.foreach_neg(engine.foreach_abs(engine.foreach_neg(a)))).flatten(), [-4, -4, -4.5, -4.5]);
        Close.To(stack(engine.foreach_add(engine.foreach_mul(a, 2), Lists(1, 1))).flatten(), [9, 9, 10, 10]);
        Close.To(stack(engine.foreach_sub(engine.foreach_div(a, 2), engine.foreach_div(a, Lists(4, 4)))).flatten(), [1, 1, 1.125, 1.125]);
        Close.To(stack(engine.foreach_mul(a, a)).flatten(), [16, 16, 20.25, 20.25]);
        engine.foreach_sqrt_(a);
        engine.foreach_neg_(a);
        Close.To(a[0], [-2, -2]);
        engine.foreach_zero_(a);
        Close.To(stack(a).flatten(), [0, 0, 0, 0]);
    }

    [Fact]
    public void Foreach_OnManyTensors_GivesThemAll()
    {
        var many = Enumerable.Range(0, 300).Select(k => full([1], (float)k)).ToArray();
        var doubled = engine.foreach_mul(many, 2);
        Assert.Equal(300, doubled.Length);
        Assert.Equal(598, doubled[299].ToSingle());
    }

    [Fact]
    public void FusedAdamW_WorksWhereItIs_AndIsNamedWhereItIsNot()
    {
        var parameter = ones(2);
        Tensor[] One(Tensor tensor) => [tensor];
        void Step() => engine.fused_adamw_(One(parameter), One(ones(2)), One(zeros(2)), One(zeros(2)), One(tensor(1f)),
            new AdamWSettings(0.1, 0.9, 0.999, 1e-8, 0));
        if (!engine.has_fused_adamw) Assert.Contains("_fused_adamw_", Assert.Throws<TorchException>(Step).Message);
        else
        {
            Step();
            Close.To(parameter, [0.9, 0.9], 1e-5);   // the first step of Adam is the learning rate, whatever the gradient
        }
    }
}
