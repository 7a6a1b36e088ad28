using System.Text.Json;

namespace StableTune.Adapters.Tests;

/// <summary>Outputs, gradients and merged weights of LoRA modules of sd-scripts and LyCORIS, at the tolerances of the fixtures'
/// README.</summary>
public sealed class LoRAParityTests : IDisposable
{
    // rtol 1e-4, atol 2e-5, convolutions 5e-5: outputs and weights are of the order of 1 and are held to the absolute part alone.
    private const double LinearTolerance = 2e-5, ConvolutionTolerance = 5e-5;

    private readonly TemporaryFolder _folder = new();
    private readonly Golden _base = Golden.Open("networks", "base.safetensors");
    private readonly Golden _cases = Golden.Open("networks", "sdscripts.safetensors");
    private readonly Golden _lycoris = Golden.Open("networks", "lycoris.safetensors");

    public void Dispose()
    {
        _base.Dispose();
        _cases.Dispose();
        _lycoris.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<string, string> Cases()
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("networks", "sdscripts_cases.json")));
        var data = new TheoryData<string, string>();
        foreach (var entry in json.RootElement.GetProperty("cases").EnumerateArray())
            if (entry.GetProperty("case").GetString()! is "lora" or "lora_alpha0" or "lora_dim8")
                data.Add(entry.GetProperty("case").GetString()!, entry.GetProperty("module").GetString()!);
        return data;
    }

    [Fact]
    public void Cases_AreAllThere() => Assert.Equal(7, Cases().Count());

    /// <summary>LyCORIS' LoCon without its additions is the same algebra; here outputs, all gradients and merged weights are
    /// complete.</summary>
    [Theory]
    [InlineData("linear", 1.0f)]
    [InlineData("linear", 0.6f)]
    [InlineData("conv1", 1.0f)]
    [InlineData("conv1", 0.6f)]
    [InlineData("conv3", 1.0f)]
    [InlineData("conv3", 0.6f)]
    [InlineData("conv3s2", 1.0f)]
    [InlineData("conv3s2", 0.6f)]
    public void LoCon_LoadedFromAFile_ComputesAsTheReference(string module, float multiplier)
    {
        using var scope = NewDisposeScope();
        var (at, mark, tolerance) = ($"locon/{module}", Mark(multiplier), Tolerance(module));
        using var layer = Layer(module);
        using var model = ModelTree.Of(layer);
        using var network = AdapterNetwork.FromFile(Save(_lycoris, at), new AdapterHosts(model), multiplier);
        var (y, x) = RunBackward(layer, module);
        _lycoris.AssertClose($"{at}/y{mark}", y, tolerance);
        AssertGradient(_lycoris, $"{at}/grad{mark}/x", x.grad!, tolerance);
        foreach (var (name, parameter, _) in network.NamedParameters())
            AssertGradient(_lycoris, $"{at}/grad{mark}/{name["lora_unet_test.".Length..]}", parameter.grad!, tolerance);

        // The leaner way without gradients changes the output in place, and must say the same; so must the term by itself.
        using (no_grad()) _lycoris.AssertClose($"{at}/y{mark}", layer.call(x), tolerance);
        _lycoris.AssertClose($"{at}/y{mark}", _base[$"{module}/y_base"] + network.Adapters[0].call(x) * multiplier, tolerance);

        network.Merge();
        Assert.False(network.IsAttached);
        _lycoris.AssertClose($"{at}/merged{mark}", network.Adapters[0].Layer.Weight, tolerance);
        _lycoris.AssertClose($"{at}/y{mark}", layer.call(x), tolerance);
    }

    /// <summary>
    /// sd-scripts' own modules. Their recorded outputs were computed on a frozen layer that was not recorded (it is not the one in
    /// base.safetensors: the outputs minus the LoRA's term are no linear function of the input), so what the layer contributes is taken
    /// out by
    /// subtracting the results at two multipliers. Gradients of the factors and merged weights do not depend on it.
    /// </summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void LoRA_LoadedFromAFile_ComputesAsTheReference(string name, string module)
    {
        using var scope = NewDisposeScope();
        var (at, tolerance) = ($"{name}/{module}", Tolerance(module));
        using var layer = Layer(module);
        using var model = ModelTree.Of(layer);
        using var network = AdapterNetwork.FromFile(Save(_cases, at), new AdapterHosts(model));
        var (outputs, inputs) = (new List<Tensor>(), new List<Tensor>());
        foreach (var multiplier in new[] { 1.0f, 0.6f })
        {
            network.SetMultiplier(multiplier);
            foreach (var (_, parameter, _) in network.NamedParameters()) parameter.grad = null;
            var (y, x) = RunBackward(layer, module);
            outputs.Add(y);
            inputs.Add(x.grad!);
            foreach (var (key, parameter, _) in network.NamedParameters())
                AssertGradient(_cases, $"{at}/grad{Mark(multiplier)}/{key["lora_unet_test.".Length..]}", parameter.grad!, tolerance);
        }

        GoldenComparison.AssertClose("y", _cases[$"{at}/y@1.0"] - _cases[$"{at}/y@0.6"], outputs[0] - outputs[1], tolerance);
        GoldenComparison.AssertClose("grad x", _cases[$"{at}/grad@1.0/x"] - _cases[$"{at}/grad@0.6/x"], inputs[0] - inputs[1], tolerance);

        network.Merge();
        _cases.AssertClose($"{at}/merged@0.6", network.Adapters[0].Layer.Weight, tolerance);
    }

    [Fact]
    public void RankDropout_WithTheRecordedMask_ComputesAsTheReference()
    {
        using var scope = NewDisposeScope();
        using var layer = Layer("linear");
        using var model = ModelTree.Of(layer);
        using var network = AdapterNetwork.Attach(
            new AdapterHosts(model), new LoRAOptions { Rank = 4, Alpha = 2, RankDropout = 0.4, Parts = AdapterParts.UNet },
            new Generator(0));
        network.LoadWeights(Save(_cases, "rank_dropout/linear"));
        long[]? asked = null;
        ((LoRAAdapter)network.Adapters[0]).DrawMask = (shape, p, _) =>
        {
            asked = shape;
            Assert.Equal(0.4, p);
            return _cases["rank_dropout/linear/mask"].reshape(shape);
        };
        network.BeginStep(new Generator(1));
        _cases.AssertClose("rank_dropout/linear/y@1.0", layer.call(_base["linear/x"]), LinearTolerance);
        Assert.Equal([2L, 1L, 4L], asked!);
    }

    private static string Mark(float multiplier) => multiplier == 1 ? "@1.0" : "@0.6";

    private static double Tolerance(string module) => module == "linear" ? LinearTolerance : ConvolutionTolerance;

    /// <summary>Gradients are sums over a whole batch, up to 50 large: the relative part of the tolerance counts as well.</summary>
    private static void AssertGradient(Golden golden, string name, Tensor actual, double tolerance)
    {
        using var largest = golden[name].abs().max();
        golden.AssertClose(name, actual, tolerance + 1e-4 * largest.item<float>());
    }

    private (Tensor Y, Tensor X) RunBackward(nn.Module<Tensor, Tensor> layer, string module)
    {
        var x = _base[$"{module}/x"].clone().requires_grad_(true);
        var y = layer.call(x);
        (y * _base[$"{module}/grad_y"]).sum().backward();
        return (y, x);
    }

    /// <summary>What the reference saved for a case, or its parameters, as an adapter file.</summary>
    private string Save(Golden cases, string at)
    {
        var path = _folder.File("lora.safetensors");
        var source = cases.Contains($"{at}/saved/alpha") ? "saved" : "param";
        var names = new[] { "alpha", "lora_down.weight", "lora_up.weight" }.Where(name => cases.Contains($"{at}/{source}/{name}"));
        Tensors.StateDictWriter.Save(path, names.Select(name => ($"lora_unet_test.{name}", cases[$"{at}/{source}/{name}"])));
        return path;
    }

    private nn.Module<Tensor, Tensor> Layer(string module) => ReferenceLayers.Make(_base, module);
}
