using System.Text.Json;
using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Adapters.Tests.Files;

/// <summary>One LoRA under five schemes of names, and one with patterns, against the outputs of diffusers and PEFT.</summary>
public sealed class PeftParityTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly StableDiffusionModel _model;
    private readonly Golden _expected = Golden.Open("networks", "peft", "expected.safetensors");

    public PeftParityTests() => _model = ModelLoader.Load(FixtureModels.TinySd15(_folder));

    public void Dispose()
    {
        _expected.Dispose();
        _model.Dispose();
        _scope.Dispose();
        _folder.Dispose();
    }

    private static string Fixture(string name) => Fixtures.Path("networks", "peft", name + ".safetensors");

    private AdapterHosts Hosts => new(_model.UNet, _model.TextEncoder);

    private Tensor Text() => _model.TextEncoder.HiddenState(_expected["ids"]);

    private Tensor UNet(Tensor context) => _model.UNet.call(_expected["sample"], _expected["timesteps"], context, null);

    /// <summary>The outputs that the fixture has for a strength; plain ones where none is on the model.</summary>
    private void AssertOutputs(string strength)
    {
        using var gradients = no_grad();
        using var scope = NewDisposeScope();
        var text = Text();
        _expected.AssertClose($"text.hidden@{strength}", text, 2e-5);
        _expected.AssertClose($"unet.output@{strength}", UNet(_expected["text.hidden@0"]), 1e-5);
        if (strength != "0") _expected.AssertClose($"both.output@{strength}", UNet(_expected[$"text.hidden@{strength}"]), 1e-5);
    }

    [Theory]
    [InlineData("kohya", "sd-scripts")]
    [InlineData("peft", "PEFT")]
    [InlineData("peft_flat", "PEFT")]
    [InlineData("diffusers_lora", "diffusers before PEFT")]
    [InlineData("diffusers_processor", "diffusers' attention processors")]
    public void FromFile_OfEveryScheme_GivesTheReferencesOutputs(string file, string naming)
    {
        using var network = AdapterNetwork.FromFile(Fixture(file), Hosts);
        using (var settings = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("networks", "peft", "peft.json"))))
            Assert.Equal(settings.RootElement.GetProperty("modules").EnumerateArray().Select(module => module.GetString()).Order(),
                network.Adapters.Select(adapter => adapter.Layer.FullPath).Order());
        Assert.Equal([naming], network.LoadedFrom!.Namings);
        Assert.Equal(naming == "sd-scripts" ? 0 : 1, network.LoadedFrom.Notes.Count);
        AssertOutputs("1.0");
        network.SetMultiplier(0.5f);
        AssertOutputs("0.5");
        network.Detach();
        AssertOutputs("0");

        // What was loaded loads into itself by Load, and gives the same file as from sd-scripts' names.
        network.Load(Fixture(file));
        Assert.Empty(network.LoadWeights(Fixture(file)).Unexpected);
    }

    [Theory]
    [InlineData("peft_patterns", null)]
    [InlineData("peft_patterns", "sd-scripts")]
    [InlineData("peft_patterns", "PEFT")]
    public void FromFile_RanksAndAlphasByPatterns_GivesTheReferencesOutputs(string file, string? rewritten)
    {
        var path = Fixture(file);
        if (rewritten is not null)
        {
            path = _folder.File("rewritten.safetensors");
            using var original = AdapterNetwork.FromFile(Fixture(file), Hosts);
            original.Save(path, naming: rewritten == "PEFT" ? AdapterNamings.Peft : AdapterNamings.SdScripts);
        }

        using var network = AdapterNetwork.FromFile(path, Hosts);
        using var settings = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("networks", "peft", "peft.json")));
        var scales = settings.RootElement.GetProperty("pattern_scales").EnumerateObject().ToDictionary(
            entry => entry.Name, entry => entry.Value.GetDouble());
        Assert.Equal(scales.Count, network.Adapters.Count);
        var tensors = network.NamedTensors().ToDictionary(tensor => tensor.Name, tensor => tensor.Tensor);
        Assert.All(network.Adapters, adapter => Assert.Equal(scales[adapter.Layer.Path],
            tensors[adapter.Layer.Name + ".alpha"].item<float>() / tensors[adapter.Layer.Name + ".lora_down.weight"].shape[0], 1e-6));
        using var gradients = no_grad();
        foreach (var strength in new[] { "1.0", "0.5" })
        {
            network.SetMultiplier(strength == "1.0" ? 1f : 0.5f);
            _expected.AssertClose($"patterns.output@{strength}", UNet(_expected["text.hidden@0"]), 1e-5);
        }
    }

    [Theory]
    [InlineData("kohya")]
    [InlineData("peft")]
    [InlineData("peft_flat")]
    [InlineData("diffusers_lora")]
    [InlineData("diffusers_processor")]
    public void Convert_FromEveryScheme_ToBothThatAreWritten_KeepsTheOutputsAndTheBits(string file)
    {
        var (peft, canonical) = (_folder.File("peft.safetensors"), _folder.File("canonical.safetensors"));
        AdapterFiles.Convert(Fixture(file), peft, Hosts, AdapterNamings.Peft);
        AdapterFiles.Convert(peft, canonical, Hosts);
        foreach (var (path, naming) in new[] { (peft, "PEFT"), (canonical, "sd-scripts") })
        {
            using var network = AdapterNetwork.FromFile(path, Hosts);
            Assert.Equal([naming], network.LoadedFrom!.Namings);
            AssertOutputs("1.0");
        }

        using var converted = WeightFile.Open(canonical);
        Assert.All(converted.Tensors, info => Assert.Equal(Formats.TensorDType.F16, info.DType));
        if (!file.StartsWith("diffusers", StringComparison.Ordinal))
        {
            // The same numbers and names as the reference's own file of sd-scripts' names.
            using var expected = WeightFile.Open(Fixture("kohya"));
            Assert.Equal(expected.Names.Order(), converted.Names.Order());
            Assert.All(expected.Names, name => Assert.True(expected.Load(name).Equals(converted.Load(name)), name));
            // And the same names as diffusers' file.
            using var written = WeightFile.Open(peft);
            using var original = WeightFile.Open(Fixture("peft"));
            Assert.Equal(original.Names.Order(), written.Names.Order());
            Assert.All(original.Names, name => Assert.True(original.Load(name).Equals(written.Load(name)), name));
        }
    }
}
