
namespace StableTune.Adapters.Tests;

/// <summary>Options, initial values, dropouts, number types, checkpointing, lifetime.</summary>
public sealed class LoRABehaviorTests
{
    private static (nn.Module<Tensor, Tensor> Layer, ModelTree Model, AdapterNetwork Network) Attach(
        LoRAOptions? options = null, bool convolution = false, int seed = 1)
    {
        var layer = convolution ? (nn.Module<Tensor, Tensor>)new Conv2d(6, 10, 1) : new Linear(6, 10);
        layer.SetRequiresGrad(false);
        var model = ModelTree.Of(layer);
        using var random = new Generator((ulong)seed);
        return (layer, model, AdapterNetwork.Attach(new AdapterHosts(model), options ?? new LoRAOptions { Rank = 3, Alpha = 2 }, random));
    }

    /// <summary>Gives up values other than zero, so that the adapter acts.</summary>
    private static void Stir(AdapterNetwork network)
    {
        using var frozen = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (_, parameter, _) in network.NamedParameters()) parameter.copy_(randn(parameter.shape, generator: new Generator(9)));
    }

    [Fact]
    public void Validate_WrongOptions_NamesEachWithValueAndRemedy()
    {
        var options = new LoRAOptions { Rank = 0, Alpha = -1, Dropout = 1, RankDropout = double.NaN, ModuleDropout = -0.1 };
        using var model = ModelTree.Of(new Linear(1, 1));
        var fault = Assert.Throws<InvalidOptionsException>(() => AdapterNetwork.Attach(new AdapterHosts(model), options, new Generator(0)));
        Assert.All(["LoRAOptions.Rank is 0", "LoRAOptions.Alpha is -1", "LoRAOptions.Dropout is 1", "LoRAOptions.RankDropout is NaN",
            "LoRAOptions.ModuleDropout is -0.1"], part => Assert.Contains(part, fault.Message));
        Assert.Empty(new LoRAOptions().Validate());
        Assert.Single(new LoRAOptions { Parts = AdapterParts.None }.Validate());
    }

    [Fact]
    public void Attach_NewAdapter_ChangesNothingAtFirst()
    {
        using var scope = NewDisposeScope();
        var (layer, model, network) = Attach();
        var x = randn(2, 5, 6);
        var with = layer.call(x);
        Assert.True(network.Adapters[0].DeltaWeight(network.Adapters[0].Layer.Weight).abs().max().item<float>() == 0);
        network.Detach();
        GoldenComparison.AssertClose("output", layer.call(x), with, 0);
        network.Dispose();
        model.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Attach_InitialValues_AreUniformInKaimingsBoundsAndRepeatable(bool convolution)
    {
        using var scope = NewDisposeScope();
        var options = new LoRAOptions { Rank = 500, Alpha = 0 };
        var (_, model, network) = Attach(options, convolution);
        var (_, again, same) = Attach(options, convolution);
        var down = network.NamedParameters().Single(p => p.Name.EndsWith("lora_down.weight", StringComparison.Ordinal)).Parameter;
        var bound = 1 / Math.Sqrt(6);
        Assert.InRange(down.abs().max().item<float>(), 0.98 * bound, bound);
        Assert.InRange(down.mean().item<float>(), -0.05 * bound, 0.05 * bound);
        Assert.InRange(down.std().item<float>() / bound, 0.56, 0.6);                        // 1/√3 = 0.577
        Assert.Equal(ScalarType.Float32, down.dtype);
        Assert.True(down.requires_grad && down.is_leaf);
        Assert.True(down.Equals(same.NamedParameters().First().Parameter));
        Assert.Equal(500, network.NamedTensors().Single(t => t.Name.EndsWith("alpha", StringComparison.Ordinal)).Tensor.item<float>());
        network.Dispose(); same.Dispose(); model.Dispose(); again.Dispose();
    }

    [Fact]
    public void Call_Multiplier_ScalesAndSwitchesOff()
    {
        using var scope = NewDisposeScope();
        var (layer, model, network) = Attach();
        Stir(network);
        var x = randn(4, 6);
        network.SetMultiplier(0);
        var plain = layer.call(x);
        network.SetMultiplier(1);
        var full = layer.call(x) - plain;
        network.SetMultiplier(-0.5f);
        GoldenComparison.AssertClose("term", full * -0.5, layer.call(x) - plain, 1e-5);
        GoldenComparison.AssertClose("delta", x.mm(network.Adapters[0].DeltaWeight(network.Adapters[0].Layer.Weight).t()), full, 1e-5);
        network.SetMultiplier(0.25f, AdapterParts.TextEncoder);
        Assert.Equal(-0.5f, network.Adapters[0].Multiplier);
        Assert.Throws<ArgumentOutOfRangeException>(() => network.SetMultiplier(float.NaN));
        network.Dispose(); model.Dispose();
    }

    [Fact]
    public void Call_BFloat16_ComputesInItAndTrainsInFloat32()
    {
        using var scope = NewDisposeScope();
        foreach (var convolution in new[] { false, true })
        {
            var (layer, model, network) = Attach(convolution: convolution);
            Stir(network);
            var x = convolution ? randn([2, 6, 4, 3], generator: new Generator(2)) : randn([2, 4, 6], generator: new Generator(2));
            var exact = layer.call(x).detach();
            layer.to(ScalarType.BFloat16);
            var y = layer.call(x.to(ScalarType.BFloat16));
            Assert.Equal(ScalarType.BFloat16, y.dtype);
            GoldenComparison.AssertClose("output", exact, y, 0.02, relativeToMax: true);
            y.to(ScalarType.Float32).sum().backward();
            Assert.All(network.NamedParameters(), p => Assert.Equal(ScalarType.Float32, p.Parameter.grad!.dtype));
            network.Dispose(); model.Dispose();
        }
    }

    [Fact]
    public void Call_StridedAndChannelsLastInputs_GiveTheSame()
    {
        using var scope = NewDisposeScope();
        var (layer, model, network) = Attach(convolution: true);
        Stir(network);
        var x = randn([2, 6, 4, 3], generator: new Generator(3));
        var last = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);                  // the same numbers, channels last in memory
        GoldenComparison.AssertClose("with gradient", layer.call(x), layer.call(last), 1e-5);
        using (no_grad()) GoldenComparison.AssertClose("without gradient", layer.call(x), layer.call(last), 1e-5);
        network.Dispose(); model.Dispose();
    }

    /// <summary>Models add residuals onto a layer's output in place; the graph behind it must stay right.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Call_OutputChangedInPlace_KeepsTheGradients(bool convolution)
    {
        using var scope = NewDisposeScope();
        var (layer, model, network) = Attach(convolution: convolution);
        Stir(network);
        var x = convolution ? randn([2, 6, 4, 3], generator: new Generator(2)) : randn([2, 4, 6], generator: new Generator(2));
        var gradients = new List<Tensor[]>();
        foreach (var inPlace in new[] { false, true })
        {
            var input = x.clone().requires_grad_(true);
            var y = layer.call(input);
            var residual = ones_like(y).requires_grad_(true) * 2;
            (inPlace ? y.add_(residual) : y + residual).pow(2).sum().backward();
            gradients.Add([input.grad!, .. network.NamedParameters().Select(p => p.Parameter.grad!.clone())]);
            foreach (var (_, parameter, _) in network.NamedParameters()) parameter.grad = null;
        }

        foreach (var (golden, actual) in gradients[0].Zip(gradients[1])) GoldenComparison.AssertClose("gradient", golden, actual, 0);
        network.Dispose(); model.Dispose();
    }

    [Fact]
    public void Attach_TwoNetworks_AddUpAndComeOffSeparately()
    {
        using var scope = NewDisposeScope();
        var (layer, model, network) = Attach();
        using var second = AdapterNetwork.Attach(new AdapterHosts(model), new LoRAOptions { Rank = 2, Alpha = 2 }, new Generator(5));
        Stir(network);
        Stir(second);
        var x = randn(4, 6);
        var both = layer.call(x);
        using (no_grad()) GoldenComparison.AssertClose("in place", both, layer.call(x), 1e-5);
        second.Detach();
        var one = layer.call(x);
        GoldenComparison.AssertClose("second", x.mm(second.Adapters[0].DeltaWeight(second.Adapters[0].Layer.Weight).t()), both - one, 1e-5);
        network.Detach();
        GoldenComparison.AssertClose("first", x.mm(network.Adapters[0].DeltaWeight(network.Adapters[0].Layer.Weight).t()),
            one - layer.call(x), 1e-5);
        network.Dispose(); model.Dispose();
    }

    [Fact]
    public void Dropouts_InTraining_DrawOncePerStepAndNotInUse()
    {
        using var scope = NewDisposeScope();
        var (layer, model, network) = Attach(new LoRAOptions { Rank = 8, Alpha = 8, Dropout = 0.5, RankDropout = 0.25 });
        Stir(network);
        var x = randn([64, 7, 6], generator: new Generator(4));
        var random = new Generator(5);
        Assert.Throws<InvalidOperationException>(() => layer.call(x));                        // no step was begun
        network.SetTraining(false);
        var exact = layer.call(x);
        network.SetTraining(true);
        network.BeginStep(random);
        var first = layer.call(x);
        GoldenComparison.AssertClose("same step", first, layer.call(x), 0);
        network.BeginStep(random);
        Assert.True((first - layer.call(x)).abs().max().item<float>() > 0.1);

        // Dropouts keep the mean: over many steps the term is that of no dropout.
        var mean = zeros_like(exact);
        for (var i = 0; i < 300; i++)
        {
            using var step = NewDisposeScope();
            using var frozen = no_grad();
            network.BeginStep(random);
            mean.add_(layer.call(x) / 300);
        }

        Assert.InRange((mean - exact).abs().mean().item<float>() / exact.abs().mean().item<float>(), 0, 0.1);
        network.Dispose(); model.Dispose();
    }

    [Fact]
    public void ModuleDropout_LeavesTheAdapterOutInItsPartOfTheSteps()
    {
        using var scope = NewDisposeScope();
        var (layer, model, network) = Attach(new LoRAOptions { Rank = 2, ModuleDropout = 0.3, Alpha = 2 });
        Stir(network);
        var x = randn(2, 6);
        network.SetMultiplier(0);
        var plain = layer.call(x);
        network.SetMultiplier(1);
        var random = new Generator(6);
        var left = 0;
        for (var i = 0; i < 500; i++)
        {
            using var step = NewDisposeScope();
            network.BeginStep(random);
            if (layer.call(x).Equals(plain)) left++;
        }

        Assert.InRange(left, 110, 190);                                                        // 150 expected, 10 is one standard deviation
        Assert.Equal([2L, 10L], network.Adapters[0].call(x).shape);
        network.Dispose(); model.Dispose();
    }

    [Fact]
    public void Checkpointing_WithDropout_GivesTheGradientsOfThePassItself()
    {
        using var scope = NewDisposeScope();
        var (layer, model, network) = Attach(
            new LoRAOptions { Rank = 4, Alpha = 4, Dropout = 0.5, RankDropout = 0.3, ModuleDropout = 0.01 });
        Stir(network);
        var x = randn([16, 6], generator: new Generator(7));
        network.BeginStep(new Generator(8));
        layer.call(x).pow(2).sum().backward();
        var plain = network.NamedParameters().Select(p => p.Parameter.grad!.clone()).ToList();
        foreach (var (_, parameter, _) in network.NamedParameters()) parameter.grad = null;
        ActivationCheckpoint.Run(inputs => layer.call(inputs[0]), x).pow(2).sum().backward();
        foreach (var (golden, (name, parameter, _)) in plain.Zip(network.NamedParameters())) GoldenComparison.AssertClose(name, golden,
            parameter.grad!, 0);
        network.Dispose(); model.Dispose();
    }

    [Fact]
    public void Steps_Thousand_LeaveNoTensorBehind()
    {
        var (layer, model, network) = Attach();
        using var x = randn(2, 3, 6);
        void Step()
        {
            using var scope = NewDisposeScope();
            layer.call(x).sum().backward();
            foreach (var (_, parameter, _) in network.NamedParameters()) parameter.grad = null;
            using var frozen = no_grad();
            layer.call(x);
        }

        Step();
        var before = HeldTensors.Before();
        for (var i = 0; i < 1000; i++) Step();
        Assert.Equal(before, TensorCount.Live);
        network.Dispose();
        model.Dispose();
    }

    [Fact]
    public void Dispose_FreesAllThatAttachingTook()
    {
        using var layer = new Linear(6, 10);
        using var model = ModelTree.Of(layer);
        var before = HeldTensors.Before();
        using (var random = new Generator(1))
        using (AdapterNetwork.Attach(new AdapterHosts(model), new LoRAOptions(), random))
            Assert.Equal(before + 3, TensorCount.Live);
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void WithLoRA_OnAnyBuilder_AddsTheOptions()
    {
        var builder = new OptionsBuilder().WithLoRA().WithLoRA(rank: 16, alpha: 8).WithLoRA(new LoRAOptions { Rank = 2 })
            .WithLoRA(o => o with { Dropout = 0.1 });
        Assert.Equal([new LoRAOptions(), new LoRAOptions { Rank = 16, Alpha = 8 }, new LoRAOptions { Rank = 2 },
            new LoRAOptions { Dropout = 0.1 }], builder.Adapters);
    }
}
