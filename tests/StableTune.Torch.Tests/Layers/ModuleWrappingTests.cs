namespace StableTune.Torch.Tests.Layers;

/// <summary>Functions around layers, ours and TorchSharp's: order, removal, what is computed, lifetime.</summary>
[Collection(CountingTensors.Name)]
public sealed class ModuleWrappingTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    public static TheoryData<string> Kinds => ["Linear", "Conv2d", "LayerNorm", "GroupNorm", "TorchSharp Linear", "TorchSharp Conv2d"];

    private static nn.Module<Tensor, Tensor> Module(string kind) => kind switch
    {
        "Linear" => new Linear(4, 4),
        "Conv2d" => new Conv2d(4, 4, 1),
        "LayerNorm" => new LayerNorm(4),
        "GroupNorm" => new GroupNorm(2, 4),
        "TorchSharp Linear" => nn.Linear(4, 4),
        "TorchSharp Conv2d" => nn.Conv2d(4, 4, 1),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    private static Func<Tensor, Func<Tensor, Tensor>, Tensor> Times(double factor, double plus) => (input, original) =>
    {
        using var scope = NewDisposeScope();
        return (original(input) * factor + plus).MoveToOuterDisposeScope();
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Wrap_Several_TheLastIsOutermostAndTheyComeOffInAnyOrder(string kind)
    {
        using var module = Module(kind);
        var x = randn(2, 4, 4, 4);
        var plain = module.call(x);
        using var first = module.Wrap(Times(2, 1));
        using var second = module.Wrap(Times(3, 5));
        using var third = module.Wrap(Times(1, 7));
        Close.To(module.call(x), (plain * 2 + 1) * 3 + 5 + 7, 1e-5);
        second.Dispose();
        second.Dispose();
        Close.To(module.call(x), plain * 2 + 1 + 7, 1e-5);
        first.Dispose();
        Close.To(module.call(x), plain + 7, 1e-5);
        third.Dispose();
        Close.To(module.call(x), plain, 0);
        using var again = module.Wrap(Times(2, 0));
        Close.To(module.call(x), plain * 2, 1e-6);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Original_OfAnotherInput_IsComputedThroughTheFunctionsBelow(string kind)
    {
        using var module = Module(kind);
        var (x, other) = (randn(2, 4, 4, 4), randn(2, 4, 4, 4));
        var (plain, plainOther) = (module.call(x), module.call(other));
        using var below = module.Wrap(Times(2, 1));
        using var above = module.Wrap((input, original) => original(input) + original(other) - original(input));
        Close.To(module.call(x), plainOther * 2 + 1, 1e-5);
        Assert.False(plain.allclose(plainOther));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Original_ChangedInPlace_IsComputedAnewTheSecondTime(string kind)
    {
        using var module = Module(kind);
        using var frozen = no_grad();
        var x = randn(2, 4, 4, 4);
        var plain = module.call(x);
        using var wrapped = module.Wrap((input, original) =>
        {
            original(input).zero_();
            return original(input);
        });
        Close.To(module.call(x), plain, 0);
    }

    [Fact]
    public void Wrap_OfALayer_ComputesOnlyWhatIsAskedFor()
    {
        using var layer = new Linear(4, 4);
        using var counted = new Counting(4);
        using var none = layer.Wrap((input, _) => zeros_like(input));
        // A wrong width would throw, were the layer computed.
        Assert.Equal([2L, 3L], layer.call(ones(2, 3)).shape);
        Assert.Equal([2L, 3L], layer.forward(ones(2, 3)).shape);

        // A hooked module has computed when the hook comes: asking for its output computes nothing more.
        using var once = counted.Wrap(Times(2, 0));
        using var twice = counted.Wrap(Times(3, 0));
        Close.To(counted.call(ones(2, 4)), ones(2, 4) * 6, 0);
        Assert.Equal(1, counted.Calls);
    }

    [Fact]
    public void Float32_OfAGroupNorm_PassesTheFunctionsToo()
    {
        using var norm = new GroupNorm(2, 4).to(ScalarType.BFloat16);
        var x = randn([2, 4, 3, 3], ScalarType.BFloat16);
        var plain = norm.Float32(x);
        using var wrapped = norm.Wrap(Times(2, 1));
        var result = norm.Float32(x);
        Assert.Equal(ScalarType.Float32, result.dtype);
        Close.To(result, plain * 2 + 1, 1e-5);
        Assert.Equal(ScalarType.BFloat16, norm.call(x).dtype);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Call_Thousand_LeavesNoTensorBehind(string kind)
    {
        using var module = Module(kind);
        using var x = randn(2, 4, 4, 4).DetachFromDisposeScope();
        void Round()
        {
            using var scope = NewDisposeScope();
            using var first = module.Wrap(Times(2, 1));
            module.call(x).sum().backward();
            using var second = module.Wrap((input, _) => ones_like(input));
            module.call(x);
            foreach (var parameter in module.parameters()) parameter.grad = null;
        }

        module.call(x).Dispose();
        var before = TensorCount.Live;
        for (var i = 0; i < 1000; i++) Round();
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Call_OfAHookedModuleWithoutAScope_GivesTheOutputOnlyOnce()
    {
        using var module = nn.Linear(4, 4);
        using var x = randn(2, 4).DetachFromDisposeScope();
        using var wrapped = module.Wrap(Times(2, 1));
        var before = TensorCount.Live;
        var thread = new Thread(() => module.call(x).Dispose());              // a thread begins without a scope
        thread.Start();
        thread.Join();
        Assert.Equal(before, TensorCount.Live);
    }

    private sealed class Counting : nn.Module<Tensor, Tensor>
    {
        internal Counting(long width) : base(nameof(Counting)) => Width = width;

        internal long Width { get; }

        internal int Calls { get; private set; }

        public override Tensor forward(Tensor input)
        {
            Calls++;
            return input * 1;
        }
    }
}
