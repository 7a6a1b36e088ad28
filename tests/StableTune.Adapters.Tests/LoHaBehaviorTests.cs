namespace StableTune.Adapters.Tests;

/// <summary>LoHa: initial values, its two ways to compute, dropouts, gradients, metadata.</summary>
public sealed class LoHaBehaviorTests
{
    /// <summary>A frozen layer with a LoHa whose factors are all different from zero.</summary>
    private static (nn.Module<Tensor, Tensor> Layer, AdapterNetwork Network) Attach(string kind, LoHaOptions options,
        ScalarType type = ScalarType.Float32)
    {
        nn.Module<Tensor, Tensor> layer = kind == "linear" ? new Linear(12, 10)
            : new Conv2d(12, 10, kind == "conv1" ? 1 : 3, padding: kind == "conv1" ? 0 : 1);
        layer.SetRequiresGrad(false).to(type);
        using var random = new Generator(3);
        var network = AdapterNetwork.Attach(new AdapterHosts(ModelTree.Of(layer)), options with { Layers = LayerSelection.Everything },
            random);
        using var frozen = no_grad();
        foreach (var adapter in network.Adapters) adapter.to(type);
        foreach (var (_, parameter, _) in network.NamedParameters())
            using (var values = randn(parameter.shape, generator: random)) parameter.copy_(values * 0.5);
        return (layer, network);
    }

    private static Tensor Input(string kind) => kind == "linear" ? randn([2, 5, 12], generator: new Generator(4))
        : randn([2, 12, 5, 4], generator: new Generator(4));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Attach_InitialValues_AreLyCoris(bool tucker)
    {
        using var scope = NewDisposeScope();
        using var layer = new Conv2d(60, 70, 3);
        var hosts = new AdapterHosts(ModelTree.Of(layer));
        var options = new LoHaOptions { Rank = 50, Alpha = 0, UseTucker = tucker, Layers = LayerSelection.Everything };
        using var network = AdapterNetwork.Attach(hosts, options, new Generator(1));
        using var again = AdapterNetwork.Attach(hosts, options, new Generator(1));
        var deviations = network.NamedParameters()
            .ToDictionary(p => p.Name["lora_unet_test.".Length..], p => p.Parameter.std().item<float>());
        Assert.Equal(tucker ? 6 : 4, deviations.Count);
        Assert.All(deviations, entry => Assert.Equal(
            entry.Key == "hada_w2_a" ? 0 : entry.Key.EndsWith('b') ? 1 : 0.1, entry.Value, 0.05 * (entry.Key.EndsWith('b') ? 1 : 0.1)));
        Assert.All(network.NamedParameters().Zip(again.NamedParameters()),
            pair => Assert.True(pair.First.Parameter.Equals(pair.Second.Parameter)));
        Assert.Equal(50, network.NamedTensors().Single(t => t.Name.EndsWith("alpha", StringComparison.Ordinal)).Tensor.item<float>());
        Assert.Equal(0, network.Adapters[0].DeltaWeight(layer.weight).abs().max().item<float>());
        Assert.Equal([70L, 60, 3, 3], network.Adapters[0].DeltaWeight(layer.weight).shape);
    }

    /// <summary>Rank 2 is computed by products of rank 4, rank 6 by ΔW itself; both say what ΔW says.</summary>
    [Theory]
    [InlineData("linear", 2, false)]
    [InlineData("linear", 6, false)]
    [InlineData("conv1", 2, false)]
    [InlineData("conv1", 6, false)]
    [InlineData("conv3", 2, false)]
    [InlineData("conv3", 6, false)]
    [InlineData("conv3", 3, true)]
    public void Call_EachWay_IsTheProductWithDeltaWeight(string kind, int rank, bool tucker)
    {
        using var scope = NewDisposeScope();
        var (layer, network) = Attach(kind, new LoHaOptions { Rank = rank, Alpha = 3, UseTucker = tucker });
        network.SetMultiplier(-0.7f);
        var adapter = network.Adapters[0];
        var x = Input(kind);
        var expected = adapter.Layer.Shape.Apply(x, adapter.Layer.Weight + adapter.DeltaWeight(adapter.Layer.Weight) * -0.7)
            + adapter.Layer.Bias!.reshape(kind == "linear" ? [-1] : [-1, 1, 1]);
        GoldenComparison.AssertClose("with gradient", expected, layer.call(x), 1e-5, relativeToMax: true);
        using (no_grad()) GoldenComparison.AssertClose("without gradient", expected, layer.call(x), 1e-5, relativeToMax: true);
        Assert.Equal(tucker ? 3 : 2, adapter.named_parameters().Count() / 2);
        network.Dispose();
        layer.Dispose();
    }

    [Theory]
    [InlineData("linear", 2, false)]
    [InlineData("linear", 5, false)]
    [InlineData("conv3", 2, false)]
    [InlineData("conv3", 8, false)]
    [InlineData("conv3", 2, true)]
    public void Gradients_InFloat64_AreThoseOfFiniteDifferences(string kind, int rank, bool tucker)
    {
        using var scope = NewDisposeScope();
        var (layer, network) = Attach(kind, new LoHaOptions { Rank = rank, Alpha = 3, UseTucker = tucker }, ScalarType.Float64);
        var x = Input(kind).to(ScalarType.Float64).requires_grad_();
        Gradients.Backward(layer.call(x).pow(2).sum());
        using var frozen = no_grad();
        foreach (var (name, values) in network.NamedParameters().Select(p => (p.Name, (Tensor)p.Parameter)).Append(("x", x)))
        {
            Assert.Equal(ScalarType.Float64, values.dtype);
            var picked = new[] { 0, (int)(values.numel() / 2), (int)(values.numel() - 1) };
            foreach (var index in picked)
            {
                double At(double shift)
                {
                    using var inner = NewDisposeScope();
                    values.view(-1)[index].add_(shift);
                    var loss = layer.call(x).pow(2).sum().item<double>();
                    values.view(-1)[index].sub_(shift);
                    return loss;
                }

                const double step = 1e-4;
                var numeric = (At(step) - At(-step)) / (2 * step);
                var analytic = values.grad!.reshape(-1)[index].item<double>();
                Assert.True(Math.Abs(numeric - analytic) <= 1e-6 * Math.Max(1, Math.Abs(numeric)),
                    $"{name}[{index}]: autograd gives {analytic:R}, differences give {numeric:R}");
            }
        }

        network.Dispose();
        layer.Dispose();
    }

    [Fact]
    public void RankDropout_LeavesOutOutputsOfTheTerm()
    {
        foreach (var rank in new[] { 2, 6 })
        {
            using var scope = NewDisposeScope();
            var (layer, network) = Attach("conv3", new LoHaOptions { Rank = rank, Alpha = 2, RankDropout = 0.4 });
            var x = Input("conv3");
            network.SetTraining(false);
            var full = layer.call(x);
            network.SetMultiplier(0);
            var plain = layer.call(x);
            network.SetMultiplier(1);
            network.SetTraining(true);
            Assert.Throws<InvalidOperationException>(() => layer.call(x));                     // no step was begun
            var mask = tensor(new float[] { 1, 0, 1, 1, 0, 1, 0, 1, 1, 1 }).reshape(10, 1);
            ((FactoredAdapter)network.Adapters[0]).DrawMask = (shape, p, _) =>
            {
                Assert.Equal([10L], shape);
                Assert.Equal(0.4, p);
                return mask.flatten().gt(0.5);
            };
            network.BeginStep(new Generator(1));
            GoldenComparison.AssertClose("output", plain + (full - plain) * mask.reshape(10, 1, 1), layer.call(x), 1e-5,
                relativeToMax: true);
            network.Dispose();
            layer.Dispose();
        }
    }

    [Fact]
    public void Dropout_KeepsTheMeanOfTheTerm()
    {
        using var scope = NewDisposeScope();
        var (layer, network) = Attach("linear", new LoHaOptions { Rank = 2, Alpha = 2, Dropout = 0.5 });
        var x = Input("linear");
        network.SetTraining(false);
        var exact = layer.call(x);
        network.SetMultiplier(0);
        var plain = layer.call(x);
        network.SetMultiplier(1);
        network.SetTraining(true);
        var random = new Generator(2);
        var sum = zeros_like(exact);
        for (var i = 0; i < 400; i++)
        {
            using var step = NewDisposeScope();
            using var frozen = no_grad();
            network.BeginStep(random);
            var term = layer.call(x) - plain;
            Assert.InRange(term.abs().lt(1e-6).to(ScalarType.Float32).mean().item<float>(), 0.3f, 0.7f);
            sum.add_(term);
        }

        // The mean of 400 draws that are 0 or 2 errs by a twentieth.
        Assert.InRange((sum / 400 - (exact - plain)).abs().mean().item<float>() / (exact - plain).abs().mean().item<float>(), 0, 0.08);
        network.Dispose();
        layer.Dispose();
    }

    [Fact]
    public void Save_AndFromFile_ComputesTheSame()
    {
        using var folder = new TemporaryFolder();
        foreach (var tucker in new[] { false, true })
        {
            using var scope = NewDisposeScope();
            var (layer, network) = Attach("conv3", new LoHaOptions { Rank = 3, Alpha = 2, UseTucker = tucker });
            var x = Input("conv3");
            var y = layer.call(x);
            network.Save(folder.File("loha.safetensors"));
            network.Detach();
            using var again = AdapterNetwork.FromFile(folder.File("loha.safetensors"), new AdapterHosts(ModelTree.Of(layer)));
            GoldenComparison.AssertClose("output", y, layer.call(x), 0);
            network.Dispose();
            layer.Dispose();
        }
    }

    [Fact]
    public void Call_BFloat16_ComputesInIt()
    {
        using var scope = NewDisposeScope();
        foreach (var rank in new[] { 2, 6 })
        {
            var (layer, network) = Attach("linear", new LoHaOptions { Rank = rank, Alpha = 2 });
            var x = Input("linear");
            var exact = layer.call(x).detach();
            layer.to(ScalarType.BFloat16);
            var y = layer.call(x.to(ScalarType.BFloat16));
            Assert.Equal(ScalarType.BFloat16, y.dtype);
            GoldenComparison.AssertClose("output", exact, y, 0.03, relativeToMax: true);
            Gradients.Backward(y.to(ScalarType.Float32).sum());
            Assert.All(network.NamedParameters(), p => Assert.Equal(ScalarType.Float32, p.Parameter.grad!.dtype));
            network.Dispose();
            layer.Dispose();
        }
    }

    [Fact]
    public void Describe_NamesLyCorisAndItsArguments()
    {
        var plain = new LoHaOptions { Rank = 8, Alpha = 4 }.Describe();
        Assert.Equal(("lycoris.kohya", 8, 4), (plain.Module, plain.Dim, plain.Alpha));
        Assert.Equal("{\"algo\": \"loha\", \"dropout\": null}", PythonRepr.Json(plain.Arguments));
        var options = new LoHaOptions { ConvRank = 2, ConvAlpha = 1, UseTucker = true, ModuleDropout = 0.1, Dropout = 0.5 };
        var full = (options with { Layers = LayerSelection.SdScriptsWithConvolutions }).Describe();
        Assert.Equal("{\"algo\": \"loha\", \"conv_dim\": \"2\", \"conv_alpha\": \"1.0\", \"use_tucker\": \"True\", " +
            "\"module_dropout\": \"0.1\", \"dropout\": 0.5}",
            PythonRepr.Json(full.Arguments));
        Assert.Equal(0.5, full.Dropout);
    }

    [Fact]
    public void WithLoHa_OnAnyBuilder_AddsTheOptions()
    {
        var builder = new OptionsBuilder().WithLoHa().WithLoHa(rank: 16, alpha: 8).WithLoHa(new LoHaOptions { Rank = 2 })
            .WithLoHa(o => o with { UseTucker = true });
        Assert.Equal([new LoHaOptions(), new LoHaOptions { Rank = 16, Alpha = 8 }, new LoHaOptions { Rank = 2 },
            new LoHaOptions { UseTucker = true }], builder.Adapters);
    }
}
