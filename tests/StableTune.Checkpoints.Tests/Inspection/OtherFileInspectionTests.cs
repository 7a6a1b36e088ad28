using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Inspection;

/// <summary>Files that are no models: what they are, what they carry.</summary>
public sealed class OtherFileInspectionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Inspect_LoRAOfTheReference_TellsRankAlphaBaseAndHoldsItsHashes()
    {
        var path = Fixtures.Path("training", "lora_fp32", "lora_saved_fp16.safetensors");
        var found = ModelInspector.Inspect(path, new InspectOptions { Hashes = true });
        Assert.Equal(ContentKind.Adapter, found.Kind);
        Assert.Equal("LoRA for Stable Diffusion 1.x (from ss_base_model_version), rank 4, alpha 2", found.Summary);
        Assert.Equal(["unet", "text_encoder"], found.Parts.Select(part => part.Name));
        Assert.All(found.Parts, part => Assert.EndsWith(" layer(s)", part.Architecture));
        var carried = Assert.Single(found.Files).Carried;
        Assert.Contains(carried, hash => hash is { Key: "sshs_model_hash", Matches: true });
        Assert.Contains(carried, hash => hash is { Key: "sshs_legacy_hash", Matches: true, Computed: "e3b0c442" });
        Assert.Contains("(as the file says)", found.ToString());
        Assert.Contains("Metadata: training, ss (", found.ToString());
        Assert.Contains("Metadata: hashes, sshs (2)", found.ToString());
        Assert.Empty(found.Problems);
    }

    [Fact]
    public void Inspect_LongMetadata_IsShownByGroupsAndShortened()
    {
        var found = ModelInspector.Inspect(Fixtures.Path("networks", "lora_files", "example_trained.safetensors"));
        var text = found.ToString();
        Assert.Contains("Metadata: model specification, modelspec (", text);
        Assert.Contains("characters)", text);
        Assert.All(text.Split('\n'), line => Assert.InRange(line.Length, 0, 220));
        Assert.Contains("\"3_sks cat\"", found.Metadata["ss_tag_frequency"]);
        Assert.Contains("ss_tag_frequency", found.ToJson());
    }

    [Fact]
    public void Inspect_ChangedLoRA_SaysThatTheHashesDoNotAgree()
    {
        var path = _folder.File("lora.safetensors");
        var bytes = File.ReadAllBytes(Fixtures.Path("networks", "lora_files", "lora_a.safetensors"));
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes);
        var found = ModelInspector.Inspect(path, new InspectOptions { Hashes = true });
        Assert.Contains(found.Files[0].Carried, hash => hash is { Key: "sshs_model_hash", Matches: false });
        Assert.Contains("the file says", found.ToString());
        WeightHashes.AddToMetadata(path);
        Assert.All(ModelInspector.Inspect(path, new InspectOptions { Hashes = true }).Files[0].Carried, hash => Assert.True(hash.Matches));
    }

    public static TheoryData<string, long[], string, string> Adapters() => new()
    {
        { "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight", [4, 1024],
            "LoRA for Stable Diffusion 2.x (from the width of the text context, 1024), rank 4", "unet" },
        { "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight", [8, 1280],
            "LoRA for Stable Diffusion XL (it has a second text encoder), rank 8", "text_encoder_2" },
        { "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v.lora_A.weight", [2, 768],
            "LoRA for Stable Diffusion 1.x (from the width of the text context, 768), rank 2", "unet" },
        { "lora_unet_mid_block_attentions_0_proj_in.hada_w1_b", [3, 64], "LoHa, rank 3", "unet" },
        { "lora_unet_mid_block_attentions_0_proj_in.lokr_w1", [3, 64], "LoKr", "unet" },
        { "lora_unet_mid_block_attentions_0_proj_in.diff", [3, 64], "full differences", "unet" },
        { "lllite_unet_input_blocks_1_1.down.0.weight", [3, 64], "ControlNet-LLLite", "unet" },
        { "oft_unet_mid_block_attentions_0_proj_in.oft_blocks", [2, 3, 64], "OFT", "unet" },
    };

    [Theory]
    [MemberData(nameof(Adapters))]
    public void Inspect_AdaptersOfEveryKind_AreNamed(string name, long[] shape, string summary, string part)
    {
        var found = Inspect((name, shape));
        Assert.Equal((ContentKind.Adapter, summary), (found.Kind, found.Summary));
        Assert.Equal((part, "1 layer(s)"), (Assert.Single(found.Parts).Name, found.Parts[0].Architecture));
    }

    [Fact]
    public void Inspect_Embeddings_OfAllForms_AreNamed()
    {
        foreach (var file in new[] { "embedding_saved.safetensors", "embedding_saved.pt", "embedding_webui_style.pt" })
        {
            var found = ModelInspector.Inspect(Fixtures.Path("training", "textual_inversion", file), new InspectOptions { Hashes = true });
            Assert.Equal(ContentKind.Embedding, found.Kind);
            Assert.Equal("textual inversion embedding of 2 tokens, 48 wide", found.Summary);
            Assert.Equal(96, found.Parameters);
            Assert.NotNull(found.Files[0].Hashes);
            if (file.Contains("webui", StringComparison.Ordinal))
                Assert.Equal(("sksdog", "5"), (found.Metadata["name"], found.Metadata["step"]));
        }

        Assert.Equal("textual inversion embedding of 1 token, 768 wide, for Stable Diffusion 1.x", Inspect(("<cat>", [768])).Summary);
        Assert.Equal("textual inversion embedding of 3 tokens, 768 and 1280 wide, for Stable Diffusion XL",
            Inspect(("clip_l", [3, 768]), ("clip_g", [3, 1280])).Summary);
        Assert.Equal("textual inversion embedding of 3 tokens, 1024 wide, for each of 2 attention layers, for Stable Diffusion 2.x",
            Inspect(("IN01", [3, 1024]), ("MID", [3, 1024])).Summary);
    }

    [Fact]
    public void Inspect_PartsOfModels_AreNamed()
    {
        var vae = ModelInspector.Inspect(Fixtures.Path("models", "tiny-sd15", "vae", "diffusion_pytorch_model.safetensors"));
        Assert.Equal((ContentKind.Vae, "vae", 212839L), (vae.Kind, Assert.Single(vae.Parts).Name, vae.Parameters));
        Assert.Equal(ContentKind.UNet, ModelInspector.Inspect(
            Fixtures.Path("models", "tiny-sd15", "unet", "diffusion_pytorch_model.safetensors")).Kind);
        Assert.Equal(ContentKind.TextEncoder,
            ModelInspector.Inspect(Fixtures.Path("models", "tiny-sd15", "text_encoder", "model.safetensors")).Kind);
        Assert.Equal(ContentKind.ControlNet,
            Inspect(("controlnet_cond_embedding.conv_in.weight", [16, 3, 3, 3]), ("down_blocks.0.resnets.0.conv1.weight", [1])).Kind);
        Assert.Equal(ContentKind.ControlNet, Inspect(("control_model.input_hint_block.0.weight", [16, 3, 3, 3])).Kind);
        Assert.Equal(ContentKind.Vae, Inspect(("first_stage_model.decoder.up.0.block.0.conv1.weight", [1])).Kind);

        var folder = ModelInspector.Inspect(Fixtures.Path("models", "tiny-sd15", "unet"));
        Assert.Equal(ContentKind.UNet, folder.Kind);
        Assert.Contains("a UNet2DConditionModel by its config.json", Assert.Single(folder.Notes));
        Assert.Single(folder.Files);
    }

    [Fact]
    public void Inspect_OtherFamiliesAndUnknownTensors_AreDescribedWithTheReason()
    {
        var flux = Inspect(("double_blocks.0.img_attn.qkv.weight", [3, 3]));
        Assert.Equal(ContentKind.Unknown, flux.Kind);
        Assert.Contains("Flux", Assert.Single(flux.Problems));
        var sd3 = Inspect(("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", [3, 3]));
        Assert.Equal(ContentKind.Model, sd3.Kind);
        Assert.Contains("Stable Diffusion 3", Assert.Single(sd3.Problems));
        Assert.Equal("unet", Assert.Single(sd3.Parts).Name);
        var unknown = Inspect(("some.weight", [2]), ("other.weight", [3]));
        Assert.Equal("2 tensors of a kind that is not known", unknown.Summary);
        Assert.Equal(5, unknown.Parameters);
        Assert.Equal("a file without tensors", Inspect().Summary);
    }

    [Fact]
    public void ToString_HostileNamesAndTexts_HaveNoControlCharacters()
    {
        var path = _folder.File("x.safetensors");
        SafetensorsWriter.Write(path, [Tensor("<cat>", [4])], new Dictionary<string,
            string> { ["ss_\u001b[2J"] = "a\nb\u001b]0;evil\u0007" });
        var text = ModelInspector.Inspect(path).ToString();
        Assert.DoesNotContain('\u001b', text);
        Assert.DoesNotContain('\u0007', text);
    }

    private ModelInspection Inspect(params (string Name, long[] Shape)[] tensors)
    {
        var path = _folder.File("x.safetensors");
        SafetensorsWriter.Write(path, tensors.Select(t => Tensor(t.Name, t.Shape)));
        return ModelInspector.Inspect(path);
    }

    private static TensorPayload Tensor(string name, long[] shape) =>
        new(name, TensorDType.F16, shape, stream => stream.Write(new byte[2 * shape.Aggregate(1L, (product, size) => product * size)]));
}
