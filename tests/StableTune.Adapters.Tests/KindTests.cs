namespace StableTune.Adapters.Tests;

/// <summary>What every kind of adapter must do, on every kind of layer that it adapts.</summary>
public sealed class KindTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    private static readonly string[] s_products = ["linear", "conv1", "conv3"];

    private static readonly Dictionary<string, (AdapterOptions Options, string[] Layers)> s_kinds = new()
    {
        ["LoRA"] = (new LoRAOptions { Rank = 3, Alpha = 2 }, s_products),
        ["LoRA, Tucker, scalar, rsLoRA"] =
            (new LoRAOptions { Rank = 3, UseTucker = true, UseScalar = true, RankStabilized = true }, s_products),
        ["LoRA, DoRA of outputs"] = (new LoRAOptions { Rank = 3, WeightDecompose = true }, s_products),
        ["LoRA, DoRA of inputs"] = (new LoRAOptions { Rank = 3, WeightDecompose = true, DecomposeOutputs = false }, s_products),
        ["LoRA-FA"] = (new LoRAFAOptions { Rank = 3 }, s_products),
        ["LoHa"] = (new LoHaOptions { Rank = 2, Alpha = 2 }, s_products),
        ["LoHa, scalar, DoRA"] = (new LoHaOptions { Rank = 5, UseTucker = true, UseScalar = true, WeightDecompose = true }, s_products),
        ["LoKr"] = (new LoKrOptions { Rank = 1, Alpha = 2 }, s_products),
        ["LoKr, Tucker, scalar"] = (new LoKrOptions { Rank = 1, Factor = 2, UseTucker = true, UseScalar = true }, s_products),
        ["LoKr, both decomposed, DoRA"] = (new LoKrOptions { Rank = 1, DecomposeBoth = true, WeightDecompose = true }, s_products),
        ["LoKr, full, unbalanced"] = (new LoKrOptions { FullMatrix = true, Unbalanced = true, Factor = 2 }, s_products),
        ["GLoRA"] = (new GLoRAOptions { Rank = 3, Alpha = 2 }, s_products),
        ["GLoRA, scalar"] = (new GLoRAOptions { Rank = 3, UseScalar = true }, s_products),
        ["IA3 of outputs"] = (new IA3Options { OnInput = [] }, s_products),
        ["IA3 of inputs"] = (new IA3Options { OnInput = ["test"] }, s_products),
        ["full"] = (new FullDifferenceOptions(), s_products),
        ["norm"] = (new NormOptions(), ["layernorm", "groupnorm"]),
        ["OFT"] = (new OftOptions { Blocks = 2, Constraint = 0.1f }, s_products),
        ["diag-OFT"] = (new DiagOftOptions { Rank = 2 }, s_products),
        ["diag-OFT, constraint, rescaled"] = (new DiagOftOptions { Rank = 3, Constraint = 0.1f, Rescaled = true }, s_products),
        ["BOFT"] = (new BoftOptions { Rank = 2, Rescaled = true }, s_products),
        ["DyLoRA"] = (new DyLoRAOptions { Rank = 4, Unit = 2 }, s_products),
        ["EH"] = (new EHOptions { Groups = 2 }, ["linear"]),
    };

    public static TheoryData<string, string> Kinds()
    {
        var data = new TheoryData<string, string>();
        foreach (var (name, kind) in s_kinds)
            foreach (var layer in kind.Layers) data.Add(name, layer);
        return data;
    }

    private static nn.Module<Tensor, Tensor> Layer(string kind, ScalarType type = ScalarType.Float32)
    {
        nn.Module<Tensor, Tensor> layer = kind switch
        {
            "linear" => new Linear(12, 8),
            "layernorm" => new LayerNorm(12),
            "groupnorm" => new GroupNorm(3, 12),
            _ => new Conv2d(12, 8, kind == "conv3" ? 3 : 1, padding: kind == "conv3" ? 1 : 0),
        };
        using var frozen = no_grad();
        using var random = new Generator(7);
        foreach (var parameter in layer.parameters()) parameter.add_(randn(parameter.shape, generator: random) * 0.3);
        layer.SetRequiresGrad(false).to(type);
        return layer;
    }

    /// <summary>The kind on a layer; its parameters as they start, or all different from zero.</summary>
    private static AdapterNetwork Attach(string kind, nn.Module<Tensor, Tensor> layer, bool isFresh = false)
    {
        using var random = new Generator(3);
        var options = s_kinds[kind].Options with { Layers = LayerSelection.Everything };
        var network = AdapterNetwork.Attach(new AdapterHosts(ModelTree.Of(layer)), options, random);
        Assert.Single(network.Adapters);
        if (isFresh) return network;
        using var frozen = no_grad();
        foreach (var (_, parameter, _) in network.NamedParameters())
            parameter.add_(randn(parameter.shape, generator: random) * 0.4);
        // Without drawn ranks: those are DyLoRAParityTests'.
        network.SetTraining(false);
        return network;
    }

    private static Tensor Input(string layer) => layer is "linear" or "layernorm" ? randn([2, 5, 12], generator: new Generator(4))
        : randn([2, 12, 5, 4], generator: new Generator(4));

    [Theory]
    [MemberData(nameof(Kinds))]
    public void FreshAdapter_ChangesNothing(string kind, string layerKind)
    {
        using var layer = Layer(layerKind, ScalarType.Float64);
        var x = Input(layerKind).to(ScalarType.Float64);
        var plain = layer.call(x);
        using var network = Attach(kind, layer, isFresh: true);
        network.BeginStep(new Generator(1));
        // DoRA divides by norms to which float32's epsilon is added, as the reference does.
        var tolerance = kind.Contains("DoRA", StringComparison.Ordinal) ? 2e-6 : 1e-13;
        GoldenComparison.AssertClose("output", plain, layer.call(x), tolerance);
        using (no_grad()) GoldenComparison.AssertClose("output", plain, layer.call(x), tolerance);
        Assert.InRange(network.Adapters[0].DeltaWeight(network.Adapters[0].Layer.Weight).abs().max().item<double>(), 0, tolerance);
        network.SetMultiplier(0);
        GoldenComparison.AssertClose("output", plain, layer.call(x), 0);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Call_IsTheLayerWithItsWeightChanged(string kind, string layerKind)
    {
        using var layer = Layer(layerKind, ScalarType.Float64);
        using var network = Attach(kind, layer);
        var (adapter, x) = (network.Adapters[0], Input(layerKind).to(ScalarType.Float64));
        var (weight, bias) = (adapter.Layer.Weight, adapter.Layer.Bias!);
        foreach (var multiplier in new[] { 1f, -0.7f, 2f })
        {
            network.SetMultiplier(multiplier);
            var whole = bias + (adapter.DeltaBias(bias, multiplier) ?? zeros_like(bias));
            var expected = adapter.Layer.Shape.Apply(x, weight + adapter.DeltaWeight(weight, multiplier))
                + (x.dim() == 4 ? whole.reshape(-1, 1, 1) : whole);
            GoldenComparison.AssertClose("with gradient", expected, layer.call(x), 2e-6, relativeToMax: true);
            using (no_grad()) GoldenComparison.AssertClose("without gradient", expected, layer.call(x), 2e-6, relativeToMax: true);
            if (multiplier != 1) continue;
            var plain = adapter.Layer.Shape.Apply(x, weight) + (x.dim() == 4 ? bias.reshape(-1, 1, 1) : bias);
            GoldenComparison.AssertClose("term", expected - plain, adapter.call(x), 1e-5, relativeToMax: true);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Gradients_InFloat64_AreThoseOfFiniteDifferences(string kind, string layerKind)
    {
        using var layer = Layer(layerKind, ScalarType.Float64);
        using var network = Attach(kind, layer);
        network.SetMultiplier(0.8f);
        var x = Input(layerKind).to(ScalarType.Float64).requires_grad_();
        Gradients.Backward(layer.call(x).pow(2).sum());
        using var frozen = no_grad();
        foreach (var (name, values) in network.NamedParameters().Select(p => (p.Name, (Tensor)p.Parameter)).Append(("x", x)))
        {
            Assert.Equal(ScalarType.Float64, values.dtype);
            foreach (var index in new[] { 0, values.numel() / 2, values.numel() - 1 })
            {
                const double step = 1e-5;
                var numeric = (At(values, index, step) - At(values, index, -step)) / (2 * step);
                var analytic = values.grad!.reshape(-1)[index].item<double>();
                Assert.True(Math.Abs(numeric - analytic) <= 2e-6 * Math.Max(1, Math.Abs(numeric)),
                    $"{name}[{index}]: autograd gives {analytic:R}, differences give {numeric:R}");
            }
        }

        double At(Tensor values, long index, double shift)
        {
            using var inner = NewDisposeScope();
            values.view(-1)[index].add_(shift);
            var loss = layer.call(x).pow(2).sum().item<double>();
            values.view(-1)[index].sub_(shift);
            return loss;
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void SavedAndLoaded_ComputesTheSame_MergedToo(string kind, string layerKind)
    {
        using var frozen = no_grad();
        using var layer = Layer(layerKind);
        var x = Input(layerKind);
        using var network = Attach(kind, layer);
        network.SetMultiplier(0.6f);
        var y = layer.call(x);
        foreach (var name in new[] { "adapter.safetensors", "adapter.pt" })
        {
            network.Reattach();
            network.Save(_folder.File(name));
            network.Detach();
            using var read = AdapterNetwork.FromFile(_folder.File(name), new AdapterHosts(ModelTree.Of(layer)), 0.6f);
            GoldenComparison.AssertClose("loaded", y, layer.call(x), 2e-6, relativeToMax: true);
            Assert.Equal(network.SavedTensors().Select(t => t.Name).Order(), read.SavedTensors().Select(t => t.Name).Order());
            read.Merge(keepOriginals: true);
            GoldenComparison.AssertClose("merged", y, layer.call(x), 1e-5, relativeToMax: true);
            read.Unmerge();
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void BFloat16Layer_WithFloat32Adapter_ComputesInIt(string kind, string layerKind)
    {
        using var layer = Layer(layerKind);
        using var network = Attach(kind, layer);
        var x = Input(layerKind);
        var exact = layer.call(x).detach();
        layer.to(ScalarType.BFloat16);
        var y = layer.call(x.to(ScalarType.BFloat16));
        Assert.Equal(ScalarType.BFloat16, y.dtype);
        GoldenComparison.AssertClose("output", exact, y, 0.04, relativeToMax: true);
        Gradients.Backward(y.to(ScalarType.Float32).sum());
        Assert.All(network.NamedParameters(), p => Assert.Equal(ScalarType.Float32, p.Parameter.grad!.dtype));
    }

    [Fact]
    public void Steps_OfEveryKind_LeaveNoTensorBehind()
    {
        var layers = s_kinds.Values.SelectMany(kind => kind.Layers).Distinct().ToDictionary(name => name, name => Layer(name));
        void Round()
        {
            foreach (var (name, kind) in s_kinds)
                foreach (var layerKind in kind.Layers)
                {
                    using var scope = NewDisposeScope();
                    using var network = Attach(name, layers[layerKind]);
                    network.SetTraining(true);
                    network.BeginStep(new Generator(1));
                    Gradients.Backward(layers[layerKind].call(Input(layerKind)).sum());
                    network.LimitNorms(0.1);
                    using (no_grad()) layers[layerKind].call(Input(layerKind));
                    network.Merge(keepOriginals: true);
                    network.Unmerge();
                }
        }

        Round();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var before = HeldTensors.Before();
        for (var i = 0; i < 3; i++) Round();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.InRange(TensorCount.Live, 0, before);
        foreach (var layer in layers.Values) layer.Dispose();
    }
}
