namespace StableTune.Adapters.Tests;

/// <summary>Models of a host's own, made of TorchSharp's layers; norms; several networks on one model.</summary>
public sealed class ForeignModelTests
{
    private static nn.Module<Tensor, Tensor> Own()
    {
        var norm = nn.GroupNorm(2, 8);
        // TorchSharp 0.107 leaves the factors of its group norm as the memory was.
        nn.init.ones_(norm.weight!);
        nn.init.zeros_(norm.bias!);
        return nn.Sequential(("first", nn.Conv2d(3, 8, 3, padding: 1L)), ("norm", norm), ("act", nn.SiLU()),
            ("same", nn.Conv2d(8, 8, 3, padding: Padding.Same)),
            ("flat", nn.Flatten()), ("third", nn.Linear(8 * 4 * 4, 5)), ("last", nn.LayerNorm(5)));
    }

    private static Tensor Input() => randn([2, 3, 4, 4], generator: new Generator(2));

    private static AdapterNetwork Attach(nn.Module model, AdapterOptions options, int seed = 1)
    {
        using var random = new Generator((ulong)seed);
        var network = AdapterNetwork.Attach(new AdapterHosts(model), options with { Layers = LayerSelection.Everything }, random);
        using var frozen = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (_, parameter, _) in network.NamedParameters()) parameter.copy_(randn(parameter.shape, generator: random) * 0.3);
        return network;
    }

    public static TheoryData<AdapterOptions> Kinds =>
    [
        new LoRAOptions { Rank = 2, Alpha = 2 },
        new LoHaOptions { Rank = 2, Alpha = 2 },
        new LoHaOptions { Rank = 7, Alpha = 2, UseTucker = true },
        new NormDifferenceOptions(),
    ];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Attach_TorchSharpsLayers_TrainMergeAndComeOff(AdapterOptions options)
    {
        using var scope = NewDisposeScope();
        using var model = Own().SetRequiresGrad(false);
        var x = Input();
        var plain = model.call(x);
        var network = Attach(model, options);
        Assert.Equal(options is NormDifferenceOptions ? ["norm", "last"] : ["first", "same", "third"],
            network.Adapters.Select(adapter => adapter.Layer.Path));
        var with = model.call(x);
        Assert.True((with - plain).abs().max().item<float>() > 0.01);
        using (no_grad()) GoldenComparison.AssertClose("without gradient", with, model.call(x), 1e-4, relativeToMax: true);
        Gradients.Backward(with.pow(2).sum());
        Assert.All(network.NamedParameters(), p => Assert.True(p.Parameter.grad!.abs().max().item<float>() > 0));

        network.Detach();
        GoldenComparison.AssertClose("detached", plain, model.call(x), 0);
        network.Reattach();
        network.Reattach();
        GoldenComparison.AssertClose("reattached", with, model.call(x), 0);
        network.Merge();
        Assert.Throws<InvalidOperationException>(network.Reattach);
        GoldenComparison.AssertClose("merged", with, model.call(x), 1e-4, relativeToMax: true);
        network.Dispose();
    }

    [Fact]
    public void Shape_OfTorchSharpsLayers_IsThatOfOurs()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(new LinearShape(3, 4), Of(nn.Linear(3, 4)));
        Assert.Equal(Of(new Conv2d(3, 4, 3, stride: 2, padding: 1))!.ToString(), Of(nn.Conv2d(3, 4, 3, 2, 1))!.ToString());
        Assert.Equal([2L, 2], ((ConvolutionShape)Of(nn.Conv2d(3, 4, 5, padding: Padding.Same))!).Padding);
        Assert.Equal([0L, 0], ((ConvolutionShape)Of(nn.Conv2d(3, 4, 5, padding: Padding.Valid))!).Padding);
        // What cannot be said with one padding for both sides, or is not zeros, or has no factors.
        Assert.Null(Of(nn.Conv2d(3, 4, 4, padding: Padding.Same)));
        Assert.Null(Of(nn.Conv2d(3, 4, 3, padding: 1L, padding_mode: PaddingModes.Reflect)));
        Assert.Null(Of(nn.LayerNorm(4, elementwise_affine: false)));
        Assert.Null(Of(nn.GroupNorm(2, 4, affine: false)));
        Assert.Null(Of(nn.ReLU()));
        Assert.Equal("LayerNorm of 4", Of(nn.LayerNorm(4))!.ToString());
        Assert.Equal("GroupNorm of 4 channels", Of(new GroupNorm(2, 4))!.ToString());
        Assert.Equal([4L, 2, 3, 3], Of(new Conv2d(4, 4, 3, groups: 2))!.WeightShape);

        static LayerShape? Of(nn.Module module)
        {
            using (module) return LayerShape.Of(module);
        }
    }

    [Fact]
    public void Layers_ThatCannotBeAdapted_AreRefused()
    {
        using var scope = NewDisposeScope();
        using var norm = new GroupNorm(2, 4);
        Assert.Contains("ReLU",
            Assert.Throws<ArgumentException>(() => new AdaptedLayer("lora_unet_x", "x", AdapterParts.UNet, nn.ReLU())).Message);
        Assert.Contains("unet.x (GroupNorm of 4 channels)", Assert.Throws<NotSupportedException>(() => new LoRAOptions().Create(
            new AdaptedLayer("lora_unet_x", "x", AdapterParts.UNet, norm), new Generator(0))).Message);
        Assert.Null(new AdaptedLayer("n", "p", AdapterParts.UNet, nn.Linear(3, 4, hasBias: false)).Bias);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Norms_OfOurLayers_AreAdaptedInHalfPrecisionToo(bool group)
    {
        using var scope = NewDisposeScope();
        nn.Module<Tensor, Tensor> norm = group ? new GroupNorm(2, 4) : new LayerNorm(4);
        using var model = ModelTree.Of(norm);
        using var network = Attach(model, new NormDifferenceOptions());
        var x = randn([2, 4, 4, 4], generator: new Generator(2));
        var exact = norm.call(x);
        var factors = network.Adapters[0].Layer.Weight + network.NamedParameters().Single().Parameter;
        var expected = group ? nn.functional.group_norm(x, 2, factors, network.Adapters[0].Layer.Bias!, 1e-5)
            : nn.functional.layer_norm(x, [4], factors, network.Adapters[0].Layer.Bias!, 1e-5);
        GoldenComparison.AssertClose("norm", expected, exact, 1e-5);
        norm.to(ScalarType.BFloat16);
        var half = norm.call(x.to(ScalarType.BFloat16));
        Assert.Equal(ScalarType.BFloat16, half.dtype);
        GoldenComparison.AssertClose("half", exact, half, 0.05, relativeToMax: true);
        if (norm is GroupNorm own)
            GoldenComparison.AssertClose("float32", exact, own.Float32(x.to(ScalarType.BFloat16)), 0.03, relativeToMax: true);
    }

    [Fact]
    public void Networks_Several_EachHasItsMultiplierAndComesOffByItself()
    {
        using var scope = NewDisposeScope();
        using var model = Own().SetRequiresGrad(false);
        using var ours = ModelTree.Of(new Linear(5, 5).SetRequiresGrad(false));
        var modules = new[] { model.children().ElementAt(5), ours.children().Single() }.Cast<nn.Module<Tensor, Tensor>>();
        foreach (var (module, x) in modules.Zip([randn(2, 128), randn(2, 5)]))
        {
            using var host = ModelTree.Of(module, "layer");
            var plain = module.call(x);
            Tensor Delta(AdapterNetwork network) => x.mm(network.Adapters[0].DeltaWeight(network.Adapters[0].Layer.Weight).t());
            using var first = Attach(host, new LoRAOptions { Rank = 2, Alpha = 2 }, seed: 1);
            using var second = Attach(host, new LoHaOptions { Rank = 2, Alpha = 2 }, seed: 2);
            using var third = Attach(host, new LoRAOptions { Rank = 3, Alpha = 3 }, seed: 3);
            first.SetMultiplier(0.5f);
            second.SetMultiplier(-2);
            GoldenComparison.AssertClose("all", plain + Delta(first) * 0.5 - Delta(second) * 2 + Delta(third), module.call(x), 1e-4);
            second.Dispose();
            GoldenComparison.AssertClose("two", plain + Delta(first) * 0.5 + Delta(third), module.call(x), 1e-4);
            first.Dispose();
            GoldenComparison.AssertClose("one", plain + Delta(third), module.call(x), 1e-4);
            third.SetMultiplier(0);
            GoldenComparison.AssertClose("off", plain, module.call(x), 0);
            third.Dispose();
            GoldenComparison.AssertClose("none", plain, module.call(x), 0);
        }
    }

    [Fact]
    public void Steps_WithNetworksThatComeAndGo_LeaveNoTensorBehind()
    {
        using var model = Own().SetRequiresGrad(false);
        using var x = Input();
        void Step(int seed)
        {
            using var scope = NewDisposeScope();
            using var first = Attach(model, new LoRAOptions { Rank = 2 }, seed);
            using var second = Attach(model, new LoHaOptions { Rank = 2 + seed % 3, UseTucker = seed % 2 == 0 }, seed);
            Gradients.Backward(model.call(x).sum());
            first.Detach();
            using (no_grad()) model.call(x);
            first.Reattach();
            Gradients.Backward(model.call(x).sum());
        }

        Step(0);
        // What earlier tests forgot is finalized first, so that it does not move the count later.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var before = HeldTensors.Before();
        for (var i = 0; i < 100; i++) Step(i);
        Assert.Equal(before, TensorCount.Live);
    }

    /// <summary>
    /// The LoRA itself, in the leaner form that is used: one product accumulated onto the output, with no rounding of its own.
    /// </summary>
    [Fact]
    public void LoRA_OnALinearLayer_IsAddmmToTheBit()
    {
        using var scope = NewDisposeScope();
        var layer = new Linear(12, 10).SetRequiresGrad(false);
        using var model = ModelTree.Of(layer);
        using var network = Attach(model, new LoRAOptions { Rank = 3, Alpha = 2 });
        network.SetMultiplier(0.7f);
        var x = randn([2, 5, 12], generator: new Generator(2));
        var (down, up) = (network.NamedParameters().First().Parameter, network.NamedParameters().Last().Parameter);
        var plain = nn.functional.linear(x, layer.weight, layer.bias).reshape(-1, 10);
        var expected = plain.addmm(nn.functional.linear(x, down).reshape(-1, 3), up.t(), 1, (float)(2f / 3 * (double)0.7f))
            .reshape(2, 5, 10);
        GoldenComparison.AssertClose("with gradient", expected, layer.call(x), 0);
        using (no_grad()) GoldenComparison.AssertClose("without gradient", expected, layer.call(x), 0);
    }

    /// <summary>Adapts norms: the difference of their factors. Everything but ΔW is the base's.</summary>
    public sealed record NormDifferenceOptions : AdapterOptions
    {
        public override bool Takes(AdaptedLayer layer) => layer.Shape is NormShape;

        public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new NormDifference(layer);
    }

    private sealed class NormDifference : NetworkAdapter
    {
        private readonly Parameter w_norm;

        public NormDifference(AdaptedLayer layer) : base(nameof(NormDifference), layer)
        {
            w_norm = Trainable(zeros(layer.Shape.WeightShape));
            RegisterComponents();
        }

        public override Tensor DeltaWeight(Tensor weight) => w_norm.alias();
    }
}
