using StableTune.Tensors;

namespace StableTune.Adapters.Tests.Files;

/// <summary>Adapter files as they are in the wild: shapes that programs write differently, more than adapters, broken numbers.</summary>
public sealed class WildFileTests : IDisposable
{
    private const string Q = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q",
        ProjIn = "lora_unet_mid_block_attentions_0_proj_in", Conv = "lora_unet_down_blocks_0_resnets_0_conv1";

    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly ModelTree _unet = ModelTree.FromFile("models", "tiny-sd15", "unet", "diffusion_pytorch_model.safetensors");

    public void Dispose()
    {
        _unet.Dispose();
        _scope.Dispose();
        _folder.Dispose();
    }

    private string Save(params (string Name, Tensor Tensor)[] tensors)
    {
        var path = _folder.File("wild.safetensors");
        StateDictWriter.Save(path, tensors);
        return path;
    }

    private AdapterNetwork Load(params (string Name, Tensor Tensor)[] tensors) =>
        AdapterNetwork.FromFile(Save(tensors), new AdapterHosts(_unet));

    private string Fault(params (string Name, Tensor Tensor)[] tensors)
    {
        var path = Save(tensors);
        var fault = Assert.ThrowsAny<InvalidFileException>(() => AdapterNetwork.FromFile(path, new AdapterHosts(_unet)));
        Assert.Contains(path, fault.Message);
        return fault.Message;
    }

    private static (string, Tensor)[] Pair(string name, long size = 32) =>
        [($"{name}.lora_down.weight", randn(4, size)), ($"{name}.lora_up.weight", randn(size, 4))];

    private static float Alpha(AdapterNetwork network) =>
        network.NamedTensors().Single(tensor => tensor.Name.EndsWith(".alpha", StringComparison.Ordinal)).Tensor.item<float>();

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    public void FromFile_AlphaOfAnyShapeOfOneNumber_IsThatNumber(ScalarType type)
    {
        var pair = Pair(Q);
        foreach (var shape in new long[][] { [], [1], [1, 1], [1, 1, 1, 1] })
        {
            using var network = Load([.. pair, ($"{Q}.alpha", full(shape, 2f, dtype: type))]);
            Assert.Equal(2f, Alpha(network));
            GoldenComparison.AssertClose("delta", pair[1].Item2.mm(pair[0].Item2) * 0.5,
                network.Adapters[0].DeltaWeight(network.Adapters[0].Layer.Weight), 1e-5);
            // The same by Load and LoadWeights, into a network that is there.
            using var other = AdapterNetwork.FromFile(Save([.. Pair(Q)]), new AdapterHosts(_unet));
            Save([.. pair, ($"{Q}.alpha", full(shape, 2f, dtype: type))]);
            other.Load(_folder.File("wild.safetensors"));
            Assert.Equal(2f, Alpha(other));
        }

        Assert.Contains("instead of one number", Fault([.. pair, ($"{Q}.alpha", full([2], 2f))]));
    }

    [Fact]
    public void FromFile_FactorsWithOtherDimensionsOfSizeOne_AreReshaped()
    {
        (string Name, long[] Down, long[] Up)[] forms =
        [
            (Q, [4, 32], [32, 4]), (Q, [4, 32, 1, 1], [32, 4, 1, 1]),
            (ProjIn, [4, 64, 1, 1], [64, 4, 1, 1]), (ProjIn, [4, 64], [64, 4]), (ProjIn, [4, 64, 1, 1], [64, 4]),
            (Conv, [4, 32, 3, 3], [32, 4, 1, 1]), (Conv, [4, 288], [32, 4]),
        ];
        foreach (var form in forms)
        {
            var (down, up) = (randn(form.Down), randn(form.Up));
            using var network = Load(($"{form.Name}.lora_down.weight", down), ($"{form.Name}.lora_up.weight", up));
            var adapter = Assert.Single(network.Adapters);
            GoldenComparison.AssertClose("delta", up.flatten(1).mm(down.flatten(1)).reshape(adapter.Layer.Shape.WeightShape),
                adapter.DeltaWeight(adapter.Layer.Weight), 1e-4);
            network.Load(_folder.File("wild.safetensors"));
        }

        // Other numbers of elements are another model's.
        Assert.Contains($"adapter '{Q}' has factors that do not fit each other: lora_down.weight is F32 [4, 32, 3, 3]",
            Fault(($"{Q}.lora_down.weight", randn(4, 32, 3, 3)), ($"{Q}.lora_up.weight", randn(32, 4, 1, 1))));
    }

    [Fact]
    public void FromFile_BundledEmbeddings_AreOfferedAndNoted()
    {
        var (vectors, second) = (randn(2, 48), randn(2, 64));
        (string, Tensor)[] bundle =
        [
            ("bundle_emb.frog.clip_l", vectors), ("bundle_emb.frog.clip_g", second), ("bundle_emb.toad.string_to_param.*", vectors),
            ("bundle_emb.newt.emb_params", vectors),
        ];
        using (var network = Load([.. Pair(Q), .. bundle]))
        {
            Assert.Single(network.Adapters);
            Assert.Equal(["frog", "newt", "toad"], network.LoadedFrom!.Embeddings.Order());
            var note = Assert.Single(network.LoadedFrom.Notes);
            Assert.Contains("3 embedding(s) along", note);
            Assert.Contains("frog", note);
            // They are no reason to refuse the file where everything must fit.
            network.Load(_folder.File("wild.safetensors"));
        }

        var embeddings = AdapterFiles.ReadEmbeddings(_folder.File("wild.safetensors"));
        Assert.Equal(["clip_g", "clip_l"], embeddings["frog"].Keys.Order());
        Assert.True(embeddings["frog"]["clip_l"].Equals(vectors));
        Assert.True(embeddings["frog"]["clip_g"].Equals(second));
        Assert.True(embeddings["toad"]["string_to_param.*"].Equals(vectors));
        Assert.True(embeddings["newt"]["emb_params"].Equals(vectors));
        Assert.Empty(AdapterFiles.ReadEmbeddings(Save(Pair(Q))));

        Assert.Contains("it holds no adapters, only the embeddings", Fault(bundle));
        Save([.. Pair(Q), ("bundle_emb.frog.clip_l", full([2, 48], float.NaN))]);
        Assert.Contains("'bundle_emb.frog.clip_l' is broken: 96 of 96 numbers",
            Assert.Throws<InvalidFileException>(() => AdapterFiles.ReadEmbeddings(_folder.File("wild.safetensors"))).Message);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void FromFile_ABrokenNumber_IsNamedWithCountAndFirstIndex_AndChangesNothing(float number)
    {
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16, ScalarType.Float64 })
        {
            var pair = Pair(Q);
            pair[1].Item2[3, 1] = number;
            pair[1].Item2[30, 2] = number;
            pair = [.. pair.Select(tensor => (tensor.Item1, tensor.Item2.to(type)))];
            Assert.Contains($"the tensor '{Q}.lora_up.weight' is broken: 2 of 128 numbers are NaN or infinite, the first at [3, 1]",
                Fault(pair));

            using var network = AdapterNetwork.FromFile(Save(Pair(Q)), new AdapterHosts(_unet));
            var before = network.NamedTensors().Select(tensor => tensor.Tensor.clone()).ToList();
            var path = Save(pair);
            Assert.Contains("the first at [3, 1]", Assert.Throws<InvalidFileException>(() => network.Load(path)).Message);
            Assert.Contains("the first at [3, 1]", Assert.Throws<InvalidFileException>(() => network.LoadWeights(path)).Message);
            Assert.Contains("the first at [3, 1]", Assert.Throws<InvalidFileException>(() =>
                AdapterFiles.Convert(path, _folder.File("target.safetensors"), new AdapterHosts(_unet))).Message);
            Assert.False(File.Exists(_folder.File("target.safetensors")));
            Assert.All(before.Zip(network.NamedTensors()), tensors => Assert.True(tensors.First.Equals(tensors.Second.Tensor)));
        }
    }

    [Fact]
    public void FromFile_WhatIsForAPartThatIsNotOffered_IsLeftOutAndSaid()
    {
        var path = Fixtures.Path("training", "lora_fp32", "lora_saved_fp16.safetensors");
        using var network = AdapterNetwork.FromFile(path, new AdapterHosts(_unet));
        Assert.Equal(192, network.Adapters.Count);
        Assert.Equal(30, network.LoadedFrom!.LeftOut.Count);
        Assert.Contains("lora_te_text_model_encoder_layers_0_self_attn_q_proj", network.LoadedFrom.LeftOut);
        var note = Assert.Single(network.LoadedFrom.Notes);
        Assert.Contains("30 of its 222 adapters are left out", note);
        Assert.Contains("lora_te_text_model_encoder_layers_0_", note);

        // The same with paths of dots.
        using var both = AdapterNetwork.FromFile(Fixtures.Path("networks", "peft", "peft.safetensors"), new AdapterHosts(_unet));
        Assert.Equal(24, both.Adapters.Count);
        Assert.Equal(8, both.LoadedFrom!.LeftOut.Count);
        Assert.All(both.LoadedFrom.LeftOut, name => Assert.StartsWith("text_encoder.", name));
        Assert.Equal(2, both.LoadedFrom.Notes.Count);
    }

    [Fact]
    public void FromFile_AnotherArchitecture_SaysHowManyDoNotFitAndShowsNamesOfBoth()
    {
        // SDXL's depth of ten, and a second text encoder.
        var fault = Fault([.. Pair(Q), .. Pair("lora_unet_input_blocks_7_1_transformer_blocks_9_attn1_to_q"),
            .. Pair("lora_te2_text_model_encoder_layers_0_self_attn_q_proj")]);
        Assert.Contains("2 of its 3 adapters have no layer in this model", fault);
        Assert.Contains("lora_unet_input_blocks_7_1_transformer_blocks_9_attn1_to_q", fault);
        Assert.Contains("LoRA under the names of sd-scripts; this model's layers are for instance lora_unet_conv_in", fault);

        var peft = Fault(("unet.nowhere.to_q.lora_A.weight", randn(4, 32)), ("unet.nowhere.to_q.lora_B.weight", randn(32, 4)));
        Assert.Contains("unet.nowhere.to_q", peft);
        Assert.Contains("under the names of PEFT; this model's layers are for instance unet.conv_in", peft);

        // The names of SD 1.x and 2.x are the same, the sizes are not.
        var sizes = Assert.Throws<WeightsDoNotFitException>(() => Load(Pair(Q, 48)));
        Assert.Contains($"{Q}.lora_down.weight: the model has [4, 32], the file [4, 48]", sizes.Message);
        Assert.Contains("made for another kind of model", sizes.Message);
    }

    [Fact]
    public void FromFile_ContradictionsAndHalves_NameWhatTheFileCallsThem()
    {
        const string peft = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";
        var half = Fault(($"{peft}.lora_A.weight", randn(4, 32)));
        Assert.Contains($"adapter '{peft}' has only lora_A.weight. A LoRA needs lora_down.weight, lora_up.weight " +
            "(or what PEFT calls these)", half);
        var twice = Fault([.. Pair(Q), ($"{peft}.lora_A.weight", randn(4, 32)), ($"{peft}.lora_B.weight", randn(32, 4))]);
        Assert.Contains($"'{Q}.lora_down.weight' and '{peft}.lora_A.weight' are both for the layer '{peft}'", twice);
        var versions = Fault(($"{peft}.lora_A.one.weight", randn(4, 32)), ($"{peft}.lora_A.two.weight", randn(4, 32)));
        Assert.Contains($"'{peft}.lora_A.one.weight' and '{peft}.lora_A.two.weight' are both the lora_down.weight of one", versions);
        Assert.Contains("1 strange name(s)", Fault([($"{peft}.lora_A.weight", randn(4, 32)), ($"{peft}.lora_B.weight", randn(32, 4)),
            ($"{peft}.lora_B.bias", randn(32))]));
        // Plain weights are no adapter, whatever they lie in.
        Assert.Contains("not an adapter file", Fault(("unet.mid_block.attentions.0.proj_in.weight", randn(64, 64, 1, 1))));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(300)]
    public void FromFile_ATruncatedFileOfAnyScheme_IsNamed(int bytes)
    {
        var path = _folder.File("cut.safetensors");
        var whole = File.ReadAllBytes(Fixtures.Path("networks", "peft", "peft.safetensors"));
        File.WriteAllBytes(path, whole[..^bytes]);
        foreach (var act in new Action[]
        {
            () => AdapterNetwork.FromFile(path, new AdapterHosts(_unet)), () => AdapterFiles.ReadEmbeddings(path),
            () => AdapterFiles.Convert(path, _folder.File("target.safetensors"), new AdapterHosts(_unet)),
        })
            Assert.Contains(path, Assert.Throws<InvalidFileException>(act).Message);
        Assert.False(File.Exists(_folder.File("target.safetensors")));
    }

    [Fact]
    public void Save_WithNamesThatCannotSayIt_IsRefusedByName()
    {
        using var loha = AdapterNetwork.Attach(new AdapterHosts(_unet), new LoHaOptions { Rank = 2 }, new Generator(1));
        var path = _folder.File("refused.safetensors");
        var fault = Assert.Throws<NotSupportedException>(() => loha.Save(path, naming: AdapterNamings.Peft));
        Assert.Contains("hada_w1_a, for which PEFT has no name", fault.Message);
        using var lora = AdapterNetwork.Attach(new AdapterHosts(_unet), new LoRAOptions { Rank = 2 }, new Generator(1));
        Assert.Contains("need metadata for alphas, which torch files have no place for",
            Assert.Throws<NotSupportedException>(() => lora.Save(_folder.File("refused.pt"), naming: AdapterNamings.Peft)).Message);
        var unwritten = AdapterNamings.Default.All.First(naming => !naming.CanWrite);
        Assert.Contains(unwritten.Name, Assert.Throws<NotSupportedException>(() => lora.Save(path, naming: unwritten)).Message);
        Assert.Empty(Directory.EnumerateFiles(_folder.Path));
    }

    /// <summary>Both schemes that are written, in all types of numbers and both formats of files.</summary>
    [Fact]
    public void Save_EveryScheme_LoadsAsItWas()
    {
        var options = new LoRAOptions { Rank = 4, Alpha = 3, ConvRank = 2, ConvAlpha = 1,
            Layers = LayerSelection.SdScriptsWithConvolutions };
        using var network = AdapterNetwork.Attach(new AdapterHosts(_unet), options, new Generator(1));
        foreach (var (naming, file) in new[]
        {
            (AdapterNamings.SdScripts, "a.safetensors"), (AdapterNamings.SdScripts, "a.pt"), (AdapterNamings.Peft, "b.safetensors"),
        })
        {
            var path = _folder.File(file);
            network.Save(path, new Dictionary<string, string> { ["ss_steps"] = "10" }, naming: naming);
            using var again = AdapterNetwork.FromFile(path, new AdapterHosts(_unet));
            Assert.Equal([naming.Name], again.LoadedFrom!.Namings);
            Assert.Equal(network.NamedTensors().Select(tensor => tensor.Name), again.NamedTensors().Select(tensor => tensor.Name));
            Assert.All(network.NamedTensors().Zip(again.NamedTensors()),
                tensors => Assert.True(tensors.First.Tensor.Equals(tensors.Second.Tensor), tensors.First.Name));
            using var saved = WeightFile.Open(path);
            if (!AdapterFiles.IsTorch(path)) Assert.Equal("10", saved.Metadata["ss_steps"]);
            network.Save(path, dtype: ScalarType.Float16, naming: naming);
            using var half = WeightFile.Open(path);
            Assert.All(half.Tensors, info => Assert.Equal(Formats.TensorDType.F16, info.DType));
        }
    }
}
