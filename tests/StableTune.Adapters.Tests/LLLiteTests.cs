namespace StableTune.Adapters.Tests;

/// <summary>ControlNet-LLLite by itself: the embedding of the picture, what training needs, and pictures that do not fit.</summary>
public sealed class LLLiteTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    private static ModelTree Model() => ModelTree.FromWeights([
        ("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight", [16, 16]),
        ("down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_k.weight", [16, 16]),
        ("down_blocks.2.attentions.0.transformer_blocks.0.attn2.to_q.weight", [16, 16]),
        ("down_blocks.2.attentions.0.transformer_blocks.0.attn2.to_k.weight", [16, 24]),
        ("mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight", [16, 16]),
        ("up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight", [16, 16])]);

    [Fact]
    public void Attach_TakesTheReferencesLayers_AndChangesNothingAtFirst()
    {
        using var model = Model();
        using var network = AdapterNetwork.Attach(new AdapterHosts(model), new LLLiteOptions(), new Generator(0));
        Assert.Equal(["lllite_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q",
            "lllite_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_k",
            "lllite_unet_down_blocks_2_attentions_0_transformer_blocks_0_attn2_to_q"], network.Adapters.Select(a => a.Layer.Name));
        network.SetControl(randn([1, 3, 64, 64], generator: new Generator(1)));
        foreach (var (adapter, side) in network.Adapters.Zip([8, 4, 2]))
        {
            var x = randn([2, side * side, 16], generator: new Generator(2));
            var plain = nn.functional.linear(x, adapter.Layer.Weight, adapter.Layer.Bias);
            GoldenComparison.AssertClose(adapter.Layer.Name, plain, adapter.Layer.Module.call(x), 0);
        }
    }

    [Fact]
    public void SetControl_SteersTheLayer_UntilItIsTakenAway()
    {
        using var model = Model();
        var options = new LLLiteOptions { ConditionDim = 8, Dim = 4 };
        using var network = AdapterNetwork.Attach(new AdapterHosts(model), options, new Generator(0));
        using (no_grad())
            foreach (var (_, parameter, _) in network.NamedParameters()) parameter.add_(0.1);
        var layer = network.Adapters[0].Layer.Module;
        var x = randn([2, 64, 16], generator: new Generator(2));
        var plain = layer.call(x);
        network.SetControl(randn([2, 3, 64, 64], generator: new Generator(1)));
        var steered = layer.call(x);
        Assert.True((steered - plain).abs().max().item<float>() > 1e-3);
        Gradients.Backward(steered.sum());
        Assert.All(network.Adapters[0].named_parameters(), p => Assert.NotNull(p.parameter.grad));
        network.Save(_folder.File("lllite.safetensors"));

        network.SetControl(null);
        GoldenComparison.AssertClose("without", plain, layer.call(x), 0);
        network.Detach();
        using var read = AdapterNetwork.FromFile(_folder.File("lllite.safetensors"), new AdapterHosts(model));
        read.SetControl(randn([2, 3, 64, 64], generator: new Generator(1)));
        GoldenComparison.AssertClose("read", steered, layer.call(x), 0);
    }

    [Fact]
    public void Pictures_ThatDoNotFit_AreRefusedByTheirShape()
    {
        using var model = Model();
        using var network = AdapterNetwork.Attach(new AdapterHosts(model), new LLLiteOptions(), new Generator(0));
        var layer = network.Adapters[0].Layer.Module;
        foreach (var bad in new long[][] { [3, 64, 64], [1, 1, 64, 64], [1, 3, 0, 64] })
            Assert.Contains($"[{string.Join(", ", bad)}]", Assert.Throws<ArgumentException>(() => network.SetControl(zeros(bad))).Message);
        network.SetControl(zeros(1, 3, 32, 32));
        Assert.Contains("The control picture is [1, 3, 32, 32], which gives 16 places",
            Assert.Throws<InvalidOperationException>(() => layer.call(zeros(2, 64, 16))).Message);
        network.SetControl(zeros(2, 3, 64, 64));
        Assert.Throws<InvalidOperationException>(() => layer.call(zeros(3, 64, 16)));
        using var other = AdapterNetwork.Attach(new AdapterHosts(model), new LoRAOptions(), new Generator(0));
        Assert.Contains("no adapter that a control picture steers",
            Assert.Throws<InvalidOperationException>(() => other.SetControl(zeros(1, 3, 64, 64))).Message);
    }

    [Fact]
    public void Merge_IsRefused_BeforeAnythingChanges()
    {
        using var model = Model();
        using var network = AdapterNetwork.Attach(new AdapterHosts(model), new LLLiteOptions(), new Generator(0));
        Assert.Contains("LLLiteAdapter", Assert.Throws<InvalidOperationException>(() => network.Merge()).Message);
        Assert.True(network.IsAttached);
    }

    [Fact]
    public void Dropout_DrawsTheSameWithinAStep()
    {
        using var model = Model();
        using var network = AdapterNetwork.Attach(new AdapterHosts(model), new LLLiteOptions { Dropout = 0.5 }, new Generator(0));
        using (no_grad())
            foreach (var (_, parameter, _) in network.NamedParameters()) parameter.add_(0.1);
        network.SetControl(randn([1, 3, 64, 64], generator: new Generator(1)));
        var (layer, x) = (network.Adapters[0].Layer.Module, randn([1, 64, 16], generator: new Generator(2)));
        Assert.Throws<InvalidOperationException>(() => layer.call(x));
        network.BeginStep(new Generator(1));
        var y = layer.call(x);
        Assert.True(y.Equals(layer.call(x)));
        network.SetTraining(false);
        Assert.False(y.Equals(layer.call(x)));
    }
}
