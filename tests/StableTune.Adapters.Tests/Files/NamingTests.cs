using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters.Tests.Files;

/// <summary>Names of every program for the layers of one tiny model: all must find the same layer.</summary>
public sealed class NamingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly ModelTree _unet = ModelTree.FromFile("models", "tiny-sd15", "unet", "diffusion_pytorch_model.safetensors");
    private readonly ModelTree _text = ModelTree.FromFile("models", "tiny-sd15", "text_encoder", "model.safetensors");

    public void Dispose()
    {
        _unet.Dispose();
        _text.Dispose();
        _scope.Dispose();
        _folder.Dispose();
    }

    private string Save(IReadOnlyDictionary<string, string>? metadata, params (string Name, Tensor Tensor)[] tensors)
    {
        var path = _folder.File("lora.safetensors");
        SafetensorsWriter.Write(path, StatePayloads.Of(tensors), metadata);
        return path;
    }

    private AdapterNetwork Load(params (string Name, Tensor Tensor)[] tensors) =>
        AdapterNetwork.FromFile(Save(null, tensors), new AdapterHosts(_unet, _text));

    private const string Q = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q", 
        Out = "mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0", Key = "text_model.encoder.layers.4.self_attn.k_proj";

    [Theory]
    [InlineData("unet." + Q + ".lora_A.weight", "unet." + Q + ".lora_B.weight", "unet." + Q, "PEFT")]
    [InlineData(Q + ".lora_A.weight", Q + ".lora_B.weight", "unet." + Q, "PEFT")]
    [InlineData("base_model.model." + Q + ".lora_A.weight", "base_model.model." + Q + ".lora_B.weight", "unet." + Q, "PEFT")]
    [InlineData("unet.base_model.model." + Q + ".lora_A.default.weight", "unet.base_model.model." + Q + ".lora_B.default.weight",
        "unet." + Q, "PEFT")]
    [InlineData("transformer." + Q + ".lora_A.weight", "transformer." + Q + ".lora_B.weight", "unet." + Q, "PEFT")]
    [InlineData("text_encoder." + Key + ".lora_A.weight", "text_encoder." + Key + ".lora_B.weight", "text_encoder." + Key, "PEFT")]
    [InlineData("base_model.model." + Key + ".lora_A.weight", "base_model.model." + Key + ".lora_B.weight", "text_encoder." + Key, "PEFT")]
    [InlineData("unet." + Q + ".lora.down.weight", "unet." + Q + ".lora.up.weight", "unet." + Q, "diffusers before PEFT")]
    [InlineData("unet.mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_out_lora.down.weight",
        "unet.mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_out_lora.up.weight", "unet." + Out,
        "diffusers' attention processors")]
    [InlineData("text_encoder.text_model.encoder.layers.4.self_attn.to_k_lora.down.weight",
        "text_encoder.text_model.encoder.layers.4.self_attn.to_k_lora.up.weight", "text_encoder." + Key, "diffusers' attention processors")]
    [InlineData("unet." + Q + ".lora_down.weight", "unet." + Q + ".lora_up.weight", "unet." + Q, "OneTrainer")]
    [InlineData("diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.lora_down.weight",
        "diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.lora_up.weight", "unet." + Q, "ComfyUI and the web UIs")]
    [InlineData("model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.lora_down.weight",
        "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.lora_up.weight", "unet." + Q, "ComfyUI and the web UIs")]
    [InlineData("unet.input_blocks.4.1.transformer_blocks.0.attn1.to_q.lora_down",
        "unet.input_blocks.4.1.transformer_blocks.0.attn1.to_q.lora_up", "unet." + Q, "ComfyUI and the web UIs")]
    [InlineData("diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.lora_A.weight",
        "diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.lora_B.weight", "unet." + Q, "PEFT")]
    [InlineData("text_encoders.clip_l.transformer." + Key + ".lora_down.weight", "text_encoders.clip_l.transformer." + Key
        + ".lora_up.weight", "text_encoder." + Key, "ComfyUI and the web UIs")]
    [InlineData("lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.lora_down.weight",
        "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.lora_up.weight", "unet." + Q, "sd-scripts")]
    [InlineData("lora_te_text_model_encoder_layers_4_self_attn_k_proj.lora_down.weight",
        "lora_te_text_model_encoder_layers_4_self_attn_k_proj.lora_up.weight", "text_encoder." + Key, "sd-scripts")]
    [InlineData("lycoris_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight",
        "lycoris_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q.lora_up.weight", "unet." + Q, "sd-scripts")]
    [InlineData("lycoris_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight",
        "lycoris_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q.lora_up.weight", "unet." + Q, "sd-scripts")]
    public void FromFile_NamesOfEveryProgram_FindTheLayer(string down, string up, string layer, string naming)
    {
        var shape = layer.StartsWith("text", StringComparison.Ordinal) ? 48 : layer == "unet." + Out ? 64 : 32;
        var (first, second) = (randn(4, shape), randn(shape, 4));
        using var network = Load((down, first), (up, second));
        var adapter = Assert.Single(network.Adapters);
        Assert.Equal(layer, adapter.Layer.FullPath);
        Assert.Equal([naming], network.LoadedFrom!.Namings);
        GoldenComparison.AssertClose("delta", second.mm(first), adapter.DeltaWeight(adapter.Layer.Weight), 1e-5);
    }

    /// <summary>Every layer of the UNet by its path in checkpoints, which follows from the tree.</summary>
    [Fact]
    public void FromFile_PathsOfCheckpoints_FindEveryLayer()
    {
        (string Checkpoint, string Path)[] pairs =
        [
            ("input_blocks.0.0", "conv_in"), ("input_blocks.1.0.in_layers.2", "down_blocks.0.resnets.0.conv1"),
            ("input_blocks.3.0.op", "down_blocks.0.downsamplers.0.conv"), ("input_blocks.4.0.skip_connection", "down_blocks.1.resnets.0."
                + "conv_shortcut"),
            ("input_blocks.11.0.emb_layers.1", "down_blocks.3.resnets.1.time_emb_proj"),
            ("middle_block.0.out_layers.3", "mid_block.resnets.0.conv2"), ("middle_block.1.proj_in", "mid_block.attentions.0.proj_in"),
            ("output_blocks.2.1.conv", "up_blocks.0.upsamplers.0.conv"), ("output_blocks.5.2.conv", "up_blocks.1.upsamplers.0.conv"),
            ("output_blocks.5.1.transformer_blocks.0.ff.net.2", "up_blocks.1.attentions.2.transformer_blocks.0.ff.net.2"),
            ("output_blocks.11.0.in_layers.2", "up_blocks.3.resnets.2.conv1"), ("out.2", "conv_out"),
            ("time_embed.2", "time_embedding.linear_2"),
        ];
        var shapes = AdapterNetwork.Layers(new AdapterHosts(_unet), new LoRAOptions { Layers = LayerSelection.Everything })
            .ToDictionary(layer => layer.Path, layer => layer.Shape.WeightShape);
        foreach (var (checkpoint, path) in pairs.Where(pair => shapes.ContainsKey(pair.Path)))
        {
            var shape = shapes[path];
            using var network = Load(($"diffusion_model.{checkpoint}.lora_down.weight", randn([2, .. shape[1..]])),
                ($"diffusion_model.{checkpoint}.lora_up.weight", randn([shape[0], 2, .. shape[2..].Select(_ => 1L)])));
            Assert.Equal(path, Assert.Single(network.Adapters).Layer.Path);
        }

        Assert.InRange(pairs.Count(pair => shapes.ContainsKey(pair.Path)), 11, pairs.Length);
    }

    [Theory]
    [InlineData("""{"r": 4, "lora_alpha": 8}""", 8)]
    [InlineData("""{"unet.r": 4, "unet.lora_alpha": 2.5}""", 2.5)]
    [InlineData("""{"text_encoder.lora_alpha": 2}""", 4)]
    [InlineData("""{"unet.lora_alpha": 8, "unet.use_rslora": true}""", 16)]
    [InlineData("""{"unet.lora_alpha": 8, "unet.alpha_pattern": {"attn1.to_q": 3}}""", 3)]
    [InlineData("""{"unet.lora_alpha": 8, "unet.alpha_pattern": {"n1.to_q": 3, "attn1\\.to_[qk]": 5, ".*": 6}}""", 5)]
    [InlineData("""{"unet.lora_alpha": 8, "unet.alpha_pattern": {"^attn1.to_q": 3}}""", 8)]
    public void FromFile_AlphasInMetadata_AreTakenAsPeftTakesThem(string settings, float alpha)
    {
        var path = Save(new Dictionary<string, string> { ["lora_adapter_metadata"] = settings },
            ($"unet.{Q}.lora_A.weight", randn(4, 32)), ($"unet.{Q}.lora_B.weight", randn(32, 4)));
        using var network = AdapterNetwork.FromFile(path, new AdapterHosts(_unet));
        Assert.Equal(alpha,
            network.NamedTensors().Single(tensor => tensor.Name.EndsWith("alpha", StringComparison.Ordinal)).Tensor.item<float>());
    }

    [Fact]
    public void FromFile_AnAlphaInTheFile_CountsBeforeTheMetadata_AndPeftsOwnFilesHaveTheirsBeside()
    {
        var path = Save(new Dictionary<string, string> { ["lora_adapter_metadata"] = """{"unet.lora_alpha": 8}""" },
            ($"unet.{Q}.lora_A.weight", randn(4, 32)), ($"unet.{Q}.lora_B.weight", randn(32, 4)), ($"unet.{Q}.alpha", tensor(3f)));
        using (var network = AdapterNetwork.FromFile(path, new AdapterHosts(_unet))) Assert.Equal(3f, Alpha(network));

        var own = _folder.File("adapter_model.safetensors");
        StateDictWriter.Save(own, [($"base_model.model.{Q}.lora_A.weight", randn(4, 32)), ($"base_model.model.{Q}.lora_B.weight",
            randn(32, 4))]);
        File.WriteAllText(_folder.File("adapter_config.json"), """{"peft_type": "LORA", "r": 4, "lora_alpha": 12}""");
        using (var network = AdapterNetwork.FromFile(own, new AdapterHosts(_unet))) Assert.Equal(12f, Alpha(network));

        static float Alpha(AdapterNetwork network) =>
            network.NamedTensors().Single(tensor => tensor.Name.EndsWith("alpha", StringComparison.Ordinal)).Tensor.item<float>();
    }

    [Theory]
    [InlineData("nothing", "is no JSON")]
    [InlineData("[1]", "is Array instead of an object")]
    [InlineData("""{"unet.lora_alpha": "8"}""", "instead of a number")]
    [InlineData("""{"unet.alpha_pattern": 3, "unet.lora_alpha": 8}""", "'alpha_pattern' is 3 instead of an object")]
    [InlineData("""{"unet.alpha_pattern": {"(": 3}, "unet.lora_alpha": 8}""", "the pattern '(' cannot be used")]
    [InlineData("""{"unet.alpha_pattern": {"(?=a)b": 3}, "unet.lora_alpha": 8}""", "the pattern '(?=a)b' cannot be used")]
    public void FromFile_SettingsThatCannotBeRead_AreNamed(string settings, string expected)
    {
        var path = Save(new Dictionary<string, string> { ["lora_adapter_metadata"] = settings },
            ($"unet.{Q}.lora_A.weight", randn(4, 32)), ($"unet.{Q}.lora_B.weight", randn(32, 4)));
        var fault = Assert.Throws<InvalidFileException>(() => AdapterNetwork.FromFile(path, new AdapterHosts(_unet)));
        Assert.Contains(expected, fault.Message);
        Assert.Contains(path, fault.Message);
    }

    /// <summary>A scheme of a host's own: the path backwards.</summary>
    private sealed record BackwardNaming() : AdapterNaming("Backward")
    {
        public override bool CanWrite => true;

        public override AdapterTensorName? Read(string name, IReadOnlySet<string> tensors) =>
            name.StartsWith("backward/", StringComparison.Ordinal)
            ? new AdapterTensorName(AdapterParts.UNet, Reversed(name.Split('/')[1]), name.Split('/')[2]) : null;

        public override WrittenTensor? Write(AdaptedLayer layer, string tensor, IReadOnlyList<long> shape) =>
            new($"backward/{Reversed(layer.Path)}/{tensor}", shape);

        private static string Reversed(string path) => string.Join('.', path.Split('.').Reverse());
    }

    [Fact]
    public void Namings_OfAHost_AreReadAndWritten()
    {
        var naming = new BackwardNaming();
        var path = _folder.File("backward.safetensors");
        using (var network = AdapterNetwork.Attach(new AdapterHosts(_unet), new LoRAOptions { Rank = 2 }, new Generator(1)))
            network.Save(path, naming: naming);
        Assert.Throws<InvalidFileException>(() => AdapterNetwork.FromFile(path, new AdapterHosts(_unet)));
        using var again = AdapterNetwork.FromFile(path, new AdapterHosts(_unet), namings: AdapterNamings.Default.With(naming));
        Assert.Equal(["Backward"], again.LoadedFrom!.Namings);
        Assert.Equal(192, again.Adapters.Count);
    }
}
