namespace StableTune.Torch.Tests.Operators;

public sealed class OperatorTests : IDisposable
{
    private static readonly Operator Matmul = new("aten::matmul");
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Call_WithTensors_EqualsTorchSharp()
    {
        var (a, b) = (randn(3, 4), randn(4, 5));
        Close.Same(a.matmul(b), Matmul.Call(a, b));
        Close.Same(a.abs(), new Operator("aten::maximum").Call(a, a.neg()));
    }

    [Fact]
    public void Call_WithNumbersFlagsAndLists_EqualsTorchSharp()
    {
        var x = randn(2, 3, 4);
        Close.Same(x.softmax(1), new Operator("aten::softmax", "int").Call(x, 1L, OperatorArgument.None));
        Close.Same(x.cumsum(2), new Operator("aten::cumsum").Call(x, 2L, OperatorArgument.None));
        Close.Same(x.permute(2, 0, 1), new Operator("aten::permute").Call(x, new long[] { 2, 0, 1 }));
        Close.Same(x.sum(), new Operator("aten::sum", "dim_IntList").Call(x, OperatorArgument.None, false, OperatorArgument.None));
        Close.To(new Operator("aten::layer_norm").Call(x, new long[] { 4 }, OperatorArgument.None, OperatorArgument.None, 1e-3, true),
            nn.functional.layer_norm(x, [4], eps: 1e-3));
        Close.Same(cat([x, x], 1), new Operator("aten::cat").Call(new[] { x, x }, 1L));
    }

    [Fact]
    public void Call_WithEmptyList_PassesAnEmptyList()
        => Assert.Equal([], new Operator("aten::amax").Call(ones(2, 3), Array.Empty<long>(), false).shape);

    [Theory]
    [InlineData("none")]
    [InlineData("tanh")]
    public void Call_WithText_PassesIt(string approximation)
    {
        var x = linspace(-3, 3, 13, float64);
        var expected = approximation == "none"
            ? nn.functional.gelu(x)
            : 0.5 * x * (1 + (Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x.pow(3))).tanh());
        Close.To(new Operator("aten::gelu").Call(x, approximation), expected, 1e-12);
    }

    [Fact]
    public void ListOfDoubles_HoldsTheirBits()
    {
        // No operator that takes such a list is at hand: those of libtorch take optional ones.
        var list = (nint)((OperatorArgument)new[] { 0.5, -2 }).ToStackValue();
        Assert.Equal(0, LibTorch.torch_list_size(list, out var size));
        Assert.Equal(2u, size);
        Assert.Equal(0, LibTorch.torch_list_get_item(list, 1, out var bits));
        Assert.Equal(-2.0, BitConverter.UInt64BitsToDouble(bits));
        Assert.Equal(0, LibTorch.torch_delete_list(list));
    }

    [Fact]
    public void CallForMany_WithListOfFlags_GivesTheResultsAskedFor()
    {
        var (gradient, input, weight) = (randn(1, 2, 3, 3), randn(1, 2, 3, 3), randn(2, 2, 1, 1));
        Tensor?[] Backward(bool[] mask) => new Operator("aten::convolution_backward").CallForMany(
            3, gradient, input, weight, OperatorArgument.None, new long[] { 1, 1 }, new long[] { 0, 0 }, new long[] { 1, 1 }, false,
            new long[] { 0, 0 }, 1L, mask);
        Assert.Equal([true, false, false], Backward([true, false, false]).Select(result => result is not null));
        Assert.Equal([false, true, false], Backward([false, true, false]).Select(result => result is not null));
        var all = Backward([true, true, true]);
        Assert.Equal(input.shape, all[0]!.shape);
        Assert.Equal(weight.shape, all[1]!.shape);
        Assert.Equal([2], all[2]!.shape);
    }

    [Fact]
    public void CallForMany_GivesAllResultsInOrder()
    {
        var x = tensor(new[] { 3f, 1f, 2f });
        var sorted = new Operator("aten::sort").CallForMany(2, x, 0L, true);
        Close.To(sorted[0]!, [3, 2, 1]);
        Close.To(sorted[1]!, [0, 2, 1]);
    }

    [Fact]
    public void CallForList_GivesEachTensor()
    {
        var x = arange(10, float32);
        var parts = new Operator("aten::split", "Tensor").CallForList(x, 4L, 0L);
        Assert.Equal([4, 4, 2], parts.Select(part => part.numel()));
        Close.To(parts[2], [8, 9]);
    }

    [Fact]
    public void Do_OnLists_WorksInPlace()
    {
        var many = Enumerable.Range(0, 300).Select(k => full([2], (float)k)).ToArray();
        new Operator("aten::_foreach_mul_", "Tensor").Do(many, tensor(2f));
        Close.To(many[299], [598, 598]);
        new Operator("aten::_foreach_zero_").Do(many);
        Close.To(many[7], [0, 0]);
    }

    [Fact]
    public void Call_RecordsGradients()
    {
        var (a, b) = (randn([3, 4], float64), randn([4, 2], float64));
        GradientCheck.Of(t => Matmul.Call(t[0], t[1]), a, b);
        GradientCheck.Of(t => new Operator("aten::im2col").Call(
            t[0], new long[] { 2, 2 }, new long[] { 1, 1 }, new long[] { 0, 1 }, new long[] { 1, 1 }),
            randn([1, 2, 3, 3], float64));
        GradientCheck.Of(t => new Operator("aten::split", "Tensor").CallForList(t[0], 2L, 0L)[1].pow(2), a);
        using var off = no_grad();
        Assert.False(Matmul.Call(a.detach().requires_grad_(), b).requires_grad);
    }

    [Fact]
    public void Call_OfAnUnknownOperator_SaysSo()
    {
        var error = Assert.Throws<TorchException>(() => new Operator("aten::no_such", "Spoon").Call(ones(2, 3), new[] { ones(1) }));
        Assert.Equal("aten::no_such.Spoon", error.Operation);
        Assert.StartsWith("aten::no_such.Spoon failed for (Float32 [2, 3], Float32 [1]): libtorch has no such operator", error.Message);
    }

    [Fact]
    public void Call_WithWrongShapes_NamesThem()
    {
        var error = Assert.Throws<TorchException>(() => Matmul.Call(ones(2, 3), ones([2, 3], float64)));
        Assert.StartsWith("aten::matmul failed for (Float32 [2, 3], Float64 [2, 3]): ", error.Message);
        Assert.Throws<TorchException>(() => new Operator("aten::split", "Tensor").CallForList(ones(2), 1L, 5L));
        Assert.Throws<TorchException>(() => new Operator("aten::sort").CallForMany(2, ones(2), 5L, false));
        Assert.Throws<TorchException>(() => new Operator("aten::_foreach_add_", "List").Do(new[] { ones(2) }, new[] { ones(3) }));
    }

    [Fact]
    public void Call_WithTrailingOptionalsLeftOut_ReadsThemAsAbsent()
    {
        // libtorch reads as many arguments as the schema has: what is not given must not be what happens to lie there.
        var x = randn(2, 3);
        for (var k = 0; k < 100; k++) Close.Same(x.sum(), new Operator("aten::sum", "dim_IntList").Call(x));
        Close.Same(x.cumsum(0), new Operator("aten::cumsum").Call(x));
    }

    [Fact]
    public void Call_WithTooManyArguments_IgnoresThem()
        => Close.Same(eye(2), Matmul.Call(eye(2), eye(2), 7L, true));

    [Fact]
    public void Call_WithMoreArgumentsThanAnyOperatorHas_IsRefused()
        => Assert.Throws<ArgumentException>(() => Matmul.Call(Enumerable.Repeat((OperatorArgument)1L, 65).ToArray()));

    [Fact]
    public void Arguments_ThatAreNull_AreRefused()
    {
        Assert.Throws<ArgumentNullException>(() => Matmul.Call((Tensor)null!, ones(1)));
        Assert.Throws<ArgumentNullException>(() => (OperatorArgument)(string)null!);
        Assert.Throws<ArgumentNullException>(() => (OperatorArgument)(long[])null!);
        Assert.Throws<ArgumentNullException>(() => (OperatorArgument)(double[])null!);
        Assert.Throws<ArgumentNullException>(() => (OperatorArgument)(bool[])null!);
        Assert.Throws<ArgumentNullException>(() => (OperatorArgument)(Tensor[])null!);
    }

    [Fact]
    public void Call_WithDisposedOrMissingTensors_NamesThem()
    {
        var gone = ones(2);
        gone.Dispose();
        Assert.StartsWith("aten::matmul failed for (Float32 [2], a disposed tensor): ",
            Assert.Throws<TorchException>(() => Matmul.Call(ones(2), gone)).Message);
        Assert.StartsWith("aten::cat failed for (Float32 [2], none): ",
            Assert.Throws<TorchException>(() => new Operator("aten::cat").Call(new[] { ones(2), null! }, 0L)).Message);
    }

    [Fact]
    public void Call_OnSeveralThreads_GivesEachItsOwn()
        => OnThread.Run(4, k =>
        {
            for (var call = 0; call < 200; call++)
            {
                using var scope = NewDisposeScope();
                var x = full([2, 2], (float)k);
                Assert.Equal(2f * k * k, Matmul.Call(x, x)[0, 0].item<float>());
                if (call % 50 == 0)
                    Assert.Contains($"[{k + 3}, 9]", Assert.Throws<TorchException>(() => Matmul.Call(x, ones(k + 3, 9))).Message);
            }
        });
}
