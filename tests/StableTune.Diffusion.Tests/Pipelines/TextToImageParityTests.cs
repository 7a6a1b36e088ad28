using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

/// <summary>Whole generations with the tiny SD 1.x model against diffusers'. Tolerances are those of the fixtures' README.</summary>
public sealed class TextToImageParityTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly StableDiffusionModel _model;
    private readonly Golden _golden = new("txt2img", "tiny-sd15.safetensors");

    public TextToImageParityTests() => _model = ModelLoader.Load(FixtureModels.TinySd15(_folder), new ModelLoadOptions());

    private static TextToImageOptions Options(ISampler sampler) => new()
    {
        Prompt = "a photo of a cat, best quality", NegativePrompt = "blurry, lowres", Width = 64, Height = 96, Steps = 10, GuidanceScale = 7.5, Sampler = sampler,
    };

    [Fact]
    public void Encode_GivesTheContextOfBothPrompts()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        _golden.AssertClose("context", new TextToImagePipeline(_model).Encode(Options(new DdimSampler())), absolute: 1e-5);
    }

    [Theory]
    [InlineData("ddim_noclip")]
    [InlineData("euler_a")]
    public void Sample_WholeGeneration_AgreesWithReference(string run)
    {
        ISampler sampler = run == "ddim_noclip" ? new DdimSampler() : new AncestralSampler(TimestepSpacing.Linspace, 0);
        using var scope = NewDisposeScope();
        var pipeline = new TextToImagePipeline(_model);
        var options = Options(sampler);
        var expected = _golden.Floats(run + ".trajectory").Chunk(4 * 12 * 8).ToArray();
        var recorded = _golden.Has(run + ".noise") ? _golden.Tensor(run + ".noise") : null;   // [draws, B, C, h, w]
        var draws = 0;

        var latents = pipeline.Sample(options, _golden.Tensor("context"), _golden.Tensor("initial_noise"), _ => recorded!.select(0, draws++),
            step => Golden.AssertCloseToLargest(expected[step.Step - 1], Golden.Values(step.Latents), $"{run}, step {step.Step}", 1e-4));

        var pixels = new StableDiffusionParts(_model).Decode(latents).detach();
        _golden.AssertClose(run + ".decoded", pixels, absolute: 2e-4);
        AssertSamePicture(_golden.Bytes(run + ".image_uint8"), TextToImagePipeline.ToImage(pixels));
    }

    [Fact]
    public void Generate_FromPromptToPicture_LeavesModesAndTensorsAsTheyWere()
    {
        _model.UNet.train();
        _model.Vae.eval();
        var pipeline = new TextToImagePipeline(_model);
        var options = Options(new DdimSampler()) with { Steps = 2, Seed = 5 };
        var before = engine.live_tensors;
        var image = pipeline.Generate(options);
        Assert.Equal(before, engine.live_tensors);
        Assert.Equal((64, 96), (image.Width, image.Height));
        Assert.True(_model.UNet.training);
        Assert.False(_model.Vae.training);
        Assert.Equal(image.Pixels, pipeline.Generate(options).Pixels);
    }

    /// <summary>Expected [3, H, W], at most 1 of 255 away.</summary>
    private static void AssertSamePicture(byte[] expected, Imaging.PixelImage actual)
    {
        var plane = actual.Width * actual.Height;
        Assert.Equal(expected.Length, 3 * plane);
        for (var channel = 0; channel < 3; channel++)
            for (var i = 0; i < plane; i++)
                Assert.InRange(actual.Pixels[3 * i + channel] - expected[channel * plane + i], -1, 1);
    }

    public void Dispose()
    {
        _golden.Dispose();
        _model.Dispose();
        _folder.Dispose();
    }
}
