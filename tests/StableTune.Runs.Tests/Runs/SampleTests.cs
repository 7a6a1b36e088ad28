using StableTune.Adapters;
using StableTune.Imaging;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Tests;

/// <summary>Pictures drawn in a run: when, under which names, and that they change nothing.</summary>
public sealed class SampleTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Folder => _folder.File("samples");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_WithSamples_WritesThemBeforeAndAfter_WithNamesSheetAndParameters()
    {
        var result = Tiny().WithSamples(Two with { Name = "frogs" }).Train();
        Assert.Equal(
        [
            "frogs_000000_00_20260304050607_5.png", "frogs_000000_01_20260304050607_0.png", "frogs_contact-sheet.png",
            "frogs_000003_00_20260304050607_5.png", "frogs_000003_01_20260304050607_0.png", "frogs_contact-sheet.png",
        ], result.Samples.Select(Path.GetFileName));
        Assert.All(result.Samples, s => Assert.Equal(Folder, Path.GetDirectoryName(s)));

        Assert.All(result.Samples.Where(s => !s.Contains("sheet", StringComparison.Ordinal)), s =>
            Assert.Equal(new PixelSize(64, 64), ImageFile.Load(s).Size));
        var text = PngText.Read(result.Samples[0])["parameters"];
        Assert.StartsWith("a frog\nNegative prompt: a fly\nSteps: 2, Sampler: ", text, StringComparison.Ordinal);
        Assert.Contains("CFG scale: 7.5, Seed: 5, Size: 64x64", text);
        var sheet = ImageFile.Load(result.Samples[^1]);
        Assert.True(sheet.Width > 128 && sheet.Height > 128, $"{sheet.Size}");
    }

    [Fact]
    public void Train_WithoutAName_NamesBeginWithTheMoment()
    {
        var result = Tiny().For(TrainingLength.Steps(1)).WithSamples(Folder, One).Train();
        Assert.Equal(["000000_00_20260304050607_0.png", "contact-sheet.png", "000001_00_20260304050607_0.png", "contact-sheet.png"],
            result.Samples.Select(Path.GetFileName));
    }

    [Fact]
    public void Train_SeveralPicturesOfAPrompt_AreAllDrawn_EachWithItsSeed()
    {
        var result = Tiny().For(TrainingLength.Steps(1)).WithSamples(Folder, One with { ImageCount = 2, Seed = 7 }).Train();
        Assert.Equal(["000000_00_20260304050607_7.png", "000000_00_20260304050607_8.png", "contact-sheet.png"],
            result.Samples.Take(3).Select(Path.GetFileName));
        Assert.NotEqual(File.ReadAllBytes(result.Samples[0]), File.ReadAllBytes(result.Samples[1]));
    }

    [Fact]
    public void Train_CaptionsAsPrompts_AreThoseOfTheImages()
    {
        var result = SmallRun.Builder(_folder).For(TrainingLength.Steps(1)).WithSamples(new SampleOptions
        {
            Folder = Folder, After = false, CaptionCount = 2, Captions = One with { Seed = 3 },
        }).Train();
        Assert.Equal(["3", "4"], result.Samples.Take(2).Select(file => Path.GetFileNameWithoutExtension(file).Split('_')[^1]));
        string[] prompts = [.. result.Samples.Take(2).Select(file => PngText.Read(file)["parameters"].Split('\n')[0])];
        Assert.Equal(2, prompts.Distinct().Count());
        Assert.All(prompts, prompt => Assert.StartsWith("sls frog", prompt, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(null, "Clip skip: 2")]
    [InlineData(1, "Model: shallow-sd15")]
    public void Train_Samples_UseTheLayerThatIsTrainedWith_UnlessTheySayAnother(int? clipSkip, string end)
    {
        var result = Tiny().WithClipSkip(2).For(TrainingLength.Steps(1)).WithSamples(Folder, One with { ClipSkip = clipSkip }).Train();
        Assert.EndsWith(end, PngText.Read(result.Samples[0])["parameters"], StringComparison.Ordinal);
    }

    [Fact]
    public void Train_WithSamples_LearnsWhatItLearnsWithout()
    {
        // Both parts are trained and dropouts draw: any shared generator would show.
        var options = new LoRAOptions { Rank = 2, Dropout = 0.2, ModuleDropout = 0.1 };
        TrainerBuilder Builder(string name) =>
            SmallRun.Builder(_folder, TinyRun.Output(_folder, name)).WithBatchSize(1).WithCachedLatents(false);
        var plain = new Trainer(Builder("plain").Plan with { Trainables = [new AdapterTrainableOptions { Adapter = options }] }).Train();
        var drawn = new Trainer(Builder("drawn")
            .WithSamples(Two with { EveryNSteps = 1 }).Plan with { Trainables = [new AdapterTrainableOptions { Adapter = options }] })
            .Train();
        Assert.Equal(plain.Losses, drawn.Losses);
        Assert.Equal(TinyRun.Weights(plain.Files[0]), TinyRun.Weights(drawn.Files[0]));
        Assert.Equal(4 * 3, drawn.Samples.Count);
    }

    [Fact]
    public void Train_Samples_ShowWhatWasLearnt_AndAreTheSameForTheSameWeights()
    {
        var result = Tiny().WithLearningRate(1e-1).For(TrainingLength.Steps(2)).WithSamples(Folder, One).Train();
        Assert.NotEqual(ImageFile.Load(result.Samples[0]).Pixels, ImageFile.Load(result.Samples[2]).Pixels);
        var again = Tiny().WithLearningRate(1e-1).For(TrainingLength.Steps(2)).WithSamples(_folder.File("again"), One).Overwrite().Train();
        Assert.Equal(ImageFile.Load(result.Samples[2]).Pixels, ImageFile.Load(again.Samples[2]).Pixels);
    }

    /// <summary>An adapter that acts not at all draws what the model draws; and training goes on with it as it is.</summary>
    [Fact]
    public void Train_SamplesWithAdapterStrengths_UseThem_AndChangeNothing()
    {
        TrainerBuilder Run(params TextToImageOptions[] prompts) => Tiny().WithModel(SmallRun.TinySd15(_folder)).Overwrite()
            .WithLearningRate(1e-1)
            .WithSamples(new SampleOptions { Folder = Folder, Prompts = [.. prompts], EveryNSteps = 1 });
        var result = Run(One, One with { AdapterStrengths = [0] }, One with { AdapterStrengths = [0.5] }).Train();
        byte[] Drawn(int moment, int prompt) => ImageFile.Load(result.Samples[(moment * 4) + prompt]).Pixels.ToArray();
        var untrained = Drawn(0, 0);
        Assert.NotEqual(untrained, Drawn(3, 0));
        Assert.Equal(untrained, Drawn(3, 1));
        Assert.Equal(Drawn(0, 1), Drawn(3, 1));
        Assert.NotEqual(untrained, Drawn(3, 2));
        Assert.NotEqual(Drawn(3, 1), Drawn(3, 2));
        Assert.NotEqual(Drawn(3, 0), Drawn(3, 2));
        Assert.Equal(TinyRun.Weights(Run(One).Train().Files[0]), TinyRun.Weights(TinyRun.Output(_folder)));
        Assert.Equal(result.Losses, Run(One).Train().Losses);
    }

    [Fact]
    public void AdapterStrengths_MustBeNumbers_AndAreRefusedOutsideOfATraining()
    {
        Assert.Contains("TextToImageOptions.AdapterStrengths", Assert.Throws<InvalidOptionsException>(() =>
            Tiny().WithSamples(Folder, One with { AdapterStrengths = [double.NaN] }).Build()).Message, StringComparison.Ordinal);
        using var model = Checkpoints.ModelLoader.Load(SmallRun.Model(_folder));
        Assert.Contains("SetMultiplier", Assert.Throws<InvalidOptionsException>(() =>
            new Diffusion.TextToImagePipeline(model).Generate(One with { AdapterStrengths = [1] })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, null, true, new[] { "000000", "000001", "000002", "000003" })]
    [InlineData(2, null, true, new[] { "000000", "000002", "000003" })]
    [InlineData(3, null, false, new[] { "000003" })]
    [InlineData(1, 1, true, new[] { "000000", "e000001", "000003" })]
    [InlineData(1, 2, false, new[] { "e000002" })]
    public void Train_SamplesEvery_DrawsWhenDue_EpochsGoingFirst(int? steps, int? epochs, bool ends, string[] expected)
    {
        var result = Tiny().WithSamples(
            new SampleOptions { Folder = Folder, Prompts = [One], EveryNSteps = steps, EveryNEpochs = epochs, Before = ends,
            After = ends }).Train();
        Assert.Equal(expected, result.Samples.Select(Path.GetFileName).Where(n => n != "contact-sheet.png").Select(n => n!.Split('_')[0]));
    }

    private static TextToImageOptions One => new() { Prompt = "a frog", Width = 64, Height = 64, Steps = 2 };

    private SampleOptions Two => new() { Folder = Folder,
        Prompts = [One with { NegativePrompt = "a fly", Seed = 5 }, One with { GuidanceScale = 1 }] };

    private TrainerBuilder Tiny() => TinyRun.Builder(_folder).WithClock(new ManualClock());
}
