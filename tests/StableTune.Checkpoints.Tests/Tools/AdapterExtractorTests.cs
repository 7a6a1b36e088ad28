using StableTune.Adapters;
using StableTune.Checkpoints.Tests.Saving;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Tools;

public sealed class AdapterExtractorTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    private string Output => _folder.File("extracted.safetensors");

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("tiny-sd15")]
    [InlineData("tiny-sd21-v")]
    [InlineData("tiny-sdxl")]
    public void Extract_ThenMerge_RestoresTheTunedModel(string name)
    {
        var model = SavedModels.Complete(name, _folder);
        var (tuned, lora) = ToolModels.Tuned(model, _folder);
        var options = new AdapterExtractOptions { Rank = 2, ConvolutionRank = 2, ClampQuantile = null };
        var saved = AdapterExtractor.Extract(model, tuned, Output, options);
        using (var expected = WeightFile.Open(lora))
        using (var actual = WeightFile.Open(Output))
        {
            Assert.Equal(expected.Names.Order(StringComparer.Ordinal), actual.Names.Order(StringComparer.Ordinal));
            Assert.Equal(expected.Metadata["ss_base_model_version"], actual.Metadata["ss_base_model_version"]);
        }

        Assert.Empty(saved.Notes);
        var restored = _folder.File("restored");
        AdapterIntoModel.Merge(model, [saved.Path], restored,
            new AdapterIntoModelOptions { Saving = new ModelSaveOptions { Format = ModelFormat.DiffusersSafetensors } });
        var weights = ToolModels.Weights(tuned);
        var largest = weights.Max(entry => (double)entry.Value.abs().max().item<float>());
        Assert.InRange(ToolModels.Difference(weights, ToolModels.Weights(restored)), 0, 1e-5 * largest);
        Assert.True(ToolModels.Difference(weights, ToolModels.Weights(model)) > 0.1);
    }

    [Fact]
    public void Extract_FromASingleFileAndAFolder_IsTheSame()
    {
        var model = SavedModels.Complete("tiny-sd15", _folder);
        var (tuned, _) = ToolModels.Tuned(model, _folder);
        AdapterExtractor.Extract(model, tuned, Output);
        var single = _folder.File("single.safetensors");
        ModelConverter.Convert(model, single);
        var other = _folder.File("other.safetensors");
        AdapterExtractor.Extract(
            single, tuned, other, new AdapterExtractOptions { Reading = new ModelLoadOptions { ConfigurationPath = model } });
        using var one = WeightFile.Open(Output);
        using var two = WeightFile.Open(other);
        Assert.Equal(one.Names, two.Names);
        Assert.Equal(Formats.WeightHashes.Recompute(one.Source).Model, Formats.WeightHashes.Recompute(two.Source).Model);
    }

    [Fact]
    public void Extract_WithoutTextChanges_LeavesTheTextEncoderOutAndSaysSo()
    {
        var model = SavedModels.Complete("tiny-sd15", _folder);
        var (tuned, _) = ToolModels.Tuned(model, _folder);
        var saved = AdapterExtractor.Extract(model, tuned, Output, new AdapterExtractOptions { MinimumDifference = 1000 });
        Assert.Contains("text encoders", Assert.Single(saved.Notes), StringComparison.Ordinal);
        using var file = WeightFile.Open(Output);
        Assert.All(file.Names, name => Assert.StartsWith("lora_unet_", name, StringComparison.Ordinal));
        // Without a rank for convolutions only what sd-scripts adapts by default.
        Assert.DoesNotContain(file.Names, name => name.Contains("_resnets_", StringComparison.Ordinal));
    }

    [Fact]
    public void Extract_WithAMethod_ChoosesEachLayersRank()
    {
        var model = SavedModels.Complete("tiny-sd15", _folder);
        var (tuned, _) = ToolModels.Tuned(model, _folder);
        var saved = AdapterExtractor.Extract(
            model, tuned, Output, new AdapterExtractOptions { Rank = 64, Method = new PartOfLargest(1e-3) });
        Assert.InRange(saved.Ranks.Most, 1, 2);
        using var file = WeightFile.Open(Output);
        Assert.Equal("Dynamic", file.Metadata["ss_network_dim"]);
    }

    [Fact]
    public void Extract_Metadata_IsTheReferences()
    {
        var model = SavedModels.Complete("tiny-sd15", _folder);
        var (tuned, _) = ToolModels.Tuned(model, _folder);
        AdapterExtractor.Extract(model, tuned, Output, new AdapterExtractOptions { ConvolutionRank = 2, Title = "x" });
        using var document = System.Text.Json.JsonDocument.Parse(File.ReadAllText(Fixtures.Path("networks", "file_tools.json")));
        var expected = document.RootElement.GetProperty("extract_lora").EnumerateArray()
            .Single(entry => entry.GetProperty("case").GetString() == "dim4_conv2").GetProperty("value").GetProperty("metadata");
        using var file = WeightFile.Open(Output);
        foreach (var entry in expected.EnumerateObject().Where(
            entry => !entry.Name.StartsWith("sshs_", StringComparison.Ordinal) && entry.Name != "modelspec.implementation_version"))
            Assert.Equal(entry.Value.GetString(), file.Metadata[entry.Name]);
    }

    [Fact]
    public void Extract_WhatCannotWork_IsNamed()
    {
        var model = SavedModels.Complete("tiny-sd15", _folder);
        Assert.Contains("none of its adapted weights differs", Fault(model, model).Message, StringComparison.Ordinal);
        var sdxl = SavedModels.Complete("tiny-sdxl", _folder);
        Assert.Contains("models of one kind", Fault(model, sdxl).Message, StringComparison.Ordinal);
        Assert.Equal(_folder.File("missing"), Fault(model, _folder.File("missing")).Path);
        var problems = Assert.Throws<InvalidOptionsException>(() => AdapterExtractor.Extract(model, sdxl, _folder.Path,
            new AdapterExtractOptions { Rank = 0, ConvolutionRank = 0, ClampQuantile = -1, MinimumDifference = double.NaN })).Problems;
        Assert.Equal(["Rank", "ConvolutionRank", "ClampQuantile", "MinimumDifference"],
            problems.SkipLast(1).Select(problem => problem.Option.Split('.')[1]));
        Assert.Equal("output", problems[^1].Option);
        Assert.False(File.Exists(Output));
    }

    private InvalidFileException Fault(string original, string tuned) =>
        Assert.ThrowsAny<InvalidFileException>(() => AdapterExtractor.Extract(original, tuned, Output));
}
