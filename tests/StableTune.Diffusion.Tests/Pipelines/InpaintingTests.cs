using StableTune.Checkpoints;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

/// <summary>Models with 9 input channels, with random weights: no small one is published.</summary>
public sealed class InpaintingTests : IDisposable
{
    private static readonly TextToImageOptions s_options = new() { Prompt = "a cat", Width = 64, Height = 64, Steps = 2 };

    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TemporaryFolder _folder = new();
    private readonly StableDiffusionModel _plain, _model;

    public InpaintingTests()
    {
        _plain = ModelLoader.Load(FixtureModels.TinySd15(_folder));
        manual_seed(1);
        var unet = new UNet2DConditionModel(UNetOptions.Tiny with { InChannels = 9 });
        _model = new StableDiffusionModel(new ModelComponents
        {
            UNet = unet, Vae = _plain.Vae, TextEncoder = _plain.TextEncoder, Tokenizer = _plain.Tokenizer,
        });
    }

    public void Dispose()
    {
        _model.UNet.Dispose();
        _plain.Dispose();
        _scope.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Call_JoinsLatentsMaskAndMaskedLatents()
    {
        using var frozen = no_grad();
        var (latents, mask, masked) = (randn(2, 4, 8, 8), randint(0, 2, [1, 1, 8, 8]).to(ScalarType.Float32), randn(1, 4, 8, 8));
        var (times, context) = (tensor(new[] { 5L, 700L }), randn(2, 77, 48));
        var byHand = _model.UNet.call(cat([latents, cat([mask, mask], 0), cat([masked, masked], 0)], 1), times, context);
        var joined = _model.UNet.call(latents, times, new UNetConditions(context) { Inpainting = new InpaintingInput(mask, masked) });
        GoldenComparison.AssertClose("prediction", byHand, joined, 0);
        Assert.Equal([2L, 4, 8, 8], joined.shape);
    }

    [Fact]
    public void From_MasksThePictureAndShrinksTheMask()
    {
        using var frozen = no_grad();
        var pixels = rand(1, 3, 64, 64) * 2 - 1;
        var mask = zeros(1, 1, 64, 64);
        mask.narrow(2, 16, 24).fill_(0.75);
        var input = InpaintingInput.From(_model.Vae, pixels, mask);
        Assert.Equal([1L, 1, 8, 8], input.Mask.shape);
        var rows = input.Mask[0, 0].sum(1);
        Assert.Equal([0f, 0, 8, 8, 8, 0, 0, 0], GoldenComparison.Floats(rows));
        var kept = pixels.clone();
        kept.narrow(2, 16, 24).fill_(0);
        GoldenComparison.AssertClose("latents", _model.Vae.Encode(kept).Mean * 0.18215, input.MaskedLatents, 1e-6);
    }

    [Fact]
    public void From_MaskOfAnotherSize_SaysSo()
    {
        var error = Assert.Throws<ArgumentException>(() => InpaintingInput.From(_model.Vae, zeros(1, 3, 64, 64), zeros(1, 1, 32, 64)));
        Assert.Contains("[1, 1, 32, 64]", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Generate_PictureAndMask_DecideWhatIsDrawn()
    {
        var pipeline = new TextToImagePipeline(_model);
        var options = s_options with { Inpainting = new InpaintingSource(Grey(200), Grey(255)) };
        var picture = pipeline.Generate(options);
        Assert.Equal(picture.Pixels, pipeline.Generate(options).Pixels);
        Assert.NotEqual(picture.Pixels, pipeline.Generate(options with { Inpainting = new InpaintingSource(Grey(200), Grey(0)) }).Pixels);
        // Where everything is masked the picture does not matter.
        Assert.Equal(picture.Pixels, pipeline.Generate(options with { Inpainting = new InpaintingSource(Grey(20), Grey(255)) }).Pixels);
    }

    [Fact]
    public void Generate_WithoutPicture_AsksForOne()
    {
        var error = Assert.Throws<InvalidOptionsException>(() => new TextToImagePipeline(_model).Generate(s_options));
        Assert.Contains("paints into a picture", Assert.Single(error.Problems).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Generate_SizeUnset_IsThePictures()
    {
        var options = s_options with { Width = null, Height = null, Inpainting = new InpaintingSource(Grey(200), Grey(255)) };
        Assert.Empty(options.Validate());
        Assert.Equal(new PixelSize(64, 64), new TextToImagePipeline(_model).Generate(options).Size);
    }

    [Fact]
    public void Validate_PictureOfAnotherSize_IsNamed()
    {
        var options = s_options with { Width = 72, Inpainting = new InpaintingSource(Grey(200), Grey(255)) };
        Assert.Equal("TextToImageOptions.Inpainting", Assert.Single(options.Validate()).Option);
    }

    private static PixelImage Grey(byte value)
    {
        var pixels = new byte[3 * 64 * 64];
        Array.Fill(pixels, value);
        return new PixelImage(64, 64, 3, pixels);
    }
}
