using StableTune.Checkpoints;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

/// <summary>What SDXL is told of sizes, and what is ignored or refused.</summary>
public sealed class SizeConditionTests : IDisposable
{
    private static readonly TextToImageOptions s_options = new() { Prompt = "a cat", NegativePrompt = "a dog", Width = 64, Height = 96,
        Steps = 2 };

    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Encode_SizesNotSet_AreThoseDrawn()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySdxl(_folder));
        using var frozen = no_grad();
        var sizes = new TextToImagePipeline(model).Encode(s_options).Added!.TimeIds;
        Assert.Equal([96f, 64, 0, 0, 96, 64, 96, 64, 0, 0, 96, 64], GoldenComparison.Floats(sizes));
    }

    [Fact]
    public void Encode_SizesSet_ReachTheUNetHeightFirst()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySdxl(_folder));
        using var frozen = no_grad();
        var options = s_options with { GuidanceScale = 1, OriginalSize = new PixelSize(1024, 768), CropTopLeft = (8, 16),
            TargetSize = new PixelSize(512, 640) };
        Assert.Equal([768f, 1024, 8, 16, 640, 512], GoldenComparison.Floats(new TextToImagePipeline(model).Encode(options).Added!.TimeIds));
    }

    [Fact]
    public void Generate_OtherSizes_DrawsAnotherPicture()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySdxl(_folder));
        var pipeline = new TextToImagePipeline(model);
        var plain = pipeline.Generate(s_options);
        Assert.NotEqual(plain.Pixels, pipeline.Generate(s_options with { CropTopLeft = (0, 512) }).Pixels);
        Assert.Equal(plain.Pixels, pipeline.Generate(s_options with { OriginalSize = new PixelSize(64, 96) }).Pixels);
    }

    [Fact]
    public void Generate_ClipSkipOfSdxl_IsNeitherLookedAtNorWritten()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySdxl(_folder));
        var pipeline = new TextToImagePipeline(model);
        var skipped = pipeline.GenerateMany(s_options with { ClipSkip = 2 })[0];
        Assert.Equal(pipeline.Generate(s_options).Pixels, skipped.Image.Pixels);
        Assert.DoesNotContain("Clip skip", skipped.Parameters, StringComparison.Ordinal);
        Assert.Contains("Model: tiny-sdxl", skipped.Parameters, StringComparison.Ordinal);
    }

    [Fact]
    public void Generate_SizesForAModelThatIsNotTold_AreRefused()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySd15(_folder));
        var error = Assert.Throws<InvalidOptionsException>(() =>
            new TextToImagePipeline(model).Generate(s_options with { CropTopLeft = (0, 8) }));
        Assert.Contains("only SDXL", Assert.Single(error.Problems).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Validate_ImpossibleSizes_AreNamed()
    {
        var options = s_options with { OriginalSize = new PixelSize(0, 5), TargetSize = new PixelSize(5, -1), CropTopLeft = (-1, 0) };
        Assert.Equal(
            ["TextToImageOptions.OriginalSize", "TextToImageOptions.TargetSize", "TextToImageOptions.CropTopLeft"],
                options.Validate().Select(problem => problem.Option));
    }
}
