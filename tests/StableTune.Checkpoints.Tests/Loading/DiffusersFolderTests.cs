using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

public sealed class DiffusersFolderTests : IDisposable
{
    private const string Diffusion = "diffusion_pytorch_model";

    private readonly TemporaryFolder _folder = new();
    private readonly string _path;

    public DiffusersFolderTests() => _path = FixtureModels.TinySd15(_folder);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Load_TorchWeights_AreTheSame()
    {
        foreach (var (part, name) in new[] { ("unet", Diffusion), ("vae", Diffusion), ("text_encoder", "pytorch_model") })
            ToTorch(part, name);
        Assert.Empty(ModelLoader.Check(_path));
        AssertIsTiny(ModelFormat.Diffusers);
    }

    [Theory]
    [InlineData("safetensors", ModelFormat.DiffusersSafetensors)]
    [InlineData("bin", ModelFormat.Diffusers)]
    public void Load_ShardedWeights_AreTheSame(string extension, ModelFormat format)
    {
        ModelStates.Shard(Weights("unet"), Diffusion, extension, shards: 3);
        ModelStates.Shard(Path.Combine(_path, "text_encoder", "model.safetensors"), extension == "bin" ? "pytorch_model" : "model",
            extension, shards: 2);
        Assert.Empty(ModelLoader.Check(_path));
        AssertIsTiny(format);
    }

    [Theory]
    [InlineData(null, "a.safetensors a.bin a.fp16.safetensors", "a.safetensors")]
    [InlineData(null, "a.bin a.fp16.safetensors a.fp16.bin", "a.bin")]
    [InlineData(null, "a.fp16.bin a.fp16.safetensors", "a.fp16.safetensors")]
    [InlineData(null, "a.safetensors.index.json a.bin", "a.safetensors.index.json")]
    [InlineData("fp16", "a.safetensors a.bin a.fp16.safetensors a.fp16.bin", "a.fp16.safetensors")]
    [InlineData("fp16", "a.safetensors a.fp16.bin", "a.safetensors")]
    [InlineData("fp16", "a.fp16.bin a.bin", "a.fp16.bin")]
    [InlineData("fp16", "a.safetensors a.safetensors.index.fp16.json", "a.safetensors.index.fp16.json")]
    [InlineData("fp16", "a.safetensors a.fp16.safetensors.index.json", "a.fp16.safetensors.index.json")]
    [InlineData("ema", "a.bin", "a.bin")]
    public void Find_SeveralWeights_TakesThemInTheOrderOfDiffusers(string? variant, string there, string expected)
    {
        var folder = _folder.Folder("weights");
        foreach (var file in there.Split(' '))
            File.WriteAllText(Path.Combine(folder, file.Replace("a.", Diffusion + ".", StringComparison.Ordinal)), "x");
        Assert.Equal(expected, Path.GetFileName(WeightLocation.Find(folder, isText: false, variant))
            .Replace(Diffusion, "a", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("StableDiffusionImg2ImgPipeline")]
    [InlineData("StableDiffusionInpaintPipeline")]
    [InlineData("StableDiffusionDepth2ImgPipeline")]
    [InlineData("StableDiffusionInstructPix2PixPipeline")]
    public void Load_PipelineOfTheSameParts_IsTaken(string pipeline)
    {
        Edit("model_index.json", "StableDiffusionPipeline", pipeline);
        Assert.Empty(ModelLoader.Check(_path));
    }

    [Theory]
    [InlineData("StableDiffusionUpscalePipeline")]
    [InlineData("StableDiffusion3Pipeline")]
    [InlineData("FluxPipeline")]
    [InlineData("KandinskyPipeline")]
    public void Load_OtherPipeline_IsRefusedByName(string pipeline)
    {
        Edit("model_index.json", "StableDiffusionPipeline", pipeline);
        Assert.Contains(pipeline, Assert.Single(ModelLoader.Check(_path)).ToString());
    }

    [Theory]
    [InlineData(9, ModelKind.Inpainting)]
    [InlineData(5, ModelKind.Depth)]
    [InlineData(8, ModelKind.InstructPix2Pix)]
    public void Load_UNetOfMoreChannels_IsTakenAndTold(int channels, ModelKind kind)
    {
        Edit("unet/config.json", "\"in_channels\": 4", $"\"in_channels\": {channels}");
        SafetensorsWriter.Write(Weights("unet"), ModelStates.Read(Weights("unet")).Select(tensor => tensor.Name == "conv_in.weight"
            ? new TensorPayload(tensor.Name, tensor.DType, [32, channels, 3, 3], stream => stream.Write(new byte[32 * channels * 9 * 2]))
                : tensor).ToList());
        using var model = ModelLoader.Load(_path);
        Assert.Equal((kind, channels), (model.Details!.Kind, model.UNet.Options.InChannels));
    }

    [Fact]
    public void Load_RefinerOfSdxl_IsRefusedByName()
    {
        var path = FixtureModels.TinySdxl(_folder);
        var index = Path.Combine(path, "model_index.json");
        var text = File.ReadAllText(index);
        File.WriteAllText(index, System.Text.RegularExpressions.Regex.Replace(
            text, "\"text_encoder\": \\[[^\\]]*\\]", "\"text_encoder\": [null, null]"));
        Assert.Contains("refiner", string.Join('\n', ModelLoader.Check(path)));
    }

    [Fact]
    public void Load_IndexItself_MeansItsFolder()
    {
        using var model = ModelLoader.Load(Path.Combine(_path, "model_index.json"), new ModelLoadOptions { Parts = ModelParts.Vae });
        Assert.Equal(ModelParts.Vae, model.Parts);
    }

    [Fact]
    public void Load_PartsOfOtherTypes_HaveThem()
    {
        using var model = ModelLoader.Load(
            _path, new ModelLoadOptions { UNetType = ScalarType.BFloat16, TextEncoderType = ScalarType.Float16,
            VaeType = ScalarType.Float64 });
        Assert.All(model.UNet.parameters(), parameter => Assert.Equal(ScalarType.BFloat16, parameter.dtype));
        Assert.All(model.TextEncoder.parameters(), parameter => Assert.Equal(ScalarType.Float16, parameter.dtype));
        Assert.All(model.Vae.parameters(), parameter => Assert.Equal(ScalarType.Float64, parameter.dtype));
    }

    [Theory]
    [InlineData(WeightStorage.Copied)]
    [InlineData(WeightStorage.Mapped)]
    public void Load_KeepStoredTypes_KeepsThem(WeightStorage storage)
    {
        using var model = ModelLoader.Load(_path, new ModelLoadOptions { KeepStoredTypes = true, Storage = storage });
        Assert.All(model.UNet.parameters().Concat(model.TextEncoder.parameters()), parameter =>
            Assert.Equal(ScalarType.Float16, parameter.dtype));
        using var expected = ModelLoader.Load(_path);
        ModelStates.AssertSame(expected, model);
    }

    [Fact]
    public void Load_OnePart_ReadsNoOtherFile()
    {
        foreach (var part in new[] { "vae", "text_encoder", "tokenizer" }) Directory.Delete(Path.Combine(_path, part), recursive: true);
        File.WriteAllText(Path.Combine(_path, "unet", "other.json"), "{");
        using var model = ModelLoader.Load(_path, new ModelLoadOptions { Parts = ModelParts.UNet });
        Assert.Equal(ModelParts.UNet, model.Parts);
    }

    [Fact]
    public void Load_ConfigurationWithByteOrderMark_IsRead()
    {
        var path = Path.Combine(_path, "vae", "config.json");
        File.WriteAllText(path, File.ReadAllText(path), new System.Text.UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        Assert.Empty(ModelLoader.Check(_path));
    }

    private void AssertIsTiny(ModelFormat format)
    {
        using var expected = ModelLoader.Load(Copy());
        using var model = ModelLoader.Load(_path);
        ModelStates.AssertSame(expected, model);
        Assert.Equal(format, model.Details!.Format);
    }

    private string Copy()
    {
        using var other = new TemporaryFolder();
        var target = _folder.File("copy");
        Directory.Move(FixtureModels.TinySd15(other), target);
        return target;
    }

    private string Weights(string part) => Path.Combine(_path, part, $"{Diffusion}.safetensors");

    private void ToTorch(string part, string name)
    {
        var source = Directory.GetFiles(Path.Combine(_path, part), "*.safetensors").Single();
        TorchWriter.Write(Path.Combine(_path, part, $"{name}.bin"), ModelStates.Read(source), TorchLayout.OrderedDictionary);
        File.Delete(source);
    }

    private void Edit(string file, string from, string to)
    {
        var path = Path.Combine(_path, file);
        var text = File.ReadAllText(path);
        Assert.Contains(from, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(from, to, StringComparison.Ordinal));
    }
}
