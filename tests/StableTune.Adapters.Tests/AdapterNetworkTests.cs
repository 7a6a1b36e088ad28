using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters.Tests;

/// <summary>Targets, names, files.</summary>
public sealed class AdapterNetworkTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ModelTree _unet = ModelTree.FromFile("models", "tiny-sd15", "unet", "diffusion_pytorch_model.safetensors");
    private readonly ModelTree _text = ModelTree.FromFile("models", "tiny-sd15", "text_encoder", "model.safetensors");

    public void Dispose()
    {
        _unet.Dispose();
        _text.Dispose();
        _folder.Dispose();
    }

    private AdapterNetwork Attach(LoRAOptions? options = null)
    {
        using var random = new Generator(1);
        return AdapterNetwork.Attach(new AdapterHosts(_unet, _text), options ?? new LoRAOptions { Rank = 4, Alpha = 2 }, random);
    }

    private static string Fixture(string name) => Fixtures.Path("training", "lora_fp32", name + ".safetensors");

    [Fact]
    public void Attach_TinyModel_GivesTheKeysAndShapesOfTheReferencesFile()
    {
        using var network = Attach();
        Assert.Equal(30, network.Adapters.Count(a => a.Layer.Part == AdapterParts.TextEncoder1));
        Assert.Equal(192, network.Adapters.Count(a => a.Layer.Part == AdapterParts.UNet));
        var path = _folder.File("lora.safetensors");
        network.Save(path, dtype: ScalarType.Float16);
        using var expected = SafetensorsFile.Open(Fixture("lora_saved_fp16"));
        using var actual = SafetensorsFile.Open(path);
        Assert.Equal(expected.Tensors.Select(t => (t.Name, t.DType, string.Join(',', t.Shape), t.Begin)),
            actual.Tensors.Select(t => (t.Name, t.DType, string.Join(',', t.Shape), t.Begin)));
        foreach (var info in expected.Tensors.Where(t => t.Name.EndsWith(".alpha", StringComparison.Ordinal)))
            Assert.True(expected.Span(info.Name).SequenceEqual(actual.Span(info.Name)), info.Name);
        Assert.Equal(["sshs_legacy_hash", "sshs_model_hash"], actual.Metadata.Keys);
    }

    /// <summary>The reference's trained weights, loaded and saved again: the same bytes, hashes and metadata.</summary>
    [Fact]
    public void Save_TheReferencesTrainedWeights_GivesItsFile()
    {
        using var network = Attach();
        network.LoadWeights(Fixture("lora_final_fp32")).ThrowIfIncomplete();
        using var expected = SafetensorsFile.Open(Fixture("lora_saved_fp16"));
        var metadata = expected.Metadata.Where(entry => !entry.Key.StartsWith("sshs_", StringComparison.Ordinal)).ToDictionary();
        var path = _folder.File("lora.safetensors");
        network.Save(path, metadata, ScalarType.Float16);

        using var actual = SafetensorsFile.Open(path);
        foreach (var info in expected.Tensors) Assert.True(expected.Span(info.Name).SequenceEqual(actual.Span(info.Name)), info.Name);
        // The one entry that the specification asks for and the reference leaves out.
        Assert.Equal("0x" + expected.Metadata["sshs_model_hash"], actual.Metadata["modelspec.hash_sha256"]);
        Assert.Equal(expected.Metadata.OrderBy(e => e.Key, StringComparer.Ordinal),
            actual.Metadata.Where(e => e.Key != "modelspec.hash_sha256"));
    }

    /// <summary>The form that sd-trainer writes: a dictionary of the same names, without metadata.</summary>
    [Theory]
    [InlineData(".pt")]
    [InlineData(".ckpt")]
    public void Save_AsTorchFile_LoadsAgain(string extension)
    {
        var path = _folder.File("lora" + extension);
        using (var network = Attach())
        {
            network.LoadWeights(Fixture("lora_final_fp32")).ThrowIfIncomplete();
            network.Save(path, new Dictionary<string, string> { ["ss_steps"] = "10" }, ScalarType.Float16);
        }

        using (var expected = SafetensorsFile.Open(Fixture("lora_saved_fp16")))
        using (var actual = TorchFile.Open(path))
        {
            Assert.Same(actual.Root, actual.StateDictionary);
            Assert.Equal(expected.Tensors.Select(t => (t.Name, t.ToString())).Order(),
                actual.Tensors.Select(t => (t.Name, t.ToString())).Order());
            foreach (var info in expected.Tensors)
            {
                var bytes = new byte[info.ByteCount];
                actual.Read(actual[info.Name], bytes);
                Assert.True(expected.Span(info.Name).SequenceEqual(bytes), info.Name);
            }
        }

        using var again = AdapterNetwork.FromFile(path, new AdapterHosts(_unet, _text));
        using var golden = Golden.OpenFile(Fixture("lora_saved_fp16"));
        Assert.All(again.NamedParameters(), p => golden.AssertEqual(p.Name, p.Parameter));
    }

    [Fact]
    public void LoadWeights_InitialDowns_LoadsThemAndReportsTheRest()
    {
        using var network = Attach();
        var report = network.LoadWeights(Fixture("lora_down_initial"));
        Assert.Empty(report.Unexpected);
        Assert.Empty(report.Mismatched);
        Assert.Equal(222, report.Missing.Count);
        Assert.All(report.Missing, name => Assert.EndsWith(".lora_up.weight", name));
        using var golden = Golden.OpenFile(Fixture("lora_down_initial"));
        Assert.All(network.NamedParameters().Where(p => golden.Contains(p.Name)), p => golden.AssertEqual(p.Name, p.Parameter));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(-1f)]
    public void LoadWeights_AnAlphaThatCannotBe_IsRefusedBeforeAnythingChanges(float alpha)
    {
        using var scope = NewDisposeScope();
        using var network = Attach();
        var adapter = network.Adapters[0];
        var before = network.NamedParameters().First().Parameter.clone();
        var path = _folder.File("alpha.safetensors");
        StateDictWriter.Save(path,
            [(network.NamedParameters().First().Name, ones_like(before)), ($"{adapter.Layer.Name}.alpha", tensor(alpha))]);
        var error = Assert.Throws<InvalidFileException>(() => network.LoadWeights(path));
        Assert.Contains($"'{adapter.Layer.Name}.alpha'", error.Message);
        Assert.True(before.eq(network.NamedParameters().First().Parameter).all().ToBoolean());
    }

    [Fact]
    public void NamedParameters_OfAPart_GiveDownThenUpOfItsAdapters()
    {
        using var network = Attach();
        Assert.Equal(444, network.NamedParameters().Count());
        var text = network.NamedParameters(AdapterParts.TextEncoder).Select(p => p.Name).ToList();
        Assert.Equal(60, text.Count);
        Assert.Equal(["lora_te_text_model_encoder_layers_0_self_attn_k_proj.lora_down.weight",
            "lora_te_text_model_encoder_layers_0_self_attn_k_proj.lora_up.weight"], text[..2]);
        Assert.Equal(384, network.NamedParameters(AdapterParts.UNet).Count());
    }

    [Fact]
    public void Attach_Parts_LeaveOutTheOthers()
    {
        int Count(LoRAOptions options)
        {
            using var network = Attach(options);
            return network.Adapters.Count;
        }

        Assert.Equal(192, Count(new LoRAOptions { Parts = AdapterParts.UNet }));
        Assert.Equal(30, Count(new LoRAOptions { Parts = AdapterParts.TextEncoder }));
        Assert.Equal(222, Count(new LoRAOptions()));
        Assert.Equal(30, Count(new LoRAOptions { Parts = AdapterParts.TextEncoder1 }));
    }

    [Fact]
    public void Attach_TwoTextEncoders_AreNumbered()
    {
        using var second = ModelTree.FromFile("models", "tiny-sd15", "text_encoder", "model.safetensors");
        using var network = AdapterNetwork.Attach(new AdapterHosts(null, [_text, second]), new LoRAOptions(), new Generator(0));
        Assert.Equal([("lora_te1", AdapterParts.TextEncoder1), ("lora_te2", AdapterParts.TextEncoder2)],
            network.Adapters.Select(a => (a.Layer.Name[..8], a.Layer.Part)).Distinct());
    }

    [Fact]
    public void Attach_NothingToAdaptOrAmbiguousNames_IsAnErrorThatLeavesTheModelAlone()
    {
        using var plain = ModelTree.Of(new Linear(1, 1), className: "Other");
        Assert.Contains("Transformer2DModel",
            Assert.Throws<InvalidOptionsException>(() =>
            AdapterNetwork.Attach(new AdapterHosts(plain), new LoRAOptions(), new Generator(0))).Message);

        using var ambiguous = ModelTree.FromWeights([("a.b_c.weight", [1, 1]), ("a_b.c.weight", [1, 1])], "Transformer2DModel");
        var before = HeldTensors.Before();
        var fault = Assert.Throws<InvalidOperationException>(() =>
            AdapterNetwork.Attach(new AdapterHosts(ambiguous), new LoRAOptions(), new Generator(0)));
        Assert.All(["'a.b_c'", "'a_b.c'", "'lora_unet_a_b_c'"], part => Assert.Contains(part, fault.Message));
        Assert.Equal(before, TensorCount.Live);
        Assert.Throws<InvalidOperationException>(() => AdapterNetwork.FromFile(Fixture("lora_saved_fp16"), new AdapterHosts(ambiguous)));
    }

    [Fact]
    public void FromFile_TheReferencesFile_TakesRanksAndAlphasFromIt()
    {
        using var network = AdapterNetwork.FromFile(Fixture("lora_saved_fp16"), new AdapterHosts(_unet, _text), 0.8f);
        Assert.Equal(222, network.Adapters.Count);
        Assert.All(network.Adapters, a => Assert.Equal(0.8f, a.Multiplier));
        using var golden = Golden.OpenFile(Fixture("lora_saved_fp16"));
        Assert.All(network.NamedTensors(), t => golden.AssertEqual(t.Name, t.Tensor));
        using var delta = network.Adapters[0].DeltaWeight(network.Adapters[0].Layer.Weight);
        using var scope = NewDisposeScope();
        var name = network.Adapters[0].Layer.Name;
        GoldenComparison.AssertClose("delta",
            golden[name + ".lora_up.weight"].to(ScalarType.Float32).mm(golden[name + ".lora_down.weight"].to(ScalarType.Float32)) * 0.5,
            delta, 1e-7);
    }

    [Fact]
    public void Load_AnotherRankOrModel_NamesEverything()
    {
        using var wide = Attach(new LoRAOptions { Rank = 8 });
        var rank = Assert.Throws<WeightsDoNotFitException>(() => wide.Load(Fixture("lora_saved_fp16")));
        Assert.Equal(444, rank.Report.Mismatched.Count);
        Assert.Contains("lora_down.weight: the model has [8, 48], the file [4, 48]", rank.Message);

        using var part = Attach(new LoRAOptions { Parts = AdapterParts.UNet, Rank = 4 });
        Assert.Equal(90, Assert.Throws<WeightsDoNotFitException>(() => part.Load(Fixture("lora_saved_fp16"))).Report.Unexpected.Count);

        // The UNet offered as a text encoder: nothing fits, and both sides' names are shown.
        var other = Assert.Throws<InvalidFileException>(() =>
            AdapterNetwork.FromFile(Fixture("lora_saved_fp16"), new AdapterHosts(null, _unet)));
        Assert.Contains("222 of its 222 adapters", other.Message);
        Assert.Contains("lora_te_text_model_encoder_layers_0_self_attn_k_proj", other.Message);
        Assert.Contains("this model's layers are for instance lora_te_conv_in", other.Message);

        var shape = _folder.File("shape.safetensors");
        StateDictWriter.Save(shape, [("lora_unet_mid_block_attentions_0_proj_in.lora_down.weight", zeros(4, 3, 1, 1)),
            ("lora_unet_mid_block_attentions_0_proj_in.lora_up.weight", zeros(64, 4, 1, 1))]);
        var before = HeldTensors.Before();
        Assert.Throws<WeightsDoNotFitException>(() => AdapterNetwork.FromFile(shape, new AdapterHosts(_unet)));
        Assert.Equal(before, TensorCount.Live);
    }

    [Theory]
    [InlineData("lora_unet_a.hada_w1_a", "LoHa")]
    [InlineData("unet.a.lora_A.weight", "PEFT")]
    [InlineData("emb_params", "textual inversion")]
    [InlineData("model.diffusion_model.input_blocks.0.0.weight", "whole Stable Diffusion model")]
    [InlineData("something", "not an adapter file")]
    public void Load_AnotherKindOfFile_SaysWhatItIs(string name, string expected)
    {
        using var scope = NewDisposeScope();
        var path = _folder.File("other.safetensors");
        StateDictWriter.Save(path, [(name, zeros(1))]);
        using var network = Attach();
        Assert.Contains(expected, Assert.Throws<InvalidFileException>(() => network.Load(path)).Message);
        Assert.Contains(expected, Assert.Throws<InvalidFileException>(() =>
            AdapterNetwork.FromFile(path, new AdapterHosts(_unet))).Message);
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(null)]
    public void FromFile_AlphaZeroOrNone_IsTheRank(float? alpha)
    {
        const string name = "lora_unet_mid_block_attentions_0_proj_in";
        var path = _folder.File("alpha.safetensors");
        using var scope = NewDisposeScope();
        List<(string, Tensor)> tensors = [($"{name}.lora_down.weight", ones(4, 64, 1, 1)), ($"{name}.lora_up.weight", ones(64, 4, 1, 1))];
        if (alpha is { } value) tensors.Add(($"{name}.alpha", tensor(value)));
        StateDictWriter.Save(path, tensors);
        using var network = AdapterNetwork.FromFile(path, new AdapterHosts(_unet));
        Assert.Equal(4f, network.Adapters[0].DeltaWeight(network.Adapters[0].Layer.Weight).max().item<float>());
    }

    [Fact]
    public void FromFile_BrokenAdapters_NameTheAdapterAndItsTensors()
    {
        using var scope = NewDisposeScope();
        const string name = "lora_unet_mid_block_attentions_0_proj_in";
        string Fault(params (string Name, Tensor Tensor)[] tensors)
        {
            var path = _folder.File("broken.safetensors");
            StateDictWriter.Save(path, tensors.Select(t => ($"{name}.{t.Name}", t.Tensor)));
            return Assert.Throws<InvalidFileException>(() => AdapterNetwork.FromFile(path, new AdapterHosts(_unet))).Message;
        }

        Assert.Contains($"'{name}' has only lora_down.weight", Fault(("lora_down.weight", zeros(4, 64, 1, 1))));
        Assert.Contains("do not fit each other", Fault(("lora_down.weight", zeros(4, 64, 1, 1)), ("lora_up.weight", zeros(64, 5, 1, 1))));
        Assert.Contains("do not fit each other", Fault(("lora_down.weight", zeros(4)), ("lora_up.weight", zeros(64, 4))));
        Assert.Contains("one number", Fault(
            ("lora_down.weight", zeros(4, 64, 1, 1)), ("lora_up.weight", zeros(64, 4, 1, 1)), ("alpha", zeros(3))));
        Assert.Contains("NaN", Fault(("lora_down.weight", zeros(4, 64, 1, 1)), ("lora_up.weight", zeros(64, 4, 1, 1)),
            ("alpha", tensor(float.NaN))));
    }
}
