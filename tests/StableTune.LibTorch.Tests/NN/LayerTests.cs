namespace StableTune.LibTorch.Tests;

public sealed class LayerTests
{
    [Fact]
    public void Linear_ByHand()
    {
        using var scope = NewDisposeScope();
        using var linear = nn.Linear(2, 2);
        linear.load_state_dict(new Dictionary<string, Tensor> { ["weight"] = tensor([1f, 2f, 3f, 4f], [2, 2]), ["bias"] = tensor([10f, 20f], [2]) });
        Close.To(linear.call(tensor([1f, 2f], [2])), [15, 31], 0);
        Assert.Equal((2L, 2L), (linear.in_features, linear.out_features));
        using var plain = nn.Linear(2, 3, hasBias: false);
        Assert.Null(plain.bias);
        Assert.Equal(["weight"], plain.state_dict().Keys);
    }

    [Fact]
    public void Linear_WithOtherDtype_Throws()
    {
        using var scope = NewDisposeScope();
        using var linear = nn.Linear(2, 2);
        Assert.Throws<TorchException>(() => linear.call(ones([1, 2], dtype: ScalarType.Float64)));
        Assert.Throws<TorchException>(() => linear.call(ones(1, 3)));
    }

    [Theory]
    [InlineData(1, 0, 1, 1, true)]
    [InlineData(2, 1, 1, 1, true)]
    [InlineData(1, 2, 2, 2, false)]
    public void Conv2d_IsUnfoldAndProduct(long stride, long padding, long dilation, long groups, bool bias)
    {
        using var scope = NewDisposeScope();
        using var conv = nn.Conv2d(4, 6, 3, stride, padding, dilation, groups: groups, bias: bias, dtype: ScalarType.Float64);
        var x = randn([2, 4, 7, 8], dtype: ScalarType.Float64);
        var parts = x.chunk(groups, 1).Select((part, g) =>
        {
            var columns = nn.functional.unfold(part, 3, dilation, padding, stride);
            return conv.weight.chunk(groups, 0)[g].flatten(1).matmul(columns);
        }).ToArray();
        var actual = conv.call(x);
        var expected = cat(parts, 1).reshape(actual.shape);
        if (bias) expected = expected + conv.bias!.reshape(1, -1, 1, 1);
        Close.To(actual, expected, 1e-12);
    }

    [Fact]
    public void Conv2d_Frozen_GivesTheSameAndTheInputsGradient()
    {
        using var scope = NewDisposeScope();
        using var conv = nn.Conv2d(2, 3, 3, stride: 2, padding: 1, dtype: ScalarType.Float64);
        var x = randn([1, 2, 5, 6], dtype: ScalarType.Float64, requires_grad: true);
        var free = conv.call(x);
        conv.requires_grad_(false);
        Close.To(conv.call(x), free, 1e-12);
        GradientCheck.Of(p => conv.call(p[0]), x);
        GradientCheck.Of(p => nn.functional.conv2d(p[0], p[1], p[2], [1, 2], [1, 1]), x, conv.weight, conv.bias!);
    }

    [Fact]
    public void Conv2d_WithReflectPadding_PadsFirst()
    {
        using var scope = NewDisposeScope();
        using var conv = nn.Conv2d(1, 1, (3, 1), padding: (1, 0), padding_mode: PaddingModes.Reflect, bias: false);
        nn.init.ones_(conv.weight);
        Close.To(conv.call(tensor([1f, 2f, 3f], [1, 1, 3, 1])), [5, 6, 7], 0);
        Assert.Throws<ArgumentException>(() => nn.Conv2d(3, 4, 1, groups: 2));
    }

    [Fact]
    public void Linear_LargeFloat32_AgreesWithFloat64()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        var x = randn([2, 64, 512], generator: generator).requires_grad_();
        using var linear = nn.Linear(512, 640, generator: generator);
        foreach (var frozen in new[] { false, true })
        {
            linear.requires_grad_(!frozen);
            var y = linear.call(x);
            y.sum().backward();
            var exact = nn.functional.linear(x.to(ScalarType.Float64), linear.weight.to(ScalarType.Float64), linear.bias!.to(ScalarType.Float64));
            // 512 products in float32, each about 0.03: their sum errs by a few 1e-7; the gradient is a sum of 640 weights.
            Close.To(y, exact, 2e-6);
            Close.To(x.grad!, linear.weight.to(ScalarType.Float64).sum([0]).expand(2, 64, 512), 1e-5);
            if (!frozen) Close.To(linear.weight.grad!, x.to(ScalarType.Float64).sum([0, 1]).expand(640, 512), 1e-4);
            x.grad = null;
            Close.To(linear.call(x[0]), exact[0], 2e-6);
        }
    }

    [Fact]
    public void GroupNorm_ByDefinition()
    {
        using var scope = NewDisposeScope();
        using var norm = nn.GroupNorm(2, 4, eps: 1e-3, dtype: ScalarType.Float64);
        nn.init.uniform_(norm.weight!);
        nn.init.uniform_(norm.bias!);
        var x = randn([3, 4, 2, 5], dtype: ScalarType.Float64);
        var groups = x.reshape(3, 2, -1);
        var centered = groups - groups.mean([2], keepdim: true);
        var normal = (centered / (centered.pow(2).mean([2], keepdim: true) + 1e-3).sqrt()).reshape(x.shape);
        Close.To(norm.call(x), normal * norm.weight!.reshape(1, 4, 1, 1) + norm.bias!.reshape(1, 4, 1, 1), 1e-12);
        Assert.Throws<ArgumentException>(() => nn.GroupNorm(3, 4));
        GradientCheck.Of(p => nn.functional.group_norm(p[0], 2, p[1], p[2]), x, norm.weight, norm.bias);
    }

    [Fact]
    public void LayerNorm_ByDefinition()
    {
        using var scope = NewDisposeScope();
        using var norm = nn.LayerNorm(5, eps: 1e-3, dtype: ScalarType.Float64);
        nn.init.uniform_(norm.weight!);
        nn.init.uniform_(norm.bias!);
        var x = randn([3, 5], dtype: ScalarType.Float64);
        var centered = x - x.mean([1], keepdim: true);
        Close.To(norm.call(x), centered / (centered.pow(2).mean([1], keepdim: true) + 1e-3).sqrt() * norm.weight! + norm.bias!, 1e-12);
        GradientCheck.Of(p => nn.functional.layer_norm(p[0], [5], p[1], p[2]), x, norm.weight!, norm.bias!);
        using var bare = nn.LayerNorm([3, 5], elementwise_affine: false);
        Assert.Empty(bare.parameters());
    }

    [Fact]
    public void Embedding_LooksRowsUp_AndFreezesThePadding()
    {
        using var scope = NewDisposeScope();
        using var table = nn.Embedding(3, 2, padding_idx: -1);
        Close.To(table.weight[2], [0, 0], 0);
        var rows = table.call(tensor([2L, 0L, 0L], [3]));
        Assert.Equal([3L, 2], rows.shape);
        rows.sum().backward();
        Close.To(table.weight.grad!, [2, 2, 0, 0, 0, 0], 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => nn.Embedding(3, 2, padding_idx: 3));
    }

    [Fact]
    public void Sequential_CallsMembersInOrder_AndHooks()
    {
        using var scope = NewDisposeScope();
        using var chain = nn.Sequential(("double", nn.Identity()), ("act", nn.SiLU()));
        chain[0].register_forward_hook((_, _, output) => output * 2);
        var result = chain.call(ones(1));
        Close.To(result, [2 / (1 + Math.Exp(-2))], 1e-6);
        Assert.Equal(["double", "act"], chain.named_children().Select(c => c.name));

        using var empty = nn.Sequential(Array.Empty<nn.Module<Tensor, Tensor>>());
        var input = ones(1);
        Assert.NotSame(input, empty.call(input));
        empty.Add(nn.Linear(1, 1));
        Assert.Equal(["0.weight", "0.bias"], empty.state_dict().Keys);
    }

    [Fact]
    public void ModuleList_InsertAndReplace_KeepsKeysInStep()
    {
        using var list = nn.ModuleList<nn.Module>(nn.Linear(1, 1), nn.Identity());
        list.insert(0, nn.SiLU());
        Assert.Equal(["SiLU", "Linear", "Identity"], list.named_children().Select(c => c.module.GetName()));
        Assert.Equal(["0", "1", "2"], list.named_children().Select(c => c.name));
        using (list[1]) list[1] = nn.GELU();
        Assert.Equal("GELU", list.children().ElementAt(1).GetName());
        Assert.Equal(3, list.Count);
    }

    [Fact]
    public void ModuleDict_KeepsOrderAndRejectsDuplicates()
    {
        using var dictionary = nn.ModuleDict<nn.Module>(("b", nn.Linear(1, 1)), ("a", nn.Identity()));
        Assert.Equal(["b", "a"], dictionary.Keys);
        Assert.Equal(["b.weight", "b.bias"], dictionary.state_dict().Keys);
        Assert.True(dictionary.TryGetValue("a", out var found) && found is Identity);
        using var another = nn.Identity();
        Assert.Throws<InvalidOperationException>(() => dictionary.Add("a", another));
        dictionary["c"] = nn.SiLU();
        Assert.Equal(3, dictionary.Count);
    }

    [Fact]
    public void Dropout_InTraining_DropsItsShareAndKeepsTheMean()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(7);
        using var dropout = nn.Dropout(0.25);
        dropout.generator = generator;
        var x = ones(100_000);
        var y = dropout.call(x);
        // Share of zeros: standard deviation √(0.25 · 0.75 / 100000) = 0.0014; five of them.
        Assert.InRange(y.eq(0).to(ScalarType.Float32).mean().ToSingle(), 0.243f, 0.257f);
        Assert.Equal(1 / 0.75f, y.max().ToSingle(), 6);

        generator.manual_seed(7);
        Close.To(dropout.call(x), y, 0);
        var another = dropout.call(x);
        Assert.False(another.equal(y));

        dropout.eval();
        Close.To(dropout.call(x), x, 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => nn.Dropout(1.5));
    }

    [Fact]
    public void Dropout_WithGlobalGenerator_FollowsTheSeed()
    {
        using var scope = NewDisposeScope();
        var x = ones(1000);
        using (manual_seed(5)) { }
        var first = nn.functional.dropout(x, 0.5);
        using (manual_seed(5)) { }
        Close.To(nn.functional.dropout(x, 0.5), first, 0);
        Close.To(nn.functional.dropout(x, 1), zeros(1000), 0);
        using var generator = new Generator(1);
        var y = x.clone();
        nn.functional.dropout(y, 0.5, inplace: true, generator: generator);
        Assert.Equal([0.0, 2.0], y.to(float64).data<double>().ToArray().Distinct().Order());
    }

    [Fact]
    public void SkipInit_LeavesParametersUninitialized_AndEnds()
    {
        using var scope = NewDisposeScope();
        using var state = default_generator;
        var before = state.get_state();
        using (engine.skip_init())
        {
            using var linear = nn.Linear(64, 64);
            using var table = nn.Embedding(64, 64);
            Assert.Equal([64L, 64], linear.weight.shape);
        }
        Assert.True(before.equal(state.get_state()));
        using var norm = nn.LayerNorm(3);
        Close.To(norm.weight!, [1, 1, 1], 0);
        using var drawn = nn.Linear(4, 4);
        Assert.False(before.equal(state.get_state()));
    }
}
