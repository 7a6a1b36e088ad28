using System.Text.Json;

namespace StableTune.Adapters.Tests;

/// <summary>Which layers LyCORIS' presets adapt (fixture networks/networks.json), and what is set by layer.</summary>
public sealed class LyCorisPresetTests : IDisposable
{
    private static readonly JsonElement s_networks =
        JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("networks", "networks.json"))).RootElement;

    private readonly ModelTree _unet = ModelTree.Toy("toy_unet_modules"), _text = ModelTree.Toy("toy_text_encoder_modules");

    public void Dispose()
    {
        _unet.Dispose();
        _text.Dispose();
    }

    private static TheoryData<string> CasesOf(string factory) => [.. s_networks.GetProperty(factory).EnumerateArray()
        .Where(entry => entry.TryGetProperty("value", out _)).Select(entry => entry.GetProperty("case").GetString()!)];

    public static TheoryData<string> LyCoris() => CasesOf("lycoris_create_network");

    private static JsonElement Case(string factory, string name) =>
        s_networks.GetProperty(factory).EnumerateArray().Single(entry => entry.GetProperty("case").GetString() == name);

    [Fact]
    public void SetMultiplier_ByLayer_SetsEachOne()
    {
        using var network = AdapterNetwork.Attach(new AdapterHosts(_unet, _text), new LoRAOptions(), new Generator(0));
        network.SetMultiplier(layer => layer.Block is { } block ? block : -1f);
        Assert.All(network.Adapters, adapter => Assert.Equal(adapter.Layer.Block ?? -1f, adapter.Multiplier));
        Assert.Throws<ArgumentOutOfRangeException>(() => network.SetMultiplier(layer => layer.Block is 12 ? float.NaN : 0));
        Assert.All(network.Adapters, adapter => Assert.Equal(adapter.Layer.Block ?? -1f, adapter.Multiplier));
    }

    /// <summary>Names and number of layers; that ia3 finds none there is a defect, see <see cref="LyCorisPresets"/>.</summary>
    [Theory]
    [MemberData(nameof(LyCoris))]
    public void Layers_OfLyCorisPresets_AreTheReferences(string name)
    {
        var entry = Case("lycoris_create_network", name);
        var arguments = entry.GetProperty("network_args");
        var preset = arguments.TryGetProperty("preset", out var given) ? given.GetString()! : "full";
        var convolutions = !(arguments.TryGetProperty("conv_dim", out var dim) && dim.GetString() == "0");
        var selection = LyCorisPresets.All.Create(preset);
        var layers = AdapterNetwork.Layers(new AdapterHosts(_unet, _text),
            new LoRAOptions { Layers = selection with { Convolutions = selection.Convolutions && convolutions } });
        var names = layers.Select(layer => layer.Name).ToList();
        if (preset == "ia3")
        {
            Assert.All(layers, layer => Assert.Matches(@"(to_[kv]|ff\.net\.2|[kv]_proj|mlp\.fc2)$", layer.Path));
            Assert.NotEmpty(names);
            return;
        }

        var value = entry.GetProperty("value");
        string[] expected = value.TryGetProperty("names", out var list)
            ? [.. list.EnumerateArray().Select(text => text.GetString()!)]
            : [.. value.GetProperty("modules").EnumerateObject().Select(module => module.Name)];
        // Norms are a kind of their own.
        var isNorm = new System.Text.RegularExpressions.Regex(@"_norm\d?$");
        Assert.Equal(expected.Where(module => !isNorm.IsMatch(module)).Order(StringComparer.Ordinal), names.Order(StringComparer.Ordinal));
    }
}
