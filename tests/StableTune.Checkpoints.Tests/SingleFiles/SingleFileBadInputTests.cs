using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

/// <summary>Files that are no model, or a broken one: every one is refused with a message that says what it is.</summary>
public sealed class SingleFileBadInputTests
{
    [Theory]
    [InlineData("a LoRA or another adapter", "lora_unet_mid_block_attentions_0_proj_in.lora_down.weight")]
    [InlineData("a LoRA or another adapter", "unet.mid_block.attentions.0.proj_in.lora_A.weight")]
    [InlineData("a LoRA or another adapter", "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.down.weight")]
    [InlineData("a LoRA or another adapter", "lycoris_mid_block_attentions_0_proj_in.hada_w1_a")]
    [InlineData("a LoRA or another adapter", "network.mid_block.lokr_w1")]
    [InlineData("a ControlNet-LLLite adapter", "lllite_unet_input_blocks_4_1.down.0.weight")]
    [InlineData("a ControlNet,", "control_model.input_hint_block.0.weight", "control_model.input_blocks.0.0.weight")]
    [InlineData("a ControlNet,", "conv_in.weight", "controlnet_cond_embedding.conv_in.weight")]
    [InlineData("a textual inversion embedding", "emb_params")]
    [InlineData("a textual inversion embedding", "clip_l", "clip_g")]
    [InlineData("a textual inversion embedding", "<frog>")]
    [InlineData("an optimizer's state", "state.0.exp_avg")]
    [InlineData("an optimizer's state", "unet.conv_in.weight.exp_avg")]
    [InlineData("the Stable Diffusion 3 family", "model.diffusion_model.joint_blocks.0.context_block.attn.qkv.weight")]
    [InlineData("the Stable Diffusion 3 family", "joint_blocks.0.x_block.attn.qkv.weight")]
    [InlineData("the Flux family", "double_blocks.0.img_attn.qkv.weight")]
    [InlineData("a Stable Cascade model", "clip_txt_pooled_mapper.weight")]
    [InlineData("diffusion transformer", "blocks.0.attn.qkv.weight")]
    [InlineData("the UNet alone", "conv_in.weight", "down_blocks.0.resnets.0.norm1.weight")]
    [InlineData("a VAE alone", "encoder.down.0.block.0.conv1.weight", "decoder.conv_in.weight", "loss.logvar")]
    [InlineData("a VAE alone", "first_stage_model.decoder.conv_in.weight")]
    [InlineData("a VAE alone", "decoder.up_blocks.0.resnets.0.conv1.weight")]
    [InlineData("a text encoder alone", "text_model.embeddings.token_embedding.weight")]
    [InlineData("a text encoder alone", "cond_stage_model.model.ln_final.weight")]
    [InlineData("a text encoder alone", "encoder.block.0.layer.0.SelfAttention.q.weight")]
    [InlineData("a language model", "transformer.h.0.attn.c_attn.weight", "transformer.wte.weight")]
    [InlineData("a language model", "model.layers.0.self_attn.q_proj.weight", "lm_head.weight")]
    [InlineData("an upscaler", "model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight")]
    [InlineData("the refiner of Stable Diffusion XL", "conditioner.embedders.0.model.ln_final.weight",
        "model.diffusion_model.input_blocks.0.0.weight")]
    [InlineData("no Stable Diffusion model: 'model.diffusion_model.input_blocks.0.0.weight' is missing", "first.second.third", "fourth")]
    public void Open_AnotherKindOfFile_SaysWhatItIs(string expected, params string[] names)
    {
        var file = new MemoryTensorFile();
        foreach (var name in names) file.Add(name, 4, 4);

        var fault = Assert.Throws<InvalidFileException>(() => SingleFileCheckpoint.Open(file));
        Assert.Contains(expected, fault.Fault, StringComparison.Ordinal);
        Assert.NotEmpty(fault.Remedy);
        Assert.Equal(file.Path, fault.Path);
    }

    [Fact]
    public void Open_NoTensors_SaysSo() =>
        Assert.Contains("holds no tensors",
            Assert.Throws<InvalidFileException>(() => SingleFileCheckpoint.Open(new MemoryTensorFile())).Fault, StringComparison.Ordinal);

    [Fact]
    public void Open_AdapterOfTheFixtures_IsRecognised()
    {
        var file = Directory.EnumerateFiles(Fixtures.Path("networks", "lora_files"), "*.safetensors").Order(StringComparer.Ordinal).First();
        Assert.Contains("a LoRA or another adapter", Assert.Throws<InvalidFileException>(() => SingleFileCheckpoint.Open(file)).Fault,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("vae/diffusion_pytorch_model.safetensors", "a VAE alone")]
    [InlineData("unet/diffusion_pytorch_model.safetensors", "the UNet alone")]
    [InlineData("text_encoder/model.safetensors", "a text encoder alone")]
    public void Open_PartOfAFolder_IsRecognised(string part, string expected) => Assert.Contains(
        expected, Assert.Throws<InvalidFileException>(() => SingleFileCheckpoint.Open(Fixtures.Path("models", "tiny-sd15", part))).Fault,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("model.diffusion_model.out.2.weight")]
    [InlineData("model.diffusion_model.middle_block.1.proj_in.weight")]
    [InlineData("model.diffusion_model.input_blocks.4.0.in_layers.2.weight")]
    [InlineData("first_stage_model.post_quant_conv.weight")]
    [InlineData("cond_stage_model.transformer.text_model.embeddings.position_embedding.weight")]
    public void Open_WithoutATensorThatTellsTheArchitecture_NamesIt(string name)
    {
        var file = Sd15().Remove(other => other == name);
        Assert.Contains(name, Assert.Throws<InvalidFileException>(() => SingleFileCheckpoint.Open(file)).Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WithoutOtherTensors_ListsThemWhenTheyAreLookedFor()
    {
        string[] missing = ["model.diffusion_model.input_blocks.1.0.in_layers.0.bias",
            "model.diffusion_model.output_blocks.3.1.norm.weight"];
        using var checkpoint = SingleFileCheckpoint.Open(Sd15().Remove(missing.Contains));
        using var skip = LayerInitialization.Skip(META);
        using var module = new UNet2DConditionModel(checkpoint.UNet.Options);

        var report = ModuleWeights.Compare(module, new WeightFile(checkpoint.UNet.Weights));
        Assert.Equal(["down_blocks.0.resnets.0.norm1.bias", "up_blocks.1.attentions.0.norm.weight"], report.Missing);
        Assert.Empty(report.Unexpected);
    }

    [Fact]
    public void Open_WithATensorOfAnotherShape_IsReportedWhenItIsLookedFor()
    {
        using var checkpoint = SingleFileCheckpoint.Open(Sd15().Replace("model.diffusion_model.out.0.weight", 321));
        using var skip = LayerInitialization.Skip(META);
        using var module = new UNet2DConditionModel(checkpoint.UNet.Options);
        Assert.Equal(["conv_norm_out.weight"],
            ModuleWeights.Compare(module, new WeightFile(checkpoint.UNet.Weights)).Mismatched.Select(mismatch => mismatch.Name));
    }

    [Theory]
    [InlineData("model.diffusion_model.input_blocks.0.0.weight", new long[] { 320 })]
    [InlineData("model.diffusion_model.input_blocks.2.0.in_layers.2.weight", new long[] { 0, 320, 3, 3 })]
    [InlineData("model.diffusion_model.input_blocks.2.0.in_layers.2.weight", new long[] { 1L << 40, 320, 3, 3 })]
    [InlineData("model.diffusion_model.input_blocks.2.0.in_layers.2.weight", new long[] { 321, 320, 3, 3 })]
    [InlineData("model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight", new long[] { })]
    [InlineData("first_stage_model.encoder.down.1.block.0.conv1.weight", new long[] { 100, 128, 3, 3 })]
    [InlineData("cond_stage_model.transformer.text_model.embeddings.token_embedding.weight", new long[] { 49_408, 700 })]
    public void Open_ShapesOfNoModel_AreRefused(string name, long[] shape)
    {
        var fault = Assert.Throws<InvalidFileException>(() => SingleFileCheckpoint.Open(Sd15().Replace(name, shape)));
        Assert.NotEmpty(fault.Remedy);
    }

    [Fact]
    public void Open_JointProjectionOfOtherRows_IsRefusedByName()
    {
        const string Name = "cond_stage_model.model.transformer.resblocks.3.attn.in_proj_weight";
        var file = MemoryTensorFile.Published("sd21", "unet", "text_encoder").Replace(Name, 3071, 1024);
        Assert.Contains(Name, Assert.Throws<InvalidFileException>(() =>
            SingleFileCheckpoint.Open(file, new SingleFileOptions { Prediction = ModelPrediction.V })).Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_TwoNamesForOneTensor_NamesBoth()
    {
        const string New = "cond_stage_model.transformer.text_model.final_layer_norm.weight",
            Old = "cond_stage_model.transformer.final_layer_norm.weight";
        var fault = Assert.Throws<InvalidFileException>(() => SingleFileCheckpoint.Open(Sd15().Add(Old, 768)));
        Assert.Contains(New, fault.Fault, StringComparison.Ordinal);
        Assert.Contains(Old, fault.Fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.diffusion_model.input_blocks.2.", "'model.diffusion_model.input_blocks.2' is missing")]
    [InlineData("model.diffusion_model.middle_block.1.", "no transformer in its middle")]
    [InlineData("model.diffusion_model.output_blocks.11.", "'model.diffusion_model.output_blocks.11' is missing")]
    [InlineData("model.diffusion_model.output_blocks.3.1.", "'output_blocks.3' has 0 transformer blocks")]
    [InlineData("first_stage_model.decoder.up.3.", "its decoder 3")]
    [InlineData("first_stage_model.encoder.", "encoder is missing")]
    public void Open_BlocksMissing_SaysWhatIsWrong(string prefix, string expected)
    {
        var file = Sd15().Remove(name => name.StartsWith(prefix, StringComparison.Ordinal));
        Assert.Contains(expected, Assert.Throws<InvalidFileException>(() => SingleFileCheckpoint.Open(file)).Fault,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Open_VersionAgainstTheTextEncoder_IsRefused()
    {
        var fault = Assert.Throws<InvalidFileException>(() =>
            SingleFileCheckpoint.Open(Sd15(), new SingleFileOptions { Version = ModelVersion.Sd2 }));
        Assert.Contains("Stable Diffusion 1.x", fault.Fault, StringComparison.Ordinal);
        Assert.Contains("the option Version is Sd2", fault.Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_UncommonContextWithoutTextEncoder_AsksForTheVersion()
    {
        var file = MemoryTensorFile.Published("sd15", "unet")
            .Replace("model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight", 1280, 640);
        Assert.Contains("the option Version", Assert.Throws<InvalidFileException>(() => SingleFileCheckpoint.Open(file)).Remedy,
            StringComparison.Ordinal);
        using var checkpoint = SingleFileCheckpoint.Open(file, new SingleFileOptions { Version = ModelVersion.Sd1 });
        Assert.Equal((ModelVersion.Sd1, 640), (checkpoint.Version, checkpoint.UNet.Options.CrossAttentionDim));
    }

    [Fact]
    public void Open_ImpossibleOptions_ListsThem()
    {
        var options = new SingleFileOptions { Version = (ModelVersion)9, ConfigurationPath = "/nowhere",
            UNet = UNetOptions.Sd15 with { InChannels = 0 } };
        var problems = Assert.Throws<InvalidOptionsException>(() => SingleFileCheckpoint.Open(Sd15(), options)).Problems;
        Assert.Equal(["SingleFileOptions.Version", "SingleFileOptions.ConfigurationPath", "UNetOptions.InChannels"],
            problems.Select(problem => problem.Option));
    }

    [Fact]
    public void Open_TruncatedFile_IsRefusedAndClosed()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("model.safetensors");
        File.WriteAllBytes(path, File.ReadAllBytes(FixtureModels.SingleFile("tiny-sd15"))[..^100]);
        Assert.Throws<InvalidFileException>(() => SingleFileCheckpoint.Open(path));
        // Closed again: on Windows it could not be deleted otherwise.
        File.Delete(path);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Open_RandomlyChangedNamesAndShapes_NeverFailsOtherwise(int seed)
    {
        var random = new Random(seed);
        var source = Sd15().Tensors;
        var refused = 0;
        for (var round = 0; round < 25; round++)
        {
            var file = new MemoryTensorFile();
            foreach (var info in source)
            {
                var (name, shape) = (info.Name, info.Shape.ToArray());
                if (random.Next(200) == 0) continue;
                if (random.Next(200) == 0)
                    name = name[..random.Next(name.Length)] + random.Next(20) + "." + name[random.Next(name.Length)..];
                if (random.Next(200) == 0 && shape.Length > 0)
                    shape[random.Next(shape.Length)] = random.Next(5) switch { 0 => 0, 1 => 1, 2 => 1L << 30, 3 => shape[0] + 1, _ => 96 };
                if (random.Next(400) == 0) shape = [.. shape.Skip(1)];
                if (!file.TryGet(name, out _)) file.Add(name, shape);
            }

            try
            {
                SingleFileCheckpoint.Open(file).Dispose();
            }
            catch (InvalidFileException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 1, 25);
    }

    private static MemoryTensorFile Sd15() => MemoryTensorFile.Published("sd15", "unet", "vae", "text_encoder");
}
