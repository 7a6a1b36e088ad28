using System.Text.Json;

namespace StableTune.Adapters.Tests;

/// <summary>Which layers options pick, what is said of them, and what happens when they pick none.</summary>
public sealed class LayerSelectionTests : IDisposable
{
    private readonly ModelTree _unet = ModelTree.FromFile("models", "tiny-sd15", "unet", "diffusion_pytorch_model.safetensors");
    private readonly ModelTree _text = ModelTree.FromFile("models", "tiny-sd15", "text_encoder", "model.safetensors");

    public void Dispose()
    {
        _unet.Dispose();
        _text.Dispose();
    }

    private IReadOnlyList<AdaptedLayer> Layers(LayerSelection layers, AdapterParts parts = AdapterParts.All) =>
        AdapterNetwork.Layers(new AdapterHosts(_unet, _text), new LoRAOptions { Layers = layers, Parts = parts });

    private InvalidOptionsException Fault(LayerSelection layers) => Assert.Throws<InvalidOptionsException>(() => Layers(layers));

    [Fact]
    public void Layers_DryRun_AreThoseThatAttachAdaptsAndLeaveTheModelAlone()
    {
        var before = HeldTensors.Before();
        var layers = Layers(LayerSelection.SdScripts);
        Assert.Equal(before, TensorCount.Live);
        using var network = AdapterNetwork.Attach(new AdapterHosts(_unet, _text), new LoRAOptions(), new Generator(0));
        Assert.Equal(network.Adapters.Select(adapter => adapter.Layer.Name), layers.Select(layer => layer.Name));
        Assert.Equal("text_encoder.text_model.encoder.layers.0.self_attn.k_proj", layers[0].FullPath);
        Assert.Equal("unet.down_blocks.0.attentions.0.proj_in (Conv2d 32 to 32, 1x1)",
            layers.First(layer => layer.Part == AdapterParts.UNet).ToString());
    }

    [Fact]
    public void Layers_OfAModelOnMeta_AreFound()
    {
        using var skipped = LayerInitialization.Skip(META);
        using var model = ModelTree.FromFile("models", "tiny-sd15", "unet", "diffusion_pytorch_model.safetensors");
        var layers = AdapterNetwork.Layers(new AdapterHosts(model), new LoHaOptions { Layers = LayerSelection.SdScriptsWithConvolutions });
        Assert.Equal(Layers(LayerSelection.SdScriptsWithConvolutions, AdapterParts.UNet).Select(layer => layer.ToString()),
            layers.Select(layer => layer.ToString()));
        Assert.All(layers, layer => Assert.Equal(DeviceType.META, layer.Weight.device_type));
        Assert.Empty(new LoHaOptions { Layers = LayerSelection.SdScriptsWithConvolutions }.Warnings(layers));
    }

    [Fact]
    public void IncludeAndExclude_PickByTheWholePath()
    {
        var all = Layers(LayerSelection.SdScripts).Select(layer => layer.FullPath).ToList();
        List<string> Paths(LayerSelection layers) => [.. Layers(layers).Select(layer => layer.FullPath)];

        Assert.Equal(all.Where(path => path.StartsWith("unet.down_blocks.", StringComparison.Ordinal) && path.Contains(".attn2.")),
            Paths(LayerSelection.SdScripts with { Include = [@"unet\.down_blocks.*attn2"] }));
        Assert.Equal(all.Where(path => path.StartsWith("text_encoder", StringComparison.Ordinal) || path.Contains("mid_block")),
            Paths(new LayerSelection { Include = ["^text_encoder", "mid_block"] }));
        Assert.Equal(all.Where(path => !path.Contains("ff") && !path.Contains("mlp")),
            Paths(new LayerSelection { Exclude = [@"\.ff\.", @"\.mlp\."] }));
        Assert.Equal(all.Where(path => path.EndsWith("to_q", StringComparison.Ordinal)),
            Paths(new LayerSelection { Include = ["to_[qk]$"], Exclude = ["to_k$"] }));
        Assert.True(Paths(LayerSelection.Everything).Count > all.Count);
        Assert.Contains("unet.conv_in", Paths(LayerSelection.Everything));
    }

    [Fact]
    public void Validate_BadExpressions_AreNamed()
    {
        var fault = Fault(new LayerSelection { Include = ["unet.(", "attn"], Exclude = [""] });
        Assert.Contains("LayerSelection.Include is \"unet.(\": this is no regular expression", fault.Message);
        Assert.Contains("LayerSelection.Exclude is \"\": an expression must not be empty", fault.Message);
        Assert.Equal(2, fault.Problems.Count);
    }

    [Fact]
    public void Layers_IncludeThatFitsNone_NamesTheNearestPaths()
    {
        var fault = Fault(new LayerSelection { Include = ["unet.down_block.*atn2"] });
        Assert.Contains("LayerSelection.Include is \"unet.down_block.*atn2\": it fits none of 222 layers", fault.Message);
        Assert.Contains("The nearest are unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.", fault.Message);
    }

    [Fact]
    public void Layers_NothingLeft_NamesTheOptionThatTookItAway()
    {
        Assert.Contains("LayerSelection.Exclude is \".\": it leaves no layer", Fault(new LayerSelection { Exclude = ["."] }).Message);
        var classes = Fault(new LayerSelection { UNetClasses = ["Transformer"], TextEncoderClasses = ["Bert"] });
        Assert.Equal(["LayerSelection.TextEncoderClasses", "LayerSelection.UNetClasses"],
            classes.Problems.Select(problem => problem.Option));
        var parts = Assert.Throws<InvalidOptionsException>(() =>
            AdapterNetwork.Layers(new AdapterHosts(_unet), new LoRAOptions { Parts = AdapterParts.TextEncoder }));
        Assert.Contains("LoRAOptions.Parts is TextEncoder: the model has no such part. It has UNet", parts.Message);
        using var grouped = ModelTree.Of(new Conv2d(4, 4, 1, groups: 2));
        var kind = Assert.Throws<InvalidOptionsException>(() => AdapterNetwork.Layers(new AdapterHosts(grouped), new LoRAOptions()));
        Assert.Contains("the kind adapts none of them. There are unet.test (Conv2d 4 to 4, 1x1)", kind.Message);
        using var empty = ModelTree.Of(nn.ReLU());
        Assert.Contains("The model has no layers that adapters can change",
            Assert.Throws<InvalidOptionsException>(() => AdapterNetwork.Layers(new AdapterHosts(empty), new LoRAOptions())).Message);
    }

    [Fact]
    public void Layers_MoreThanTwoTextEncoders_AreRefused() =>
        Assert.Contains("3 modules",
            Assert.Throws<ArgumentException>(() => AdapterNetwork.Layers(new AdapterHosts(null, [_text, _text, _text]), new LoRAOptions()))
            .Message);

    [Fact]
    public void Layers_AModuleInTwoPlaces_IsMetOnce()
    {
        using var shared = new Linear(3, 3);
        using var model = ModelTree.Of(shared);
        model.register_module("again", shared);
        Assert.Equal("test", Assert.Single(AdapterNetwork.Layers(new AdapterHosts(model), new LoRAOptions())).Path);
    }

    /// <summary>The fixture's -1 is no block.</summary>
    [Theory]
    [InlineData("block_index_sd1")]
    [InlineData("block_index_sdxl")]
    public void Block_OfTheReferencesNames_IsTheReferences(string table)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("networks", "networks.json")));
        var rows = json.RootElement.GetProperty(table).EnumerateObject().ToList();
        Assert.True(rows.Count > 20);
        Assert.All(rows, row =>
            Assert.Equal((row.Name, row.Value.GetInt32()), (row.Name, UNetBlocks.IndexOf(row.Name["lora_unet_".Length..]) ?? -1)));
    }

    [Fact]
    public void Block_OfLayers_IsKnownInTheUNetOnly()
    {
        var layers = Layers(LayerSelection.Everything);
        Assert.All(layers.Where(layer => layer.Part != AdapterParts.UNet), layer => Assert.Null(layer.Block));
        int? Of(string path) => layers.Single(layer => layer.FullPath == "unet." + path).Block;
        Assert.Equal([1, 2, 3, 12, 13, 24],
            [Of("down_blocks.0.attentions.0.proj_in"), Of("down_blocks.0.resnets.1.conv1"), Of("down_blocks.0.downsamplers.0.conv"),
            Of("mid_block.attentions.0.proj_in"), Of("up_blocks.0.resnets.0.conv1"), Of("up_blocks.3.attentions.2.proj_out")]);
        Assert.Null(Of("conv_in"));
    }

    [Fact]
    public void Warnings_SayWhatIsOdd()
    {
        var layers = Layers(LayerSelection.SdScriptsWithConvolutions);
        string[] Of(AdapterOptions options) => [.. options.Warnings(layers)];

        Assert.Empty(Of(new LoRAOptions { Rank = 16, Alpha = 64 }));
        Assert.Equal("LoHaOptions.Alpha is 17: more than four times the rank (4) makes large steps. The rank or less is customary.",
            Assert.Single(Of(new LoHaOptions { Alpha = 17 })));
        var rank = Assert.Single(Of(new LoRAOptions { Rank = 48 }));
        Assert.StartsWith("LoRAOptions.Rank is 48: ", rank);
        Assert.Contains($" of {layers.Count} layers are smaller and gain nothing by it (down_blocks.0.attentions.0.proj_in ...).", rank);
        var conv = Assert.Single(Of(new LoRAOptions { Rank = 16, ConvRank = 400, Layers = LayerSelection.SdScriptsWithConvolutions }));
        Assert.StartsWith("LoRAOptions.ConvRank is 400: ", conv);
        Assert.Equal("LoRAOptions.ConvAlpha is 9: more than four times the rank (2) makes large steps. The rank or less is customary.",
            Assert.Single(Of(new LoRAOptions { Rank = 2, ConvAlpha = 9 })));
        Assert.Contains("LayerSelection.Include holds \"mid_blok\": it picks no layer.",
            Assert.Single(Of(new LoRAOptions { Layers = new() { Include = ["to_q", "mid_blok"] } })));
    }

    [Fact]
    public void ConvRank_IsTheRankOfLargerKernels()
    {
        var options = new LoRAOptions
        {
            Rank = 4, Alpha = 4, ConvRank = 2, ConvAlpha = 1, Layers = LayerSelection.SdScriptsWithConvolutions, Parts = AdapterParts.UNet,
        };
        using var network = AdapterNetwork.Attach(new AdapterHosts(_unet), options, new Generator(0));
        foreach (var adapter in network.Adapters)
        {
            var isConv = adapter.Layer.Shape is ConvolutionShape { IsPointwise: false };
            var tensors = ModuleTensors.Named(adapter);
            Assert.Equal(isConv ? 2 : 4, tensors["lora_down.weight"].shape[0]);
            Assert.Equal(isConv ? 1f : 4f, tensors["alpha"].item<float>());
        }

        Assert.Contains(network.Adapters, adapter => adapter.Layer.Shape is ConvolutionShape { IsPointwise: false });
        var description = options.Describe();
        Assert.Equal("{\"conv_dim\": \"2\", \"conv_alpha\": \"1.0\", \"dropout\": null}", PythonRepr.Json(description.Arguments));

        var problems = new LoRAOptions { ConvRank = 0, ConvAlpha = float.NaN }.Validate().ToList();
        Assert.Equal(["LoRAOptions.ConvRank", "LoRAOptions.ConvAlpha", "LoRAOptions.ConvRank", "LoRAOptions.ConvAlpha"],
            problems.Select(problem => problem.Option));
        Assert.Contains("no convolution with a kernel larger than 1x1 is adapted", problems[^1].Rule);
    }
}
