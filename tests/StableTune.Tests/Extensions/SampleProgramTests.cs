using StableTune.Testing;

namespace StableTune.Tests.Extensions;

/// <summary>The samples do what they show.</summary>
public sealed class SampleProgramTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Datasets_ReportsChecksShowsAndTrains_AndASecondRunFindsTheLatents()
    {
        var first = await SampleProgram.Run("Datasets", "--steps", "2", "--out", _folder.File("out"));
        Assert.True(first.ExitCode == 0, first.Text);
        Assert.Contains("22 images, 36 with repeats", first.Text);
        Assert.Contains("16 images: 0 errors", first.Text);
        Assert.Contains("after step 2 the loss on held-out images is", first.Text);
        Assert.Contains("caching latents 22/22", first.Text);
        Assert.Contains("the head of an sls frog", File.ReadAllText(_folder.File("out", "preview.html")));
        Assert.NotEmpty(Directory.GetFiles(_folder.File("out", "cache"), "*", SearchOption.AllDirectories));
        using (var file = Formats.SafetensorsFile.Open(_folder.File("out", "frog.safetensors")))
            Assert.Equal("2", file.Metadata["ss_steps"]);

        var second = await SampleProgram.Run("Datasets", "--steps", "2", "--out", _folder.File("out"));
        Assert.True(second.ExitCode == 0, second.Text);
        Assert.Contains("caching latents 8/8", second.Text);                 // only those in memory
        string Measured(string text) => text.Split('\n').Last(line => line.StartsWith("after step", StringComparison.Ordinal));
        Assert.Equal(Measured(first.Text), Measured(second.Text));
    }

    [Fact]
    public async Task Datasets_WithWrongArguments_SaysHowItIsCalled()
    {
        var wrong = await SampleProgram.Run("Datasets", "--step", "2");
        Assert.Equal(2, wrong.ExitCode);
        Assert.Contains("--steps N", wrong.Text);
    }

    [Fact]
    public async Task Script_OfOneFile_Trains()
    {
        var (exitCode, text) = await SampleProgram.RunScript(Path.Combine("Script", "train.cs"), SmallRun.Model(_folder),
            SmallRun.Images(_folder), _folder.File("out"), "2", "64");
        Assert.True(exitCode == 0, text);
        Assert.Contains("2 steps, average loss ", text);
        Assert.Contains("badge finished", File.ReadAllText(_folder.File("out", "report.html")));
        using var file = Formats.SafetensorsFile.Open(_folder.File("out", "lora.safetensors"));
        Assert.Equal("2", file.Metadata["ss_steps"]);
    }
}
