using StableTune.Checkpoints.Tests.Saving;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Tools;

public sealed class ModelMergerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    // The tiny models are stored in float16.
    private static readonly ModelMergeOptions s_precise =
        new() { Saving = new ModelSaveOptions { Precision = ScalarType.Float32, Overwrite = false } };

    private string Output => _folder.File("merged");

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("tiny-sd15")]
    [InlineData("tiny-sdxl")]
    public void WeightedSum_OfThreeModels_IsTheirMean(string name)
    {
        var a = SavedModels.Complete(name, _folder);
        var (b, _) = ToolModels.Tuned(a, _folder, seed: 1);
        var (c, _) = ToolModels.Tuned(a, _folder, seed: 2);
        var saved = ModelMerger.WeightedSum([new(a, 2), new(b, 1), new(c, 1)], Output, s_precise);
        Assert.Equal(ModelFormat.DiffusersSafetensors, saved.Format);
        var (first, second, third) = (ToolModels.Weights(a), ToolModels.Weights(b), ToolModels.Weights(c));
        var expected = first.ToDictionary(entry => entry.Key,
            entry => entry.Value * 0.5 + second[entry.Key] * 0.25 + third[entry.Key] * 0.25);
        Assert.InRange(ToolModels.Difference(expected, ToolModels.Weights(Output)), 0, 1e-5);
    }

    [Fact]
    public void AddDifference_OfATunedModel_GivesItBack()
    {
        var a = SavedModels.Complete("tiny-sd15", _folder);
        var (b, _) = ToolModels.Tuned(a, _folder, seed: 1);
        var (c, _) = ToolModels.Tuned(a, _folder, seed: 2);
        ModelMerger.AddDifference(c, b, a, 0.5, Output, s_precise);
        var (first, second, third) = (ToolModels.Weights(c), ToolModels.Weights(b), ToolModels.Weights(a));
        var expected = first.ToDictionary(entry => entry.Key, entry => entry.Value + (second[entry.Key] - third[entry.Key]) * 0.5);
        Assert.InRange(ToolModels.Difference(expected, ToolModels.Weights(Output)), 0, 1e-5);
    }

    [Fact]
    public void WeightedSum_OfFileAndFolder_IsWrittenAsASingleFile()
    {
        var a = SavedModels.Complete("tiny-sd15", _folder);
        var (b, _) = ToolModels.Tuned(a, _folder);
        var single = _folder.File("single.safetensors");
        ModelConverter.Convert(b, single, new ModelSaveOptions { Precision = ScalarType.Float16 });
        var output = _folder.File("merged.safetensors");
        // A single file does not tell the heads of so small a text encoder.
        var reading = new ModelLoadOptions { ConfigurationPath = a };
        ModelMerger.WeightedSum([new(a), new(single)], output, new ModelMergeOptions { Reading = reading });
        using var file = WeightFile.Open(output);
        Assert.Equal("tiny-sd15, single", file.Metadata["modelspec.merged_from"]);
        Assert.Equal("merged", file.Metadata["modelspec.title"]);
        using var merged = OpenModel.Open(output, reading, CancellationToken.None);
        var (first, second) = (ToolModels.Weights(a), ToolModels.Weights(b));
        const string name = "mid_block.attentions.0.proj_in.weight";
        var expected = (first["unet." + name] + second["unet." + name]) / 2;
        var info = merged.Tensors(ModelPart.UNet)[name];
        Assert.InRange(Largest(merged.Part(ModelPart.UNet)!.Weights.Load(info.Name, ScalarType.Float32) - expected), 0, 2e-3);
    }

    [Fact]
    public void WeightedSum_OfSomeParts_KeepsTheOthersOfTheFirst()
    {
        var a = SavedModels.Complete("tiny-sd15", _folder);
        var (b, _) = ToolModels.Tuned(a, _folder);
        ModelMerger.WeightedSum([new(a, 0), new(b, 1)], Output, s_precise with { Parts = ModelParts.UNet });
        var (first, second, merged) = (ToolModels.Weights(a), ToolModels.Weights(b), ToolModels.Weights(Output));
        Assert.All(merged, entry => Assert.Equal(0,
            Largest(entry.Value - (entry.Key.StartsWith("unet.", StringComparison.Ordinal) ? second : first)[entry.Key])));
    }

    [Fact]
    public void WeightedSum_ByBlocks_TakesEachBlocksShare()
    {
        var a = SavedModels.Complete("tiny-sd15", _folder);
        var (b, _) = ToolModels.Tuned(a, _folder);
        double[] weights = [.. Enumerable.Range(0, 25).Select(i => i == 12 ? 1.0 : 0)];
        ModelMerger.WeightedSum(
            [new(a), new(b)], Output, s_precise with { Parts = ModelParts.UNet, BlockWeights = weights });
        var (first, second, merged) = (ToolModels.Weights(a), ToolModels.Weights(b), ToolModels.Weights(Output));
        Assert.All(merged, entry => Assert.Equal(0,
            Largest(entry.Value - (entry.Key.StartsWith("unet.mid_block.", StringComparison.Ordinal) ? second : first)[entry.Key])));
    }

    [Theory]
    [InlineData(false, "conv_in.weight", 0)]
    [InlineData(false, "time_embedding.linear_1.weight", 0)]
    [InlineData(false, "down_blocks.0.resnets.0.conv1.weight", 1)]
    [InlineData(false, "down_blocks.3.resnets.1.conv1.weight", 11)]
    [InlineData(false, "mid_block.resnets.1.conv1.weight", 12)]
    [InlineData(false, "up_blocks.0.resnets.0.conv1.weight", 13)]
    [InlineData(false, "up_blocks.0.upsamplers.0.conv.weight", 15)]
    [InlineData(false, "up_blocks.3.resnets.2.conv1.weight", 24)]
    [InlineData(false, "conv_out.weight", 24)]
    [InlineData(true, "time_embedding.linear_1.weight", 0)]
    [InlineData(true, "add_embedding.linear_1.weight", 0)]
    [InlineData(true, "conv_in.weight", 1)]
    [InlineData(true, "mid_block.attentions.0.proj_in.weight", 11)]
    [InlineData(true, "up_blocks.0.resnets.0.conv1.weight", 13)]
    [InlineData(true, "up_blocks.2.resnets.2.conv1.weight", 21)]
    [InlineData(true, "conv_out.weight", 22)]
    public void Blocks_OfTensors_AreCountedAsInFiles(bool isSdxl, string name, int index) =>
        Assert.Equal(index, new ModelBlocks(isSdxl ? UNetOptions.Sdxl : UNetOptions.Sd15).IndexOf(name));

    [Fact]
    public void WeightedSum_WhatCannotWork_IsNamed()
    {
        var a = SavedModels.Complete("tiny-sd15", _folder);
        var sdxl = SavedModels.Complete("tiny-sdxl", _folder);
        var fault = Assert.ThrowsAny<InvalidFileException>(() => ModelMerger.WeightedSum([new(a), new(sdxl)], Output));
        Assert.Contains("models of one kind", fault.Message, StringComparison.Ordinal);
        Assert.Contains("at least two", Options(() => ModelMerger.WeightedSum([new(a)], Output)), StringComparison.Ordinal);
        Assert.Contains("add up to 0", Options(() => ModelMerger.WeightedSum([new(a, 1), new(a, -1)], Output)), StringComparison.Ordinal);
        Assert.Contains("one of the inputs", Options(() => ModelMerger.WeightedSum([new(a), new(a)], a)), StringComparison.Ordinal);
        var three = new ModelMergeOptions { BlockWeights = [1, 2, 3] };
        Assert.Contains(
            "25 blocks", Options(() => ModelMerger.WeightedSum([new(a), new(a)], Output, three)), StringComparison.Ordinal);
        Assert.Contains("finite", Options(() => ModelMerger.AddDifference(a, a, a, double.NaN, Output)), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Output));
    }

    private static float Largest(Tensor tensor) => tensor.abs().max().item<float>();

    private static string Options(Action action) => Assert.Throws<InvalidOptionsException>(action).Message;
}
