using StableTune.Adapters;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Tests;

/// <summary>Runs off the main road: other shapes, names, prompts and models than the example's.</summary>
public sealed class VariantTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_WithDropoutsAndCheckpointing_LearnsWhatItLearnsWithoutCheckpointing()
    {
        TrainingResult Run(string name, bool checkpointing) =>
            new Trainer(TinyRun.Builder(_folder, name).WithParts(AdapterParts.All).WithGradientCheckpointing(checkpointing).Plan with
        {
            Trainables = [new AdapterTrainableOptions { Adapter = new LoRAOptions { Rank = 4, Dropout = 0.3, RankDropout = 0.2,
                ModuleDropout = 0.2 } }],
        }).Train();
        var (plain, again) = (Run("plain", false), Run("again", true));
        for (var i = 0; i < plain.Losses.Count; i++) Assert.Equal(plain.Losses[i], again.Losses[i], 1e-5);
        Assert.True(TinyRun.Weights(plain.Files[0]).Zip(TinyRun.Weights(again.Files[0])).Max(p => Math.Abs(p.First - p.Second)) < 1e-4);
        Assert.NotEqual(plain.Losses, TinyRun.Builder(_folder, "none").WithParts(AdapterParts.All).Train().Losses);
    }

    /// <summary>A pass without any adapter has no gradient; it must not end the run.</summary>
    [Fact]
    public void Train_WhenModuleDropoutLeavesEveryAdapterOut_GoesOn()
    {
        var plan = TinyRun.Builder(_folder).Plan with { Trainables = [new AdapterTrainableOptions { Adapter = new LoRAOptions { Rank = 1,
            ModuleDropout = 0.9999999 } }] };
        Assert.Equal(3, new Trainer(plan).Train().Steps);
    }

    [Fact]
    public void Train_InFoldersWithOddNames_WritesWhereItIsTold()
    {
        var images = _folder.Folder("größe 蛙 'x'", "2_zebra \"%d\" stripes");
        foreach (var image in Directory.GetFiles(TinyRun.Images(_folder), "*.png"))
            File.Copy(image, Path.Combine(images, "ü " + Path.GetFileName(image)));
        File.WriteAllText(Path.Combine(images, "ü 0.caption"), "\uFEFFein großer 🐸, \"grün\"\n");
        var output = _folder.File("größe 蛙 'x'", "out", "frösche v1.0.safetensors");
        var result = TinyRun.Bare(_folder).WithDataset(new DatasetBuilder().AddFolder(images).WithResolution(64)).SaveTo(output)
            .WithParts(AdapterParts.All).For(TrainingLength.Steps(1)).Train();
        Assert.Equal(output, result.Files[1]);
        Assert.Equal("frösche v1.0", TinyRun.Metadata(output)["ss_output_name"]);
        var tags = System.Text.Json.JsonDocument.Parse(TinyRun.Metadata(output)["ss_tag_frequency"]).RootElement.GetProperty(
            "2_zebra \"%d\" stripes");
        Assert.Equal(1, tags.GetProperty("ein großer 🐸").GetInt32());
        Assert.Equal(3, tags.GetProperty("zebra \"%d\" stripes").GetInt32());
    }

    [Fact]
    public void Train_WithoutCaptionsAtAll_IsPossible_AndWarnedOf()
    {
        var images = _folder.Folder("plain");
        File.Copy(Directory.GetFiles(TinyRun.Images(_folder), "*.png")[0], Path.Combine(images, "a.png"));
        var logger = new ListLogger();
        var result = TinyRun.Bare(_folder).WithDataset(new DatasetBuilder().AddFolder(images).WithResolution(64).WithBatchSize(4))
            .WithLogger(logger).For(TrainingLength.Steps(2)).Train();
        Assert.Equal((2, 2), (result.Steps, result.Epochs));
        Assert.Contains(logger.Entries, e => e.Id == 9 && e.Text.Contains("caption", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void Train_WideImagesRegularisationLongCaptionsAndClipSkip_IsWrittenDown()
    {
        var regularisation = _folder.Folder("reg", "1_animal");
        foreach (var image in Directory.GetFiles(TinyRun.Images(_folder), "*.png").Take(2))
            File.Copy(image, Path.Combine(regularisation, Path.GetFileName(image)));
        var result = TinyRun.Bare(_folder)
            .WithDataset(new DatasetBuilder().AddFolder(TinyRun.Images(_folder)).AddRegularizationRoot(_folder.File("reg"))
                .WithResolution(96, 64).WithBatchSize(3).WithPriorLossWeight(0.5))
            .WithClipSkip(2).WithMaxTokenLength(150).WithSamples(new SampleOptions
            {
                Folder = _folder.File("samples"), Before = false,
                Prompts = [new TextToImageOptions { Width = 96, Height = 64, Steps = 1, ClipSkip = 2, Prompt = "a (frog:1.2)" }],
            }).Train();
        var metadata = TinyRun.Metadata(result.Files[0]);
        Assert.Equal(("2", "150"), (metadata["ss_clip_skip"], metadata["ss_max_token_length"]));
        Assert.Equal(("4", "2"), (metadata["ss_num_train_images"], metadata["ss_num_reg_images"]));
        Assert.Equal("96x64", metadata["modelspec.resolution"]);
        Assert.Equal(new Imaging.PixelSize(96, 64), Imaging.ImageFile.Load(result.Samples[0]).Size);
    }

    [Fact]
    public void Train_AModelThatPredictsVelocity_TrainsTowardsIt()
    {
        var plain = TinyRun.Builder(_folder, "epsilon").Train();
        var config = Path.Combine(SmallRun.Model(_folder), "scheduler", "scheduler_config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"epsilon\"", "\"v_prediction\"", StringComparison.Ordinal));
        var result = TinyRun.Builder(_folder).Train();
        Assert.NotEqual(plain.Losses[0], result.Losses[0]);
        Assert.Equal("v", TinyRun.Metadata(result.Files[0])["modelspec.prediction_type"]);
    }
}
