using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Loading;

/// <summary>Weights that are NaN or infinite: loading and inspecting name the tensor, however the model is stored.</summary>
public sealed class BrokenNumbersTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Writes a file again, in float32, with two numbers of a tensor replaced.</summary>
    private static void Break(string source, string target, string name, float number)
    {
        using var scope = NewDisposeScope();
        using var file = WeightFile.Open(source);
        var tensors = file.LoadAll(ScalarType.Float32);
        tensors[name].flatten()[5] = number;
        tensors[name].flatten()[7] = number;
        var metadata = file.Metadata.ToDictionary();
        var payloads = StatePayloads.Of(tensors.Select(tensor => (tensor.Key, tensor.Value))).ToList();
        file.Dispose();
        SafetensorsWriter.Write(target, payloads, metadata);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void Load_OfAFolder_NamesTheTensor(float number)
    {
        var model = FixtureModels.TinySd15(_folder);
        var unet = Path.Combine(model, "unet", "diffusion_pytorch_model.safetensors");
        Break(unet, unet, "mid_block.resnets.0.conv1.weight", number);
        foreach (var (type, storage) in new[] { (ScalarType.Float32, WeightStorage.Mapped), (ScalarType.Float32, WeightStorage.Copied),
            (ScalarType.BFloat16, WeightStorage.Copied) })
        {
            var options = new ModelLoadOptions { WeightType = type, Storage = storage };
            var fault = Assert.Throws<InvalidFileException>(() => ModelLoader.Load(model, options)).Message;
            Assert.Contains(unet, fault);
            Assert.Contains("'mid_block.resnets.0.conv1.weight' is broken: 2 of", fault);
            Assert.Contains("the first at [0, 0, 1, 2]", fault);
        }

        using (var loaded = ModelLoader.Load(model, new ModelLoadOptions { CheckNumbers = false }))
            Assert.NotNull(FiniteNumbers.Fault(ModuleTensors.Named(loaded.UNet)["mid_block.resnets.0.conv1.weight"]));
        ModelLoader.Load(model, new ModelLoadOptions { Parts = ModelParts.TextEncoder }).Dispose();    // its numbers are sound
        Assert.Contains("'mid_block.resnets.0.conv1.weight' is broken: 2 of", Assert.Single(ModelInspector.Inspect(model).Problems));
        Assert.Empty(ModelInspector.Inspect(model, new InspectOptions { Numbers = false }).Problems);
    }

    [Fact]
    public void Load_OfASingleFile_NamesTheTensorAsTheFileDoes()
    {
        const string name = "model.diffusion_model.middle_block.0.in_layers.2.weight";
        var path = _folder.File("broken.safetensors");
        Break(FixtureModels.SingleFile("tiny-sd15"), path, name, float.NaN);
        var configuration = FixtureModels.TinySd15(_folder);
        var fault = Assert.Throws<InvalidFileException>(() =>
            ModelLoader.Load(path, new ModelLoadOptions { ConfigurationPath = configuration })).Message;
        Assert.Contains($"'{name}' is broken: 2 of", fault);
        var problems = ModelInspector.Inspect(path, new InspectOptions { ConfigurationPath = configuration }).Problems;
        Assert.Contains(problems, problem => problem.Contains($"'{name}' is broken: 2 of", StringComparison.Ordinal));
    }

    [Fact]
    public void Load_ANumberTooLargeForTheType_SaysWhichTypeToLoadIn()
    {
        var model = FixtureModels.TinySd15(_folder);
        var unet = Path.Combine(model, "unet", "diffusion_pytorch_model.safetensors");
        Break(unet, unet, "mid_block.resnets.0.conv1.weight", 1e6f);
        ModelLoader.Load(model).Dispose();
        var fault = Assert.Throws<InvalidFileException>(() =>
            ModelLoader.Load(model, new ModelLoadOptions { WeightType = ScalarType.Float16 })).Message;
        Assert.Contains("'mid_block.resnets.0.conv1.weight' of the unet does not fit into Float16", fault);
        Assert.Contains("BFloat16", fault);
    }

    [Fact]
    public void Inspect_OfAnAdapter_NamesTheTensorsAndWhoseNamesTheyAre()
    {
        using var scope = NewDisposeScope();
        var path = _folder.File("lora.safetensors");
        var down = ones(4, 320);
        down[1, 2] = float.NaN;
        StateDictWriter.Save(path,
        [
            ("unet.output_blocks.5.1.transformer_blocks.0.attn1.to_q.lora_down", down.to(ScalarType.Float16)),
            ("unet.output_blocks.5.1.transformer_blocks.0.attn1.to_q.lora_up", ones(320, 4).to(ScalarType.BFloat16)),
            ("bundle_emb.frog.clip_l", ones(2, 768)), ("bundle_emb.frog.clip_g", ones(2, 1280)),
        ]);
        var found = ModelInspector.Inspect(path);
        Assert.Equal((ContentKind.Adapter, "LoRA, rank 4"), (found.Kind, found.Summary));
        Assert.Equal(["unet", "embedding"], found.Parts.Select(part => part.Name));
        Assert.Equal("1 layer(s)", found.Parts[0].Architecture);
        Assert.Equal(["The names are those of ComfyUI and the web UIs.", "It brings 1 embedding(s) along: frog."], found.Notes);
        Assert.Equal("'unet.output_blocks.5.1.transformer_blocks.0.attn1.to_q.lora_down' is broken: 1 of 1280 numbers is NaN or " +
            "infinite, the first at [1, 2].", Assert.Single(found.Problems));
    }

    [Theory]
    [InlineData("unet.down_blocks.0.attentions.0.proj_in.lora.down.weight", "diffusers before PEFT")]
    [InlineData("diffusion_model.input_blocks.1.1.proj_in.lora_down.weight", "ComfyUI and the web UIs")]
    [InlineData("model.diffusion_model.input_blocks.1.1.proj_in.lora_down.weight", "ComfyUI and the web UIs")]
    [InlineData("unet.down_blocks.0.attentions.0.proj_in.lora_A.weight", "PEFT")]
    public void Inspect_AdaptersOfOtherPrograms_AreAdaptersAndNoModels(string name, string naming)
    {
        using var scope = NewDisposeScope();
        var path = _folder.File("lora.safetensors");
        StateDictWriter.Save(path, [(name, ones(4, 320))]);
        var found = ModelInspector.Inspect(path);
        Assert.Equal((ContentKind.Adapter, "LoRA, rank 4"), (found.Kind, found.Summary));
        Assert.Equal([$"The names are those of {naming}."], found.Notes);
        Assert.Contains("a LoRA or another adapter", Assert.Throws<InvalidFileException>(() => ModelLoader.Load(path)).Message);
    }

    [Fact]
    public void Inspect_AveragesAlone_AreNoVae()
    {
        using var scope = NewDisposeScope();
        var path = _folder.File("averages.safetensors");
        StateDictWriter.Save(path, [("model_ema.diffusion_modelinput_blocks00weight", ones(4, 4, 3, 3)), ("model_ema.decay", ones(1)),
            ("first_stage_model.decoder.up.0.block.0.conv1.weight", ones(4, 4, 3, 3))]);
        var found = ModelInspector.Inspect(path);
        Assert.Equal(ContentKind.Model, found.Kind);
        Assert.Contains("only the averages (model_ema) of its UNet's weights", Assert.Single(found.Problems));
        Assert.Contains("only the averages", Assert.Throws<InvalidFileException>(() => ModelLoader.Load(path)).Message);
    }
}
