using System.Text.Json;

namespace StableTune.Adapters.Tests;

/// <summary>
/// Which layers the factories of sd-scripts and LyCORIS wrap, with which ranks and alphas (fixture networks/networks.json).
/// </summary>
public sealed class NetworkCreationTests : IDisposable
{
    private static readonly JsonElement s_networks =
        JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("networks", "networks.json"))).RootElement;

    private readonly ModelTree _unet = Tree("toy_unet_modules"), _text = Tree("toy_text_encoder_modules");

    public void Dispose()
    {
        _unet.Dispose();
        _text.Dispose();
    }

    private static ModelTree Tree(string modules) => ModelTree.FromWeights(
        from entry in s_networks.GetProperty(modules).EnumerateArray()
        let weight = entry.GetProperty("weight")
        where weight.ValueKind == JsonValueKind.Array
        select (entry.GetProperty("name").GetString() + ".weight", weight.EnumerateArray().Select(size => size.GetInt64()).ToArray()));

    private static TheoryData<string> CasesOf(string factory) => [.. s_networks.GetProperty(factory).EnumerateArray()
        .Where(entry => entry.TryGetProperty("value", out _)).Select(entry => entry.GetProperty("case").GetString()!)];

    public static TheoryData<string> SdScripts() => CasesOf("sdscripts_lora_create_network");

    public static TheoryData<string> LyCoris() => CasesOf("lycoris_create_network");

    private static JsonElement Case(string factory, string name) =>
        s_networks.GetProperty(factory).EnumerateArray().Single(entry => entry.GetProperty("case").GetString() == name);

    [Theory]
    [MemberData(nameof(SdScripts))]
    public void Create_AsSdScripts_WrapsTheSameLayersWithTheSameRanks(string name)
    {
        var entry = Case("sdscripts_lora_create_network", name);
        var options = OptionsOf(entry);
        ModelTree[] texts = name == "two_text_encoders" ? [_text, Tree("toy_text_encoder_modules")] : [_text];
        using var network = AdapterNetwork.Attach(new AdapterHosts(_unet, texts), options, new Generator(0));
        Assert.Equal(
            entry.GetProperty("value").GetProperty("modules").EnumerateArray().Select(module => (
                module.GetProperty("name").GetString()!, module.GetProperty("dim").GetInt32(), module.GetProperty("alpha").GetSingle()))
                .Order(),
            network.Adapters.Cast<FactoredAdapter>().Select(adapter => (adapter.Layer.Name, adapter.Rank, adapter.Alpha)).Order());
    }

    [Fact]
    public void SetMultiplier_ByLayer_SetsEachOne()
    {
        using var network = AdapterNetwork.Attach(new AdapterHosts(_unet, _text), new LoRAOptions(), new Generator(0));
        network.SetMultiplier(layer => layer.Block is { } block ? block : -1f);
        Assert.All(network.Adapters, adapter => Assert.Equal(adapter.Layer.Block ?? -1f, adapter.Multiplier));
        Assert.Throws<ArgumentOutOfRangeException>(() => network.SetMultiplier(layer => layer.Block is 12 ? float.NaN : 0));
        Assert.All(network.Adapters, adapter => Assert.Equal(adapter.Layer.Block ?? -1f, adapter.Multiplier));
    }

    [Theory]
    [InlineData("block_dims_26", "26")]
    public void Create_WithAnotherCountOfBlocks_IsRefused(string name, string count)
    {
        var options = OptionsOf(Case("sdscripts_lora_create_network", name));
        Assert.Contains($"LoRAOptions.BlockRanks is {count}",
            Assert.Throws<InvalidOptionsException>(() => AdapterNetwork.Layers(new AdapterHosts(_unet), options)).Message);
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

    private static LoRAOptions OptionsOf(JsonElement entry)
    {
        var arguments = entry.GetProperty("network_args");
        string? Text(string name) => arguments.TryGetProperty(name, out var value) ? value.GetString() : null;
        int[]? Ranks(string name) => Text(name)?.Split(',').Select(int.Parse).ToArray();
        float[]? Alphas(string name) => Text(name)?.Split(',').Select(text => float.Parse(text, Invariant)).ToArray();
        var (rank, alpha) = (entry.GetProperty("network_dim"), entry.GetProperty("network_alpha"));
        var (convRank, convBlocks) = (Text("conv_dim"), Ranks("conv_block_dims"));
        var options = new LoRAOptions
        {
            BlockRanks = Ranks("block_dims"), BlockAlphas = Alphas("block_alphas"),
            ConvBlockRanks = convBlocks, ConvBlockAlphas = Alphas("conv_block_alphas"),
            ExcludedBlocks = Excluded(Text),
            Layers = convRank is null && convBlocks is null ? LayerSelection.SdScripts : LayerSelection.SdScriptsWithConvolutions,
        };
        if (rank.ValueKind == JsonValueKind.Number) options = options with { Rank = rank.GetInt32() };
        if (alpha.ValueKind == JsonValueKind.Number) options = options with { Alpha = alpha.GetSingle() };
        // With a rank of 0 the reference leaves larger kernels out; their alpha is 1 unless it is given.
        return convRank switch
        {
            null => options,
            "0" => options with { Layers = options.Layers with { Convolutions = false } },
            _ => options with
            {
                ConvRank = int.Parse(convRank, Invariant), ConvAlpha = Text("conv_alpha") is { } a ? float.Parse(a, Invariant) : 1,
            },
        };
    }

    /// <summary>Blocks whose factor of the learning rate is 0 get no adapters.</summary>
    private static int[] Excluded(Func<string, string?> text)
    {
        if (text("down_lr_weight") is not { } down) return [];
        var factors = $"{down},{text("mid_lr_weight")},{text("up_lr_weight")}".Split(',').Select(part => double.Parse(part, Invariant));
        return [.. factors.Index().Where(block => block.Item == 0).Select(block => block.Index)];
    }

    private static readonly System.Globalization.CultureInfo Invariant = System.Globalization.CultureInfo.InvariantCulture;
}
