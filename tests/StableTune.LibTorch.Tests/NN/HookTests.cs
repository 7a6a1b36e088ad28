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
        Close.To(linear.call(input), [9], 0);
        Close.To(linear.forward(input), [3], 0);

        doubler.remove();
        doubler.remove();
        Close.To(linear.call(input), [6], 0);
        adder.remove();
        watcher.remove();
        Close.To(linear.call(input), [3], 0);
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
        Close.To(identity.call(ones(1)), [20], 0);
        hook.remove();
        Close.To(identity.call(ones(1)), [10], 0);
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
        Close.To(identity.call(ones(1)), [2], 0);
        Close.To(identity.call(ones(1)), [2], 0);
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
        Close.To(sum.call(ones(1), full([1], 3.0), 2), [7], 0);
        sum.register_forward_pre_hook((_, a, b, c) => (a, b, c + 1));
        Close.To(sum.call(ones(1), full([1], 3.0), 2), [10], 0);
        sum.register_forward_hook((_, _, _, c, output) => output * c);
        Close.To(sum.call(ones(1), full([1], 3.0), 2), [30], 0);
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
        Close.To(down.grad!, [2, 6], 1e-6);
    }
}
