using System.Text.Json;
using StableTune.Adapters;
using StableTune.Adapters.Tests;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Training.Tests;

/// <summary>Kinds of adapters by the references' names and arguments.</summary>
public sealed class NetworkModulesTests
{
    private static readonly JsonElement s_networks =
        JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("networks", "networks.json"))).RootElement;

    private static Dictionary<string, string> Arguments(JsonElement entry) => entry.GetProperty("network_args").EnumerateObject()
        .ToDictionary(argument => argument.Name, argument => argument.Value.ToString());

    private static AdapterTrainableOptions Make(string module, JsonElement entry) => NetworkModules.Create(module,
        entry.GetProperty("network_dim") is { ValueKind: JsonValueKind.Number } rank ? rank.GetInt32() : null,
        entry.GetProperty("network_alpha") is { ValueKind: JsonValueKind.Number } alpha ? alpha.GetDouble() : null,
        arguments: Arguments(entry));

    public static TheoryData<string> SdScripts() => [.. s_networks.GetProperty("sdscripts_lora_create_network").EnumerateArray()
        .Where(entry => entry.TryGetProperty("value", out _)).Select(entry => entry.GetProperty("case").GetString()!)];

    /// <summary>The reference's own arguments give the reference's layers, ranks and alphas.</summary>
    [Theory]
    [MemberData(nameof(SdScripts))]
    public void Create_OfLoRA_GivesTheReferencesNetwork(string name)
    {
        var entry = s_networks.GetProperty("sdscripts_lora_create_network").EnumerateArray()
            .Single(entry => entry.GetProperty("case").GetString() == name);
        var options = Make("networks.lora", entry);
        using var unet = ModelTree.Toy("toy_unet_modules");
        using var text = ModelTree.Toy("toy_text_encoder_modules");
        using var second = ModelTree.Toy("toy_text_encoder_modules");
        using var network = AdapterNetwork.Attach(new AdapterHosts(unet, name == "two_text_encoders" ? [text, second] : [text]),
            options.EffectiveAdapter(new TrainingPlan(), isSdxl: false), new Generator(0));
        Assert.Equal(
            entry.GetProperty("value").GetProperty("modules").EnumerateArray().Select(module => (
                module.GetProperty("name").GetString()!, module.GetProperty("dim").GetInt32(), module.GetProperty("alpha").GetSingle()))
                .Order(),
            network.Adapters.Cast<FactoredAdapter>().Select(adapter => (adapter.Layer.Name, adapter.Rank, adapter.Alpha)).Order());
    }

    /// <summary>The reference refuses these too.</summary>
    [Fact]
    public void Create_OfAnotherCountOfBlocks_OrOfWords_IsRefused()
    {
        JsonElement Case(string name) => s_networks.GetProperty("sdscripts_lora_create_network").EnumerateArray()
            .Single(entry => entry.GetProperty("case").GetString() == name);
        var problem = Assert.Single(Make("networks.lora", Case("block_dims_26")).Validate());
        Assert.Equal(("LoRAOptions.BlockRanks", (object?)26), (problem.Option, problem.Value));
        Assert.Throws<FormatException>(() => Make("networks.lora", Case("block_dims_text")));
    }

    public static TheoryData<string> LyCoris() => [.. s_networks.GetProperty("lycoris_create_network").EnumerateArray()
        .Where(entry => entry.GetProperty("case").GetString()!.StartsWith("algo_", StringComparison.Ordinal)
            || entry.GetProperty("case").GetString() is "tucker" or "dora" or "lokr_factor" or "lokr_full_matrix" or "conv_dim")
        .Where(entry => entry.TryGetProperty("value", out _)).Select(entry => entry.GetProperty("case").GetString()!)];

    /// <summary>
    /// Names and shapes of every tensor that LyCORIS would save; but for trailing ones, which its DyLoRA leaves out, and for changes of
    /// biases, which layers of the toy lack.
    /// </summary>
    [Theory]
    [MemberData(nameof(LyCoris))]
    public void Create_OfLyCoris_GivesTheReferencesTensors(string name)
    {
        var entry = s_networks.GetProperty("lycoris_create_network").EnumerateArray()
            .Single(entry => entry.GetProperty("case").GetString() == name);
        var value = entry.GetProperty("value");
        var modules = value.TryGetProperty("modules", out var all) ? all : value.GetProperty("modules_of_first_blocks");
        using var unet = ModelTree.Toy("toy_unet_modules");
        using var text = ModelTree.Toy("toy_text_encoder_modules");
        var options = Make("lycoris.kohya", entry).EffectiveAdapter(new TrainingPlan(), isSdxl: false);
        using var network = AdapterNetwork.Attach(new AdapterHosts(unet, text), options, new Generator(0));
        using var scope = NewDisposeScope();
        var own = network.Adapters.ToDictionary(adapter => adapter.Layer.Name, adapter => Shapes(
            adapter.SavedTensors().Select(tensor => (tensor.Key, tensor.Value.shape))));
        var compared = 0;
        foreach (var module in modules.EnumerateObject())
        {
            Assert.Equal(
                (module.Name, Shapes(module.Value.GetProperty("saved").EnumerateObject()
                    .Select(tensor => (tensor.Name, tensor.Value.EnumerateArray().Select(size => size.GetInt64()).ToArray())))),
                (module.Name, own[module.Name]));
            compared++;
        }

        Assert.True(compared >= 12, $"{compared} modules");
    }

    [Fact]
    public void Create_WithRatesAndDropouts_SetsThem()
    {
        var made = NetworkModules.Create("networks.lora", 8, 4, 0.1, new Dictionary<string, string>
        {
            ["loraplus_lr_ratio"] = "16", ["down_lr_weight"] = "sine", ["rank_dropout"] = "0.2", ["module_dropout"] = "0.3",
        });
        Assert.Equal((16.0, "sine"), (made.UpRatio, made.BlockRates!.Down!.ToString()));
        var lora = Assert.IsType<LoRAOptions>(made.Adapter);
        Assert.Equal((8, 4f, 0.2, 0.3), (lora.Rank, lora.Alpha, lora.RankDropout, lora.ModuleDropout));
        Assert.Equal(0.1, lora.Dropout, 6);
        Assert.Empty(made.Validate());
        Assert.IsType<MixedAdapterOptions>(NetworkModules.Create("lycoris.kohya", 4,
            arguments: new Dictionary<string, string> { ["algo"] = "lokr", ["train_norm"] = "True" }).Adapter);
    }

    [Fact]
    public void Create_WithAPresetFile_GivesEachLayerItsKind()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("preset.toml");
        File.WriteAllText(path, """
            enable_conv = false
            unet_target_module = ["Transformer2DModel"]
            unet_target_name = []
            text_encoder_target_module = []
            use_fnmatch = true

            [module_algo_map.Transformer2DModel]
            algo = "loha"
            dim = 2

            [name_algo_map."*attn2.to_k"]
            algo = "lokr"
            factor = 4
            """);
        var options = NetworkModules.Create("lycoris.kohya", 8, arguments: new Dictionary<string, string> { ["preset"] = path }).Adapter;
        using var unet = ModelTree.Toy("toy_unet_modules");
        using var text = ModelTree.Toy("toy_text_encoder_modules");
        using var network = AdapterNetwork.Attach(new AdapterHosts(unet, text), options, new Generator(0));
        var mixed = Assert.IsType<MixedAdapterOptions>(options);
        Assert.All(network.Adapters, adapter => Assert.Equal(
            adapter.Layer.Path.EndsWith("attn2.to_k", StringComparison.Ordinal) ? typeof(LoKrOptions) : typeof(LoHaOptions),
            mixed.KindOf(adapter.Layer)!.GetType()));
        Assert.All(network.Adapters, adapter => Assert.Equal(AdapterParts.UNet, adapter.Layer.Part));
        Assert.Contains(network.Adapters, adapter => adapter is FactoredAdapter { Rank: 2 });
        Assert.Equal(192, network.Adapters.Count);

        File.WriteAllText(path, "unet_target_modules = []");
        Assert.Contains("unet_target_modules", Assert.ThrowsAny<IOException>(() =>
            NetworkModules.Create("lycoris.kohya", arguments: new Dictionary<string, string> { ["preset"] = path })).Message);
        File.WriteAllText(path, "enable_conv = 3");
        Assert.Contains("Give true or false", Assert.ThrowsAny<IOException>(() =>
            NetworkModules.Create("lycoris.kohya", arguments: new Dictionary<string, string> { ["preset"] = path })).Message);
    }

    [Fact]
    public void Create_OfAHostsType_ByName()
    {
        Assert.IsType<HostKind>(NetworkModules.Create(typeof(HostKind).AssemblyQualifiedName!).Adapter);
        Assert.IsType<HostKind>(NetworkModules.Create("mine", modules: NetworkModules.Default.With("mine", () => new HostKind())).Adapter);
        Assert.Contains("must derive from StableTune.Adapters.AdapterOptions",
            Assert.Throws<ArgumentException>(() => NetworkModules.Create(typeof(string).AssemblyQualifiedName!)).Message);
        Assert.Contains("Absent.Kind",
            Assert.Throws<ArgumentException>(() => NetworkModules.Create("Absent.Kind, Absent")).Message);
        Assert.Contains("networks.lora", Assert.Throws<ArgumentException>(() => NetworkModules.Create("network.lora")).Message);
    }

    [Theory]
    [InlineData("networks.lora", "conv_dims", "4", "Did you mean \"conv_dim\"?")]
    [InlineData("networks.lora", "conv_dim", "x", "conv_dim of networks.lora is \"x\": give a whole number")]
    [InlineData("lycoris.kohya", "dora_wd", "perhaps", "give True or False")]
    [InlineData("networks.dylora", "unit", "1.5", "give a whole number")]
    [InlineData("lycoris.kohya", "factor", "4", "knows no \"factor\"")]
    [InlineData("networks.lora", "block_dims", "a,b", "give a whole number")]
    public void Create_OfBadArguments_NamesThem(string module, string name, string value, string said) =>
        Assert.Contains(said, Assert.Throws<FormatException>(() =>
            NetworkModules.Create(module, arguments: new Dictionary<string, string> { [name] = value })).Message);

    private static string Shapes(IEnumerable<(string Name, long[] Shape)> tensors) => string.Join("; ",
        tensors.Where(tensor => tensor.Name != "diff_b").OrderBy(tensor => tensor.Name, StringComparer.Ordinal)
            .Select(tensor => $"{tensor.Name} [{string.Join(',', WithoutOnes(tensor.Shape))}]"));

    private static long[] WithoutOnes(long[] shape) => shape is [.. var first, 1, 1] ? first : shape;
}

/// <summary>A kind of a host's own.</summary>
public sealed record HostKind : AdapterOptions
{
    public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new LoRAOptions().Create(layer, random);
}
