using StableTune.Formats;

namespace StableTune.Adapters.Tests;

/// <summary>Hypernetworks: what they compute, the web UI's file, and files that are broken.</summary>
public sealed class HypernetworkTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TemporaryFolder _folder = new();
    private readonly ModelTree _model = ModelTree.FromWeights([
        ("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight", [8, 8]),
        ("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k.weight", [8, 8]),
        ("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_v.weight", [8, 8]),
        ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", [8, 12]),
        ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v.weight", [8, 12])]);

    public void Dispose()
    {
        _model.Dispose();
        _scope.Dispose();
        _folder.Dispose();
    }

    private nn.Module<Tensor, Tensor> Layer(string end) =>
        (nn.Module<Tensor, Tensor>)_model.named_modules().Single(module => module.name.EndsWith(end, StringComparison.Ordinal)).module;

    /// <summary>A file as the web UI writes it: pairs of state dictionaries under whole numbers, facts beside them.</summary>
    private string Save(Func<long, string, Dictionary<string, Tensor>> state, string activation = "relu", string names = "linear.")
    {
        static PickleValue State(Dictionary<string, Tensor> tensors) => new PickleDictionary(
            Tensors.StatePayloads.Of(tensors.Select(t => (t.Key, t.Value)))
                .Select(payload => KeyValuePair.Create<string, PickleValue>(payload.Name, PickleTensor.From(payload))), ordered: true);
        var entries = new List<KeyValuePair<PickleValue, PickleValue>>();
        foreach (var width in new[] { 8L, 12, 1280 })
            entries.Add(new(width, new PickleSequence(PickleSequenceKind.Tuple, [State(state(width, "k")), State(state(width, "v"))])));
        entries.AddRange([new("step", 500), new("name", "frog"), new("activation_func", activation), new("is_layer_norm", false),
            new("activate_output", false), new("layer_structure", new PickleSequence(PickleSequenceKind.List, [1, 2, 1])),
            new("sd_checkpoint", PickleNone.Value)]);
        var path = _folder.File("frog.pt");
        TorchWriter.Write(path, PickleDictionary.WithKeys(entries));
        return path;
    }

    private static Dictionary<string, Tensor> Whole(long width, string side)
    {
        var random = new Generator((ulong)width + (side == "k" ? 0u : 1u));
        Tensor Draw(params long[] size) => randn(size, generator: random) * 0.3;
        return new()
        {
            ["linear.0.weight"] = Draw(2 * width, width), ["linear.0.bias"] = Draw(2 * width),
            ["linear.2.weight"] = Draw(width, 2 * width), ["linear.2.bias"] = Draw(width),
        };
    }

    [Fact]
    public void FromFile_PutsItsModulesInFrontOfKeysAndValues()
    {
        var x = randn([2, 5, 12], generator: new Generator(3));
        var plain = Layer("attn2.to_v").call(x);
        var query = Layer("attn1.to_q").call(x.narrow(2, 0, 8));
        using var network = Hypernetwork.FromFile(Save(Whole), new AdapterHosts(_model), multiplier: 0.7f);
        Assert.Equal([8L, 12, 1280], network.Widths);
        Assert.Equal(("frog", "relu", 500L), (network.Options.Name, network.Options.Activation, network.Step));
        foreach (var (end, side) in new[] { ("attn2.to_k", "k"), ("attn2.to_v", "v") })
        {
            var w = Whole(12, side);
            var hidden = nn.functional.relu(nn.functional.linear(x, w["linear.0.weight"], w["linear.0.bias"]));
            var changed = x + nn.functional.linear(hidden, w["linear.2.weight"], w["linear.2.bias"]) * 0.7;
            var layer = (Linear)Layer(end);
            GoldenComparison.AssertClose(end, nn.functional.linear(changed, layer.weight, layer.bias), layer.call(x), 1e-5);
        }

        GoldenComparison.AssertClose("to_q", query, Layer("attn1.to_q").call(x.narrow(2, 0, 8)), 0);
        network.Detach();
        GoldenComparison.AssertClose("detached", plain, Layer("attn2.to_v").call(x), 0);
    }

    [Fact]
    public void Attach_Trains_Saves_AndLoads()
    {
        var x = randn([2, 5, 8], generator: new Generator(3));
        var layer = Layer("attn1.to_k");
        layer.SetRequiresGrad(false);
        var options = new HypernetworkOptions
        {
            Name = "mine", LayerStructure = [1, 1.5, 2, 1], Activation = "swish", LayerNorm = true, ActivateOutput = true, Widths = [8],
        };
        using var network = Hypernetwork.Attach(new AdapterHosts(_model), options, new Generator(1));
        Assert.Equal([8L], network.Widths);
        Assert.Contains("8.k.linear.3.weight", network.NamedParameters().Select(p => p.Name));
        Gradients.Backward(layer.call(x).pow(2).sum());
        Assert.All(network.NamedParameters().Where(p => p.Name.StartsWith("8.k", StringComparison.Ordinal)),
            p => Assert.NotNull(p.Parameter.grad));
        using (no_grad())
            foreach (var (_, parameter) in network.NamedParameters()) parameter.add_(0.2);
        var y = layer.call(x);
        network.Step = 7;
        network.Save(_folder.File("mine.pt"));
        network.Detach();
        using var read = Hypernetwork.FromFile(_folder.File("mine.pt"), new AdapterHosts(_model));
        Assert.Equal(7, read.Step);
        Assert.Equal(options with { Widths = [], LayerStructure = [] }, read.Options with { LayerStructure = [], Widths = [] });
        Assert.Equal(options.LayerStructure, read.Options.LayerStructure);
        GoldenComparison.AssertClose("read", y, layer.call(x), 0);
        read.Multiplier = 0;
        network.Reattach();
        GoldenComparison.AssertClose("again", y, layer.call(x), 0);
    }

    [Fact]
    public void FromFile_NamesOfTheFirstHypernetworks_AreUnderstood()
    {
        var x = randn([2, 5, 8], generator: new Generator(3));
        using var now = Hypernetwork.FromFile(Save(Whole, "linear"), new AdapterHosts(_model));
        var y = Layer("attn1.to_v").call(x);
        now.Detach();
        using var old = Hypernetwork.FromFile(Save((width, side) => Whole(width, side).ToDictionary(
            t => t.Key.Replace("linear.0.", "linear1.", StringComparison.Ordinal)
                .Replace("linear.2.", "linear2.", StringComparison.Ordinal),
            t => t.Value), "linear"), new AdapterHosts(_model));
        GoldenComparison.AssertClose("old", y, Layer("attn1.to_v").call(x), 0);
    }

    [Fact]
    public void BrokenFiles_AreNamed()
    {
        string Fault(Func<long, string, Dictionary<string, Tensor>> state, string activation = "relu") =>
            Assert.Throws<InvalidFileException>(() => Hypernetwork.FromFile(Save(state, activation), new AdapterHosts(_model))).Message;
        Dictionary<string, Tensor> With(long width, string side, string name, Tensor? value)
        {
            var state = Whole(width, side);
            state.Remove(name);
            if (value is not null) state.Add(name, value);
            return state;
        }

        Assert.Contains("activation 'prelu'", Fault(Whole, "prelu"));
        Assert.Contains("no linear.2.bias", Fault((width, side) => With(width, side, "linear.2.bias", null)));
        Assert.Contains("layers that do not fit", Fault((width, side) => With(width, side, "linear.2.weight", randn(width, 5))));
        Assert.Contains("strange tensor 'odd.weight'", Fault((width, side) => With(width, side, "odd.weight", randn(1, 1))));
        Assert.Contains("NaN", Fault((width, side) => With(width, side, "linear.2.bias", full([width], float.NaN))));
        Assert.Contains("holds no pair of modules",
            Assert.Throws<InvalidFileException>(() => Hypernetwork.FromFile(Lora(), new AdapterHosts(_model))).Message);
        using var other = ModelTree.FromWeights([("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k.weight", [8, 16])]);
        Assert.Contains("of which this model has none (16)",
            Assert.Throws<InvalidFileException>(() => Hypernetwork.FromFile(Save(Whole), new AdapterHosts(other))).Message);
        var path = Save(Whole);
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^100]);
        Assert.Contains(path, Assert.Throws<InvalidFileException>(() => Hypernetwork.FromFile(path, new AdapterHosts(_model))).Message);
    }

    [Fact]
    public void Options_ThatCannotWork_AreNamed()
    {
        foreach (var (options, message) in new[]
        {
            (new HypernetworkOptions { LayerStructure = [1, 2] }, "LayerStructure is \"1, 2\""),
            (new HypernetworkOptions { Activation = "prelu" }, "Activation is \"prelu\": there is no such activation"),
            (new HypernetworkOptions { Widths = [77] }, "the model has no attention of such a width. it has 8, 12"),
        })
            Assert.Contains(message, Assert.Throws<InvalidOptionsException>(() =>
                Hypernetwork.Attach(new AdapterHosts(_model), options, new Generator(0))).Message, StringComparison.OrdinalIgnoreCase);
    }

    private string Lora()
    {
        using var network = AdapterNetwork.Attach(new AdapterHosts(_model), new LoRAOptions(), new Generator(0));
        network.Save(_folder.File("lora.pt"));
        return _folder.File("lora.pt");
    }
}
