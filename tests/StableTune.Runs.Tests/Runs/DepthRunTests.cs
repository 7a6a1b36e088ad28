using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Runs of models with five input channels: the second images are depth maps.</summary>
public sealed class DepthRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_WithDepthMaps_CachesLatents_AndTheMapsDecide()
    {
        var held = TinyRun.HeldBefore();
        var result = Builder("depth", Maps("maps", 0)).WithCachedLatents().Train();
        Assert.Equal(3, result.Losses.Count(double.IsFinite));
        Assert.Equal(held, TinyRun.HeldTensors);
        Assert.Equal(result.Losses, Builder("again", _folder.File("maps")).WithCachedLatents().Train().Losses);
        Assert.NotEqual(result.Losses, Builder("other", Maps("others", 1)).WithCachedLatents().Train().Losses);
        // Only how near places are to each other counts, not the scale.
        Assert.Equal(result.Losses, Builder("scaled", Maps("scaled", 0, 2)).WithCachedLatents().Train().Losses.Select((loss, i) =>
            Math.Abs(loss - result.Losses[i]) < 0.02 * loss ? result.Losses[i] : loss));
    }

    [Theory]
    [InlineData("model")]
    [InlineData("model.safetensors")]
    public void Train_TheWholeModel_IsSavedAsADepthModel(string name)
    {
        var plan = Builder(name, Maps("maps", 0)).Plan with { Trainables = [] };
        var result = new Trainer(plan with
        {
            Trainables = [new Trainables.ModelTrainableOptions()], Savers = [new TrainableSaver(_folder.File("out", name))],
        }).Train();
        Assert.Equal(3, result.Steps);
        using var model = ModelLoader.Load(_folder.File("out", name), new ModelLoadOptions
        {
            TokenizerPath = Path.Combine(SmallRun.TinySd15(_folder), "tokenizer"),
            ConfigurationPath = name.EndsWith(".safetensors", StringComparison.Ordinal) ? SmallRun.TinySd15(_folder) : null,
        });
        Assert.Equal((ModelKind.Depth, 5), (model.Details!.Kind, model.UNet.Options.InChannels));
    }

    [Fact]
    public void Train_DrawsSamplesByTheirMaps()
    {
        var map = new Canvas(64, 64, PixelColor.FromRgb(0)).Image;
        var prompt = new TextToImageOptions { Prompt = "a frog", Width = 64, Height = 64, Steps = 1, DepthMap = map };
        var result = Builder("drawn", Maps("maps", 0)).For(TrainingLength.Steps(1)).WithSamples(_folder.File("samples"), prompt).Train();
        Assert.NotEmpty(result.Samples);
        Assert.Equal("TextToImageOptions.DepthMap", Assert.Single(Problems(
            Builder("refused", _folder.File("maps")).WithSamples(_folder.File("samples"), prompt with { DepthMap = null }))).Option);
    }

    [Fact]
    public void Build_WithoutMaps_NamesAnImageAndTheOption()
    {
        var problem = Assert.Single(Problems(TinyRun.Builder(_folder, "without").WithModel(Model())));
        Assert.Equal("SubsetOptions.ConditioningFolder", problem.Option);
        Assert.Contains("0.png has none", problem.ToString());
        using var model = ModelLoader.Load(Model());
        Assert.Equal("SubsetOptions.ConditioningFolder",
            Assert.Single(Problems(TinyRun.Builder(_folder, "without").WithModel(model))).Option);
        var masked = Builder("masks", Maps("maps", 0), options => options with { Mask = LossMask.Conditioning });
        Assert.Equal("SubsetOptions.Mask", Assert.Single(Problems(masked)).Option);
    }

    private TrainerBuilder Builder(string name, string maps, Func<SubsetOptions, SubsetOptions>? subset = null)
    {
        var options = new SubsetOptions { ConditioningFolder = maps };
        return TinyRun.Bare(_folder, name).WithModel(Model()).WithDataset(new DatasetBuilder().WithResolution(64).WithBatchSize(2)
            .AddFolder(TinyRun.Images(_folder), subset?.Invoke(options) ?? options));
    }

    private static IReadOnlyList<OptionProblem> Problems(TrainerBuilder builder) =>
        Assert.Throws<InvalidOptionsException>(() => builder.Build()).Problems;

    /// <summary>A map for each image: a disc that is near, before a ground that is far.</summary>
    private string Maps(string name, int shift, int contrast = 1)
    {
        var folder = _folder.Folder(name);
        foreach (var image in Directory.GetFiles(TinyRun.Images(_folder), "*.png"))
        {
            var picture = new Canvas(64, 64, PixelColor.FromRgb(0x202020));
            picture.FillEllipse(32 + (16 * shift), 32, 20, 12, PixelColor.FromRgb(0x202020 + (0x303030 * contrast)));
            ImageFile.SavePng(Path.Combine(folder, Path.GetFileName(image)), picture.Image);
        }

        return folder;
    }

    private string Model()
    {
        var path = SmallRun.TinySd15(_folder);
        var config = Path.Combine(path, "unet", "config.json");
        var text = File.ReadAllText(config);
        if (text.Contains("\"in_channels\": 5", StringComparison.Ordinal)) return path;
        File.WriteAllText(config, text.Replace("\"in_channels\": 4", "\"in_channels\": 5", StringComparison.Ordinal));
        manual_seed(1);
        using var unet = new UNet2DConditionModel(UNetOptions.Tiny with { InChannels = 5 });
        StateDictWriter.Save(Path.Combine(path, "unet", "diffusion_pytorch_model.safetensors"),
            unet.state_dict().Select(entry => (entry.Key, entry.Value)).ToList(), null);
        return path;
    }
}
