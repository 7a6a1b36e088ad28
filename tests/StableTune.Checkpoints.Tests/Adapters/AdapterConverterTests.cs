using StableTune.Adapters;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Adapters;

/// <summary>Files of the published architectures between the schemes, without a model.</summary>
public sealed class AdapterConverterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    private string Save(string name, Dictionary<string, string>? metadata, params (string Name, long Size)[] layers)
    {
        var path = _folder.File(name);
        SafetensorsWriter.Write(path, StatePayloads.Of(layers.SelectMany(layer => new[]
        {
            ($"{layer.Name}.lora_down.weight", rand(2, layer.Size).to(ScalarType.Float16)),
            ($"{layer.Name}.lora_up.weight", rand(layer.Size, 2).to(ScalarType.Float16)),
            ($"{layer.Name}.alpha", tensor(1f).to(ScalarType.Float16)),
        })), metadata);
        return path;
    }

    public static TheoryData<string, string, int, string> Layers() => new()
    {
        { "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q", "sd_v1-5", 320,
            "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q" },
        { "lora_te_text_model_encoder_layers_22_self_attn_q_proj", "", 1024, "text_encoder.text_model.encoder.layers.22.self_attn.q_proj" },
        { "lora_unet_input_blocks_8_1_transformer_blocks_9_attn1_to_q", "sdxl_base_v1-0", 1280,
            "unet.down_blocks.2.attentions.1.transformer_blocks.9.attn1.to_q" },
        { "lora_unet_output_blocks_0_1_transformer_blocks_4_attn1_to_out_0", "", 1280,
            "unet.up_blocks.0.attentions.0.transformer_blocks.4.attn1.to_out.0" },
        { "lora_te2_text_model_encoder_layers_31_self_attn_k_proj", "", 1280,
            "text_encoder_2.text_model.encoder.layers.31.self_attn.k_proj" },
    };

    [Theory]
    [MemberData(nameof(Layers))]
    public void Convert_ToPeftAndBack_GivesTheFile(string name, string version, int size, string path)
    {
        var metadata = new Dictionary<string, string> { ["ss_steps"] = "3" };
        if (version.Length > 0) metadata["ss_base_model_version"] = version;
        var source = Save("source.safetensors", metadata, (name, size));
        var (peft, back) = (_folder.File("peft.safetensors"), _folder.File("back.safetensors"));
        Assert.Equal(["sd-scripts"], AdapterConverter.Convert(source, peft, AdapterNamings.Peft).Namings);
        using (var converted = WeightFile.Open(peft))
        {
            Assert.Equal([$"{path}.lora_A.weight", $"{path}.lora_B.weight"], converted.Names.Order());
            Assert.Equal("3", converted.Metadata["ss_steps"]);
            Assert.Contains("lora_alpha\": 1", converted.Metadata["lora_adapter_metadata"]);
        }

        Assert.Equal(["PEFT"], AdapterConverter.Convert(peft, back).Namings);
        using var expected = WeightFile.Open(source);
        using var actual = WeightFile.Open(back);
        Assert.Equal(expected.Names.Order(), actual.Names.Order());
        Assert.All(expected.Names, tensor => Assert.True(expected.Load(tensor).Equals(actual.Load(tensor)), tensor));
        Assert.DoesNotContain("lora_adapter_metadata", actual.Metadata.Keys);
    }

    [Fact]
    public void Convert_OntoItself_AndToAnotherType_Works()
    {
        var path = Save("own.safetensors", null, ("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q", 1280));
        AdapterConverter.Convert(path, path, AdapterNamings.Peft, ModelVersion.Sd1, ScalarType.Float32);
        using var file = WeightFile.Open(path);
        Assert.All(file.Tensors, info => Assert.Equal(TensorDType.F32, info.DType));
    }

    [Fact]
    public void Convert_WhatFitsNoGeneration_SaysWhyOfEach()
    {
        var path = Save("tiny.safetensors", null, ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q", 32));
        var target = _folder.File("target.safetensors");
        var fault = Assert.Throws<InvalidFileException>(() => AdapterConverter.Convert(path, target, AdapterNamings.Peft)).Message;
        Assert.Contains("Stable Diffusion 1.x: the weights do not fit the model", fault);
        Assert.Contains("Stable Diffusion XL: 1 of its 1 adapters have no layer in this model", fault);
        Assert.Contains("AdapterFiles.Convert", fault);
        var other = Assert.Throws<InvalidFileException>(() =>
            AdapterConverter.Convert(Fixtures.Path("models", "tiny-sd15", "unet", "diffusion_pytorch_model.safetensors"), target)).Message;
        Assert.Contains("the weights of a UNet", other);
        Assert.DoesNotContain("fit no model", other);
        Assert.Throws<InvalidFileException>(() => AdapterConverter.Convert(_folder.File("none.safetensors"), target));
        Assert.False(File.Exists(target));
    }
}
