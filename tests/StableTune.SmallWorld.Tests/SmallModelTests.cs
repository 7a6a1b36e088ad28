using StableTune.Checkpoints;
using StableTune.Diffusion;
using StableTune.Models;
using StableTune.Samples.World;
using StableTune.Testing;

namespace StableTune.SmallWorld.Tests;

/// <summary>The model that samples teach: committed, small, and able to draw what prompts say.</summary>
public class SmallModelTests
{
    private static readonly string s_folder = Path.Combine(Fixtures.Repository, "samples", "Shared", "SmallWorld");

    [Fact]
    public void Weights_TakeLessThanFiveMegabytes() =>
        Assert.InRange(Directory.GetFiles(s_folder, "*.safetensors", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length),
            1_000_000, 5_000_000);

    [Fact]
    public void Model_HasTheLayoutOfStableDiffusion1_AndItsOwnVocabulary()
    {
        using var model = ModelLoader.Load(s_folder);
        Assert.Equal((ModelVersion.Sd1, false), (model.Version, model.HasTextEncoder2));
        Assert.Equal(7, ((ClipTokenizer)model.Tokenizer).EncodeBody("two red stars on a blue background").Count);
        Assert.InRange(((ClipTokenizer)model.Tokenizer).Vocabulary.Ids.Count, 514, 1000);
    }

    [Fact]
    public void Model_DrawsWhatPromptsSay()
    {
        using var model = ModelLoader.Load(s_folder);
        var measured = Measurement.Of(new TextToImagePipeline(model), Measurement.Scenes(Exhaustive.Runs(16, 500)));
        Assert.True(measured.Right >= (Exhaustive.IsOn ? 0.8 : 0.5), measured.Describe());
    }
}
