using StableTune.Models;
using StableTune.Testing;
using StableTune.Torch;

namespace StableTune.Checkpoints.Tests;

/// <summary>Model folders of ppdiffusers: the same model as the folder of diffusers that they were made of.</summary>
public sealed class PaddleModelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Load_GivesTheSameWeights_AndTheSameConfiguration(bool oldText)
    {
        var path = FixtureModels.TinySd15(_folder);
        using var expected = ModelLoader.Load(path);
        var details = expected.Details!;
        PaddleFolders.Convert(path, oldText);
        using var actual = ModelLoader.Load(path);
        AssertSame(expected, actual);
        Assert.Equal(((ClipTextModel)expected.TextEncoder).Options with { EndTokenId = 2 },
            ((ClipTextModel)actual.TextEncoder).Options with { EndTokenId = 2 });
        Assert.Equal((details.Version, details.Prediction), (actual.Details!.Version, actual.Details.Prediction));
        Assert.Contains(actual.Details.Notes, note => note.Contains("PaddlePaddle", StringComparison.Ordinal));
        Assert.Equal(ModelFingerprint.Of(expected).Version, ModelFingerprint.Of(actual).Version);
    }

    [Fact]
    public void Load_Sd2_TurnsItsLinearProjectionsToo()
    {
        var path = FixtureModels.TinySd21V(_folder);
        using var expected = ModelLoader.Load(path);
        PaddleFolders.Convert(path, oldText: true);
        using var actual = ModelLoader.Load(path);
        AssertSame(expected, actual);
    }

    [Fact]
    public void Load_AddedTokens_AreReadFromTheTokenizersFolder()
    {
        var path = FixtureModels.TinySd15(_folder);
        PaddleFolders.Convert(path);
        File.WriteAllText(Path.Combine(path, "tokenizer", "added_tokens.json"), "{\"<frog>\": 999}");
        using var model = ModelLoader.Load(path, new ModelLoadOptions { Parts = ModelParts.TextEncoder });
        Assert.Equal(999, model.Tokenizer.EncodeBody("a <frog>")[^1]);
    }

    [Fact]
    public void Save_WritesAModelOfDiffusers()
    {
        var path = FixtureModels.TinySd15(_folder);
        using var expected = ModelLoader.Load(path);
        PaddleFolders.Convert(path);
        using var model = ModelLoader.Load(path);
        var saved = model.SaveAs(_folder.File("saved"));
        var index = File.ReadAllText(Path.Combine(saved.Path, "model_index.json"));
        Assert.DoesNotContain("paddle", index);
        Assert.DoesNotContain("ppdiffusers", index);
        Assert.True(File.Exists(Path.Combine(saved.Path, "text_encoder", "config.json")));
        using var again = ModelLoader.Load(saved.Path);
        AssertSame(expected, again);
        Assert.DoesNotContain(again.Details!.Notes, note => note.Contains("PaddlePaddle", StringComparison.Ordinal));
    }

    [Fact]
    public void Check_WhatIsWrong_NamesFileAndTensor()
    {
        var path = FixtureModels.TinySd15(_folder);
        PaddleFolders.Convert(path);
        var config = Path.Combine(path, "text_encoder", "model_config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"text_layers\":5", "\"text_layers\":6", StringComparison.Ordinal));
        var problem = Assert.Single(ModelLoader.Check(path)).ToString();
        Assert.Contains("model_state.pdparams", problem);
        Assert.Contains("layers.5", problem);
        File.WriteAllText(config,
            File.ReadAllText(config).Replace("\"text_layers\":6", "\"text_layers\":\"six\"", StringComparison.Ordinal));
        Assert.Contains("model_config.json", Assert.Single(ModelLoader.Check(path)).ToString());
    }

    [Theory]
    [InlineData("clip.text_model.ln_final.bias", "text_model.final_layer_norm.bias")]
    [InlineData("text_model.transformer.layers.11.norm2.weight", "text_model.encoder.layers.11.layer_norm2.weight")]
    [InlineData("text_model.encoder.layers.3.mlp.fc1.weight", "text_model.encoder.layers.3.mlp.fc1.weight")]
    [InlineData("text_projection", "text_projection.weight")]
    [InlineData("down_blocks.0.resnets.0.norm1.weight", "down_blocks.0.resnets.0.norm1.weight")]
    public void Name_IsThatOfTransformers(string paddle, string expected) => Assert.Equal(expected, PaddleWeights.Name(paddle));

    private static void AssertSame(StableDiffusionModel expected, StableDiffusionModel actual)
    {
        using var scope = NewDisposeScope();
        foreach (var (one, other) in new (nn.Module, nn.Module)[]
            { (expected.UNet, actual.UNet), (expected.Vae, actual.Vae), (expected.TextEncoder, actual.TextEncoder) })
        {
            var others = ModuleTensors.Named(other).ToDictionary(entry => entry.Key, entry => entry.Value);
            Assert.All(ModuleTensors.Named(one), entry => Assert.True(entry.Value.equal(others[entry.Key]).all().item<bool>(), entry.Key));
        }
    }
}
