using StableTune.Configuration;
using StableTune.Formats;
using StableTune.Samplers;
using StableTune.Testing;

namespace StableTune.Tests.Configuration;

/// <summary>Files of prompts as sd-scripts has them.</summary>
public sealed class SamplePromptFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Lines_WithOptions_AreRead()
    {
        var read = Read("p.txt", """
            # a comment

            masterpiece, 1girl --n low quality, bad --w 771 --h 1024 --d 1 --l 7.5 --s 28 --ss euler_a
            a dog -- and a cat --W 40 --s 5000 --am 1,0.5 --g 3 --zz 1 --d x
            """);
        var (first, second) = (read.Prompts[0], read.Prompts[1]);
        Assert.Equal(("masterpiece, 1girl", "low quality, bad", 768, 1024, 1L, 7.5, 28), (first.Prompt, first.NegativePrompt, first.Width,
            first.Height, first.Seed, first.GuidanceScale, first.Steps));
        Assert.IsType<EulerAncestralSampler>(first.Sampler);
        Assert.Equal((64, 1000, 30), (second.Width, second.Steps, new TextToImageOptions().Steps));
        Assert.Equal([true, false], read.Seeded);
        Assert.Contains(read.Notes, note => note.Contains("line 4: --zz is no option", StringComparison.Ordinal));
        Assert.Contains(read.Notes, note => note.Contains("line 4: --d is \"x\", which is no whole number", StringComparison.Ordinal));
        Assert.Equal([1, 0.5], second.AdapterStrengths);
        Assert.Empty(first.AdapterStrengths);
        Assert.Contains(read.Notes, note => note.Contains("--g has no effect", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("p.txt", "a frog --am 1,half")]
    [InlineData("p.txt", "a frog --am")]
    [InlineData("p.json", """[{"prompt": "a frog", "adapter_multipliers": "x"}]""")]
    public void Strengths_ThatAreNoNumbers_AreTold_AndNotUsed(string name, string text)
    {
        var read = Read(name, text);
        Assert.Empty(Assert.Single(read.Prompts).AdapterStrengths);
        Assert.Contains("which are no numbers: adapters act as they are trained", Assert.Single(read.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Strengths_InATable_AreATextOrANumber() => Assert.Equal([0.7, 0.25, 1], Read("p.json",
        """[{"prompt": "a", "adapter_multipliers": 0.7}, {"prompt": "b", "adapter_multipliers": "0.25,1"}]""").Prompts
        .SelectMany(prompt => prompt.AdapterStrengths));

    /// <summary>A control picture lies beside the file, and gets the size that is drawn.</summary>
    [Fact]
    public void ControlPictures_AreLoaded_InTheSizeThatIsDrawn()
    {
        Imaging.ImageFile.SavePng(_folder.File("edges.png"), new Imaging.Canvas(70, 50, Imaging.PixelColor.FromRgb(0x808080)).Image);
        var read = Read("p.txt", "a frog --cn edges.png\na dog --cn edges.png --w 128 --h 64\na cat --cn missing.png");
        Assert.Equal([(64, 64), (128, 64), (null, null)], read.Prompts.Select(prompt =>
            (prompt.ControlImage?.Width, prompt.ControlImage?.Height)));
        Assert.Equal([64, 128, null], read.Prompts.Select(prompt => prompt.Width));
        Assert.Contains(read.Notes, note => note.Contains("--cn is \"missing.png\", which is no file", StringComparison.Ordinal));
    }

    [Fact]
    public void Toml_WithDefaults_IsRead()
    {
        var read = Read("p.toml", """
            [prompt]
            width = 512
            sample_steps = 20
            scale = 6
            negative_prompt = "bad"

            [[prompt.subset]]
            prompt = "a frog"
            seed = 3

            [[prompt.subset]]
            prompt = "a dog"
            width = 640
            sample_sampler = "nosuch"
            """);
        Assert.Equal([("a frog", 512, 20, 6.0, "bad", 3L), ("a dog", 640, 20, 6.0, "bad", 0L)], read.Prompts.Select(prompt =>
            (prompt.Prompt, prompt.Width!.Value, prompt.Steps, prompt.GuidanceScale, prompt.NegativePrompt, prompt.Seed)));
        Assert.Contains(read.Notes, note => note.Contains("no known sampler", StringComparison.Ordinal));
    }

    [Fact]
    public void Json_OfTextsAndTables_IsRead()
    {
        var read = Read("p.json", """["a frog --s 5", {"prompt": "a dog", "sample_steps": 6, "seed": 2}]""");
        Assert.Equal([("a frog", 5), ("a dog", 6)], read.Prompts.Select(prompt => (prompt.Prompt, prompt.Steps)));
        Assert.Equal([false, true], read.Seeded);
    }

    [Theory]
    [InlineData("p.txt", "# nothing", "holds no prompt")]
    [InlineData("p.toml", "prompt = 1", "[[prompt.subset]]")]
    [InlineData("p.json", "{}", "no list")]
    [InlineData("p.json", "[1]", "neither a text nor a table")]
    [InlineData("p.doc", "a", "endings")]
    public void BrokenFiles_AreTold(string name, string text, string told) =>
        Assert.Contains(told, Assert.ThrowsAny<InvalidFileException>(() => Read(name, text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Prompts_InARun_HaveTheCadenceAndSeeds()
    {
        File.WriteAllText(_folder.File("p.txt"), "a frog\na dog --d 9");
        var plan = TrainerBuilder.FromArguments([.. OptionNameTests.Base(RunScript.Network), "--sample_prompts", _folder.File("p.txt"),
            "--sample_every_n_steps", "5", "--sample_at_first", "--sample_sampler", "euler", "--output_name", "frog"]).Plan;
        Assert.Equal((5, null, true, false, "frog", Path.Combine("out", "sample")), (plan.Samples!.EveryNSteps, plan.Samples.EveryNEpochs,
            plan.Samples.Before, plan.Samples.After, plan.Samples.Name, plan.Samples.Folder));
        Assert.Equal([1L, 9L], plan.Samples.Prompts.Select(prompt => prompt.Seed));
        Assert.All(plan.Samples.Prompts, prompt => Assert.IsType<EulerSampler>(prompt.Sampler));
    }

    private SamplePromptFile.Result Read(string name, string text)
    {
        File.WriteAllText(_folder.File(name), text);
        return SamplePromptFile.Read(_folder.File(name), SamplerCatalog.Default);
    }
}
