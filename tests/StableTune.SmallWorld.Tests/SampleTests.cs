using StableTune.Checkpoints;
using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.SmallWorld.Tests;

/// <summary>The samples, run as a reader runs them, with few steps.</summary>
public sealed class SampleTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Quickstart_Trains_Measures_AndWritesWhatItSays()
    {
        var steps = Exhaustive.IsOn ? 300 : 4;
        var text = Run("Quickstart", 0, "--steps", $"{steps}", "--prompts", Exhaustive.IsOn ? "24" : "2", "--out", _folder.File("out"));
        Assert.Contains($"Trained {steps} steps", text);
        Assert.Contains("prompts for hearts:", text);
        Assert.Equal(8, Directory.GetFiles(_folder.File("out", "images", "6_heart"), "*.png").Length);
        foreach (var file in new[] { "heart.safetensors", "loss.png", "log.jsonl", "sheet.png" })
        {
            Assert.True(File.Exists(_folder.File("out", file)), file);
            if (file != "log.jsonl") Assert.Contains(file, text);
        }

        using var adapter = SafetensorsFile.Open(_folder.File("out", "heart.safetensors"));
        Assert.Equal("16", adapter.Metadata["ss_network_dim"]);
    }

    [Theory]
    [InlineData("--stepps", "4")]
    [InlineData("--steps", "many")]
    [InlineData("--steps", "0")]
    [InlineData("--out")]
    public void Quickstart_ArgumentsThatAreNone_AreRefused(params string[] arguments) =>
        Assert.Contains("Usage: quickstart.sh", Run("Quickstart", 2, arguments));

    [Fact]
    public void DreamBooth_DrawsItsClassImages_AndSavesAModel()
    {
        var text = Run("DreamBooth", 0, "2", "1", _folder.File("out"));
        Assert.Contains("prompts for the subject:", text);
        Assert.Equal(16, Directory.GetFiles(_folder.File("out", "class"), "*.png", SearchOption.AllDirectories).Length);
        using var model = ModelLoader.Load(_folder.File("out", "model"));
        Assert.True(File.Exists(_folder.File("out", "sheet.png")));
    }

    [Fact]
    public void TextualInversion_SavesTwoVectors()
    {
        var text = Run("TextualInversion", 0, "2", "1", _folder.File("out"));
        Assert.Contains("prompts for a lemon:", text);
        using var word = SafetensorsFile.Open(_folder.File("out", "lemon.safetensors"));
        Assert.Equal([2, 64], word.Tensors.Single().Shape);
        Assert.True(File.Exists(_folder.File("out", "sheet.png")));
    }

    [Fact]
    public void FromScratch_Quick_GoesThroughAllStages_AndSkipsThoseThatAreThere()
    {
        var text = Run("FromScratch", 0, "--quick", "--out", _folder.File("out"), "--prompts", "2");
        Assert.Contains("of 2 pictures show what the prompt says", text);
        using (var model = ModelLoader.Load(_folder.File("out", "model")))
            Assert.NotEqual(0.18215, model.Vae.Options.ScalingFactor);
        Directory.Delete(_folder.File("out", "model"), recursive: true);
        var before = File.GetLastWriteTimeUtc(_folder.File("out", "vae.jsonl"));
        Assert.Contains("2/2", Run("FromScratch", 0, "--quick", "--out", _folder.File("out"), "--prompts", "1"));
        Assert.Equal(before, File.GetLastWriteTimeUtc(_folder.File("out", "vae.jsonl")));
        Assert.Contains("nothing", Run("FromScratch", 2, "--measure", _folder.File("nothing")));
        Assert.Contains("Usage", Run("FromScratch", 2, "--prompts", "0"));
    }

    private static string Run(string sample, int exitCode, params string[] arguments)
    {
        var (code, text) = SampleProgram.Run(sample, arguments).GetAwaiter().GetResult();
        Assert.True(code == exitCode, $"{sample} ended with {code}:\n{text}");
        return text;
    }
}
