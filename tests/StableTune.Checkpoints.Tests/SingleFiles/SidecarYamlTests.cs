using System.Text;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

/// <summary>The .yaml beside a checkpoint, through opening a checkpoint.</summary>
public sealed class SidecarYamlTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("model: {params: {parameterization: \"v\"}}", ModelPrediction.V)]
    [InlineData("model: {params: {parameterization: v}}", ModelPrediction.V)]
    [InlineData("model: {params: {parameterization: eps}}", ModelPrediction.Epsilon)]
    [InlineData("model: {params: {timesteps: 1000}}", ModelPrediction.Epsilon)]
    [InlineData("what: &name v\nmodel:\n  params:\n    parameterization: *name\n", ModelPrediction.V)]
    public void Open_YamlBesideSd2_TellsThePrediction(string yaml, ModelPrediction expected)
    {
        using var checkpoint = Open(yaml);
        Assert.Equal(expected, checkpoint.Details.Prediction);
        Assert.StartsWith("from model.yaml", checkpoint.Details.PredictionOrigin, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_YamlAgainstMetadataAndMark_TheYamlCounts()
    {
        var file = Sd21("model: {params: {parameterization: eps}}").Add("v_pred", 0);
        file.Texts["modelspec.prediction_type"] = "v";
        using var checkpoint = SingleFileCheckpoint.Open(file);
        Assert.Equal(ModelPrediction.Epsilon, checkpoint.Details.Prediction);
    }

    [Fact]
    public void Open_YamlWithoutParameterizationAgainstMark_TheMarkCounts()
    {
        using var checkpoint = SingleFileCheckpoint.Open(Sd21("model: {params: {timesteps: 1000}}").Add("v_pred", 0));
        Assert.Equal(ModelPrediction.V, checkpoint.Details.Prediction);
    }

    [Fact]
    public void Open_YamlElsewhere_IsReadWhenNamed()
    {
        File.WriteAllText(_folder.File("other.yaml"),
            "model: {params: {parameterization: v, linear_start: 0.001, linear_end: 2e-2, timesteps: 900, scale_factor: 0.2, "
                + "unet_config: {params: {num_head_channels: 32, norm_num_groups: 16}}, first_stage_config: {params: {ddconfig: "
                    + "{norm_num_groups: 8}}}}}");
        using var checkpoint = SingleFileCheckpoint.Open(
            MemoryTensorFile.Published("sd21", "unet", "vae"), new SingleFileOptions { YamlPath = _folder.File("other.yaml") });

        Assert.Equal([10, 20, 40, 40], checkpoint.UNet.Options.AttentionHeads);
        Assert.Equal((16, 8, 0.2), (checkpoint.UNet.Options.NormNumGroups, checkpoint.Vae!.Options.NormNumGroups,
            checkpoint.Vae.Options.ScalingFactor));
        Assert.Equal((0.001, 0.02, 900),
            (checkpoint.Scheduler.BetaStart, checkpoint.Scheduler.BetaEnd, checkpoint.Scheduler.TrainTimesteps));
    }

    [Theory]
    [InlineData("", "model.params")]
    [InlineData("just a text", "model.params")]
    [InlineData("[1, 2]", "model.params")]
    [InlineData("model: 1", "model.params")]
    [InlineData("model: {params: {parameterization: x0}}", "'parameterization' is \"x0\", not \"v\" or \"eps\"")]
    [InlineData("model: {params: {parameterization: [v]}}", "'parameterization' is a list or mapping")]
    [InlineData("model: {params: {unet_config: {params: {context_dim: 768}}}}", "'context_dim' is 768, but the UNet's context")]
    [InlineData("model: {params: {unet_config: {params: {context_dim: many}}}}", "'context_dim' is \"many\", not a whole number")]
    [InlineData("model: {params: {unet_config: {params: {num_heads: 0}}}}", "'num_heads' is \"0\", not a positive number")]
    [InlineData("model: {params: {unet_config: {params: {num_heads: 99999999999}}}}", "not a whole number")]
    [InlineData("model: {params: {scale_factor: .nan}}", "'scale_factor' is \".nan\", not a positive number")]
    [InlineData("model: {params: {linear_start: 0.5, linear_end: 0.1}}", "the noise schedule cannot work")]
    [InlineData("model:\n  params:\n    a: 1\n    a: 2\n", "line 4: the name 'a' occurs twice")]
    [InlineData("model: {params: {a: *nothing}}", "the alias '*nothing' names no value")]
    [InlineData("model: &m {params: *m}", "the alias '*m' names no value")]
    [InlineData("model: {params: [}", "not yaml: line 1")]
    [InlineData("model:\n\tparams: 1", "not yaml: line")]
    [InlineData("\0\u0001\u0002", "model.params")]
    [InlineData("%YAML 9.9\n---\nmodel: 1", "not yaml")]
    public void Open_BadYaml_NamesTheFileAndTheFault(string yaml, string expected)
    {
        var fault = Assert.Throws<InvalidFileException>(() => Open(yaml));
        Assert.Contains(expected, fault.Fault, StringComparison.Ordinal);
        Assert.Equal(_folder.File("model.yaml"), fault.Path);
    }

    [Fact]
    public void Open_YamlBomb_IsAsSmallAsItsText()
    {
        // A billion laughs: each name stands for ten of the one before. Nothing is copied, so it is a small file like any other.
        var bomb = new StringBuilder("a0: &a0 [lol, lol]\n");
        for (var i = 1; i < 40; i++) bomb.Append($"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 10))}]\n");
        const string Rest = "model: {params: {parameterization: v}}\n";
        using (Open(Rest)) { }
        var before = GC.GetAllocatedBytesForCurrentThread();
        using (Open(Rest)) { }
        var plain = GC.GetAllocatedBytesForCurrentThread() - before;
        using var checkpoint = Open(bomb.Append(Rest).ToString());
        Assert.Equal(ModelPrediction.V, checkpoint.Details.Prediction);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before - (2 * plain), 0, bomb.Length * 200L);
    }

    [Fact]
    public void Open_DeeplyNestedYaml_IsRefused() => AssertRefused(new string('[', 5000) + new string(']', 5000), "more than 64 deep");

    [Fact]
    public void Open_DeeplyIndentedYaml_IsRefused() =>
        AssertRefused(string.Concat(Enumerable.Range(0, 200).Select(depth => new string(' ', depth) + "a:\n")), "more than 64 deep");

    [Fact]
    public void Open_YamlOfTooManyValues_IsRefused() =>
        AssertRefused(string.Concat(Enumerable.Range(0, 6000).Select(i => $"k{i}: 1\n")), "more than 10000 values");

    [Fact]
    public void Open_HugeYaml_IsRefused() => AssertRefused(new string('#', 300_000), "300000 bytes");

    [Fact]
    public void Open_MissingYaml_IsRefusedWhenNamed()
    {
        var path = _folder.File("missing.yaml");
        Assert.Equal(path, Assert.Throws<InvalidFileException>(() =>
            SingleFileCheckpoint.Open(MemoryTensorFile.Published("sd21", "unet"), new SingleFileOptions { YamlPath = path })).Path);
    }

    [Theory]
    [InlineData(ModelPrediction.V)]
    [InlineData(ModelPrediction.Epsilon)]
    public void Text_WrittenForSd2_IsReadBack(ModelPrediction prediction)
    {
        using var checkpoint = Open(SidecarYamlWriter.Text(prediction, UNetOptions.Sd21, VaeOptions.Sd15));
        Assert.Equal(prediction, checkpoint.Details.Prediction);
        Assert.Equal(UNetOptions.Sd21.AttentionHeads, checkpoint.UNet.Options.AttentionHeads);
        Assert.Equal(SchedulerOptions.Sd21 with { Prediction = prediction },
            checkpoint.Scheduler);
    }

    [Fact]
    public void Text_OfThePublishedModel_HasTheKeysOfStabilitysFile()
    {
        var text = SidecarYamlWriter.Text(ModelPrediction.V, UNetOptions.Sd21, VaeOptions.Sd15);
        foreach (var line in (string[])
        [
            "parameterization: \"v\"", "use_fp16: true", "in_channels: 4", "model_channels: 320", "attention_resolutions: [4, 2, 1]",
                "channel_mult: [1, 2, 4, 4]",
            "num_head_channels: 64", "use_linear_in_transformer: true", "transformer_depth: 1", "context_dim: 1024",
                "scale_factor: 0.18215", "ch_mult: [1, 2, 4, 4]",
            "target: ldm.modules.encoders.modules.FrozenOpenCLIPEmbedder", "layer: \"penultimate\"",
        ])
            Assert.Contains(line + "\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("norm_num_groups", text, StringComparison.Ordinal);
        Assert.DoesNotContain("parameterization", SidecarYamlWriter.Text(ModelPrediction.Epsilon, UNetOptions.Sd21, VaeOptions.Sd15),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Text_OfATinySd1Model_TellsHeadsAndGroups()
    {
        var text = SidecarYamlWriter.Text(
            ModelPrediction.Epsilon, UNetOptions.Tiny, VaeOptions.Tiny, SchedulerOptions.Sd15, ModelVersion.Sd1);
        Assert.Contains("num_heads: 8\n", text, StringComparison.Ordinal);
        Assert.Contains("norm_num_groups: 8\n", text, StringComparison.Ordinal);
        Assert.EndsWith("target: ldm.modules.encoders.modules.FrozenCLIPEmbedder\n", text, StringComparison.Ordinal);
    }

    private void AssertRefused(string yaml, string expected) =>
        Assert.Contains(expected, Assert.Throws<InvalidFileException>(() => Open(yaml)).Fault, StringComparison.Ordinal);

    private SingleFileCheckpoint Open(string yaml) => SingleFileCheckpoint.Open(Sd21(yaml));

    private MemoryTensorFile Sd21(string yaml)
    {
        File.WriteAllText(_folder.File("model.yaml"), yaml);
        var file = new MemoryTensorFile { Path = _folder.File("model.safetensors") };
        foreach (var info in MemoryTensorFile.Published("sd21", "unet").Tensors) file.Add(info.Name, [.. info.Shape]);
        return file;
    }
}
