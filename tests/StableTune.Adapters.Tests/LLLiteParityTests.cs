using System.Text.Json;
using StableTune.Checkpoints;
using StableTune.Models;

namespace StableTune.Adapters.Tests;

/// <summary>ControlNet-LLLite of sd-scripts on tiny-sdxl, at the tolerances of the fixtures' README.</summary>
public sealed class LLLiteParityTests : IDisposable
{
    private const double Tolerance = 1e-5, GradientTolerance = 2e-4;

    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TemporaryFolder _folder = new();
    private readonly Golden _golden = Golden.Open("networks", "lllite.safetensors");
    private readonly StableDiffusionModel _model;
    private readonly AdapterNetwork _network;

    public LLLiteParityTests()
    {
        _model = ModelLoader.Load(FixtureModels.TinySdxl(_folder), new ModelLoadOptions { Parts = ModelParts.UNet });
        _model.UNet.SetRequiresGrad(false);
        _network = AdapterNetwork.FromFile(Fixtures.Path("networks", "lllite_weights.safetensors"),
            new AdapterHosts(_model.UNet) { UNetPaths = SingleFilePath });
    }

    public void Dispose()
    {
        _network.Dispose();
        _model.Dispose();
        _golden.Dispose();
        _scope.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Modules_AreTheReferences()
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("networks", "lllite.json")));
        var modules = json.RootElement.GetProperty("modules").EnumerateObject()
            .ToDictionary(module => module.Name, module => module.Value.GetProperty("depth").GetInt32());
        Assert.Equal(modules.Keys.Order(), _network.Adapters.Select(adapter => adapter.Layer.Name).Order());
        Assert.All(_network.Adapters, adapter => Assert.Equal(modules[adapter.Layer.Name], LLLiteDepth.Of(adapter.Layer)));

        // The default choice of layers is the reference's too.
        using var fresh = AdapterNetwork.Attach(new AdapterHosts(_model.UNet) { UNetPaths = SingleFilePath }, new LLLiteOptions
        {
            ConditionDim = json.RootElement.GetProperty("cond_emb_dim").GetInt32(),
            Dim = json.RootElement.GetProperty("mlp_dim").GetInt32(),
        }, new Generator(0));
        Assert.Equal(_network.SavedTensors().Select(t => (t.Name, string.Join('x', t.Tensor.shape))).Order(),
            fresh.SavedTensors().Select(t => (t.Name, string.Join('x', t.Tensor.shape))).Order());
    }

    [Fact]
    public void Output_IsTheReferences()
    {
        using var frozen = no_grad();
        _golden.AssertClose("output_plain", Run(), Tolerance);
        _network.SetControl(_golden["cond_image"]);
        foreach (var name in _golden.Names.Where(name => name.StartsWith("cond_emb.", StringComparison.Ordinal)))
        {
            var adapter = _network.Adapters.Single(adapter => adapter.Layer.Name == $"lllite_unet_{name["cond_emb.".Length..]}");
            _golden.AssertClose(name, ((LLLiteAdapter)adapter).Embedding(ScalarType.Float32), Tolerance);
        }

        _golden.AssertClose("output", Run(), Tolerance);
        _network.SetMultiplier(0.6f);
        _golden.AssertClose("output_multiplier_0.6", Run(), Tolerance);
        _network.SetMultiplier(1);
        _golden.AssertClose("output_batch2", RunTwice(), Tolerance);
        _network.SetControl(null);
        _golden.AssertClose("output_plain", Run(), Tolerance);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Gradients_AreTheReferences(bool checkpointing)
    {
        _model.UNet.GradientCheckpointing = checkpointing;
        _network.SetControl(_golden["cond_image"]);
        var loss = nn.functional.mse_loss(Run(), _golden["target"]);
        Assert.Equal(_golden["loss"].item<float>(), loss.item<float>(), Tolerance);
        Gradients.Backward(loss);
        var gradients = _network.NamedParameters().ToDictionary(p => $"grad.{p.Name}", p => p.Parameter.grad!);
        var recorded = _golden.Names.Where(name => name.StartsWith("grad.", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(recorded);
        Assert.All(recorded, name => _golden.AssertClose(name, gradients[name], GradientTolerance, relativeToMax: true));
        var total = Math.Sqrt(gradients.Values.Sum(gradient => gradient.to(ScalarType.Float64).pow(2).sum().item<double>()));
        Assert.Equal(1, total / _golden["grad_norm_total"].item<float>(), GradientTolerance);
    }

    private Tensor Run() => _model.UNet.call(_golden["sample"], _golden["timesteps"], _golden["context"],
        new AddedConditions(_golden["text_embeds"], _golden["time_ids"]));

    private Tensor RunTwice()
    {
        Tensor Twice(string name) => cat([_golden[name], _golden[name]], 0);
        var context = cat([zeros_like(_golden["context"]), _golden["context"]], 0);
        return _model.UNet.call(Twice("sample"), Twice("timesteps"), context, new AddedConditions(Twice("text_embeds"), Twice("time_ids")));
    }

    /// <summary>The paths of single-file checkpoints for the attentions of SDXL's way down and middle.</summary>
    private static string? SingleFilePath(string path)
    {
        var parts = path.Split('.');
        return parts switch
        {
            ["down_blocks", var block, "attentions", var layer, ..] =>
                $"input_blocks.{1 + 3 * int.Parse(block) + int.Parse(layer)}.1.{string.Join('.', parts[4..])}",
            ["mid_block", "attentions", "0", ..] => $"middle_block.1.{string.Join('.', parts[3..])}",
            _ => null,
        };
    }
}
