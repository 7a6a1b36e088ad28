namespace StableTune.LibTorch.Tests;

public sealed class HookTests
{
    [Fact]
    public void ForwardHook_ReplacesTheOutput_UntilRemoved()
    {
        using var scope = NewDisposeScope();
        using var linear = nn.Linear(2, 1, hasBias: false);
        nn.init.ones_(linear.weight);
        var input = tensor([1f, 2f], [1, 2]);
        var seen = 0;
        var watcher = linear.register_forward_hook((module, given, output) =>
        {
            Assert.Same(linear, module);
            Assert.Same(input, given);
            seen++;
            return null;
        });
        var doubler = linear.register_forward_hook((_, _, output) => output * 2);
        var adder = linear.register_forward_hook((_, given, output) => output + given.sum());
        TensorAssert.Close([9], linear.call(input), 0);
        TensorAssert.Close([3], linear.forward(input), 0);

        doubler.remove();
        doubler.remove();
        TensorAssert.Close([6], linear.call(input), 0);
        adder.remove();
        watcher.remove();
        TensorAssert.Close([3], linear.call(input), 0);
        Assert.Equal(2, seen);
    }

    [Fact]
    public void PreHook_ReplacesTheInput()
    {
        using var scope = NewDisposeScope();
        using var identity = nn.Identity();
        var hook = identity.register_forward_pre_hook((_, input) => input + 1);
        identity.register_forward_pre_hook((_, input) => input * 10);
        identity.register_forward_pre_hook((_, _) => null);
        TensorAssert.Close([20], identity.call(ones(1)), 0);
        hook.remove();
        TensorAssert.Close([10], identity.call(ones(1)), 0);
    }

    [Fact]
    public void Hook_ThatRemovesItself_RunsOnce()
    {
        using var scope = NewDisposeScope();
        using var identity = nn.Identity();
        var runs = 0;
        nn.HookRemover? remover = null;
        remover = identity.register_forward_hook((_, _, _) =>
        {
            runs++;
            remover!.remove();
            return null;
        });
        identity.register_forward_hook((_, _, output) => output + 1);
        TensorAssert.Close([2], identity.call(ones(1)), 0);
        TensorAssert.Close([2], identity.call(ones(1)), 0);
        Assert.Equal(1, runs);
    }

    private sealed class Sum : nn.Module<Tensor, Tensor, int, Tensor>
    {
        internal Sum() : base(nameof(Sum)) { }

        public override Tensor forward(Tensor input1, Tensor input2, int input3)
        {
            using var scope = NewDisposeScope();
            return (input1 + input2 * input3).MoveToOuterDisposeScope();
        }
    }

    [Fact]
    public void Hooks_OfThreeInputs_SeeAllOfThem()
    {
        using var scope = NewDisposeScope();
        using var sum = new Sum();
        TensorAssert.Close([7], sum.call(ones(1), full([1], 3.0), 2), 0);
        sum.register_forward_pre_hook((_, a, b, c) => (a, b, c + 1));
        TensorAssert.Close([10], sum.call(ones(1), full([1], 3.0), 2), 0);
        sum.register_forward_hook((_, _, _, c, output) => output * c);
        TensorAssert.Close([30], sum.call(ones(1), full([1], 3.0), 2), 0);
    }

    [Fact]
    public void Call_WithAHook_LeavesGradientsRight()
    {
        using var scope = NewDisposeScope();
        using var linear = nn.Linear(2, 2);
        using var down = nn.Parameter(ones(1, 2));
        linear.requires_grad_(false);
        linear.register_forward_hook((_, input, output) => output + nn.functional.linear(input, down));
        linear.call(tensor([1f, 3f], [1, 2])).sum().backward();
        TensorAssert.Close([2, 6], down.grad!, 1e-6);
    }
}
