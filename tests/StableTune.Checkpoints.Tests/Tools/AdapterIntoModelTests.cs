using StableTune.Adapters;
using StableTune.Checkpoints.Tests.Saving;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Tools;

public sealed class AdapterIntoModelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("tiny-sd15")]
    [InlineData("tiny-sdxl")]
    public void Merge_IntoAModel_ComputesWhatTheAttachedAdapterDoes(string name)
    {
        var model = SavedModels.Complete(name, _folder);
        var lora = ToolModels.WriteLora(model, _folder.File("lora.safetensors"));
        var saved = AdapterIntoModel.Merge(model, [new(lora, 0.7)], _folder.File("merged"));
        Assert.Equal(ModelFormat.DiffusersSafetensors, saved.Format);
        using var frozen = no_grad();
        using var plain = ModelLoader.Load(model);
        using var merged = ModelLoader.Load(saved.Path);
        var before = Output(plain);
        using var network = AdapterNetwork.FromFile(lora, ModelHosts.Of(plain), 0.7f);
        var (attached, after) = (Output(plain), Output(merged));
        Assert.InRange((attached - after).abs().max().item<float>(), 0, 1e-4 * attached.abs().max().item<float>());
        Assert.True((before - after).abs().max().item<float>() > 1e-2 * before.abs().max().item<float>());
    }

    [Fact]
    public void Merge_IntoASingleFile_SaysWhatItIsMadeOf()
    {
        var model = FixtureModels.SingleFile("tiny-sd15");
        var reading = new ModelLoadOptions { ConfigurationPath = SavedModels.Complete("tiny-sd15", _folder) };
        var lora = ToolModels.WriteLora(reading.ConfigurationPath!, _folder.File("lora.safetensors"));
        var output = _folder.File("merged.safetensors");
        AdapterIntoModel.Merge(model, [lora, new(lora, -1)], output, new AdapterIntoModelOptions
        {
            Reading = reading, Saving = new ModelSaveOptions { Precision = ScalarType.Float16, Overwrite = false },
        });
        using var file = WeightFile.Open(output);
        Assert.Equal("tiny-sd15, mine, mine", file.Metadata["modelspec.merged_from"]);
        Assert.Contains(file.Tensors, info => info.DType == TensorDType.F16);
        // The second takes away what the first added.
        using var source = WeightFile.Open(model);
        var name = source.Names.First(name => name.EndsWith("attn1.to_q.weight", StringComparison.Ordinal));
        Assert.InRange((source.Load(name, ScalarType.Float32) - file.Load(name, ScalarType.Float32)).abs().max().item<float>(), 0, 1e-3);
    }

    [Fact]
    public void Merge_WhatCannotWork_IsNamed()
    {
        var model = SavedModels.Complete("tiny-sd15", _folder);
        var lora = ToolModels.WriteLora(model, _folder.File("lora.safetensors"));
        var output = _folder.File("merged");
        Assert.Contains("one of the inputs", Options(() => AdapterIntoModel.Merge(model, [lora], model)), StringComparison.Ordinal);
        Directory.CreateDirectory(output);
        File.WriteAllText(Path.Combine(output, "mine.txt"), "mine");
        Assert.Contains("something else", Options(() => AdapterIntoModel.Merge(model, [lora], output)), StringComparison.Ordinal);
        var sdxl = SavedModels.Complete("tiny-sdxl", _folder);
        var other = ToolModels.WriteLora(sdxl, _folder.File("sdxl-lora.safetensors"));
        var fault = Assert.ThrowsAny<InvalidFileException>(() => AdapterIntoModel.Merge(model, [other], _folder.File("new")));
        Assert.Equal(other, fault.Path);
        var broken = Broken(lora);
        fault = Assert.ThrowsAny<InvalidFileException>(() => AdapterIntoModel.Merge(model, [broken], _folder.File("new")));
        Assert.Contains("NaN", fault.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.File("new")));
    }

    private static string Options(Action action) => Assert.Throws<InvalidOptionsException>(action).Message;

    private string Broken(string lora)
    {
        using var file = WeightFile.Open(lora);
        var tensors = file.LoadAll().Select(entry => (entry.Key, entry.Value)).ToList();
        tensors[0].Value.fill_(float.NaN);
        StateDictWriter.Save(_folder.File("broken.safetensors"), tensors);
        return _folder.File("broken.safetensors");
    }

    private static Tensor Output(StableDiffusionModel model)
    {
        using var random = new Generator(3);
        var context = randn([1, 7, model.UNet.Options.CrossAttentionDim], generator: random);
        var added = !model.UNet.Options.TakesAddedConditions ? null
            : new AddedConditions(randn([1, Pooled(model.UNet.Options)], generator: random), ones(1, 6));
        return model.UNet.forward(randn([1, 4, 16, 16], generator: random), tensor(new[] { 500L }), context, added);
    }

    private static long Pooled(UNetOptions unet) => unet.ProjectionClassEmbeddingsInputDim - 6 * unet.AdditionTimeEmbedDim;
}
