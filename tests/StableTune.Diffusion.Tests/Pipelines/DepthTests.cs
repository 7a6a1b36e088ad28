using StableTune.Checkpoints;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

/// <summary>Models with 5 input channels, with random weights: no small one is published.</summary>
public sealed class DepthTests : IDisposable
{
    private static readonly TextToImageOptions s_options = new() { Prompt = "a cat", Width = 64, Height = 64, Steps = 2 };

    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TemporaryFolder _folder = new();
    private readonly StableDiffusionModel _plain, _model;

    public DepthTests()
    {
        _plain = ModelLoader.Load(FixtureModels.TinySd15(_folder));
        manual_seed(1);
        _model = new StableDiffusionModel(new ModelComponents
        {
            UNet = new UNet2DConditionModel(UNetOptions.Tiny with { InChannels = 5 }), Vae = _plain.Vae, TextEncoder = _plain.TextEncoder,
            Tokenizer = _plain.Tokenizer,
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
    public void Call_JoinsLatentsAndMap()
    {
        using var frozen = no_grad();
        var (latents, map) = (randn(2, 4, 8, 8), rand(1, 1, 8, 8));
        var (times, context) = (tensor(new[] { 5L, 700L }), randn(2, 77, 48));
        var byHand = _model.UNet.call(cat([latents, cat([map, map], 0)], 1), times, context);
        GoldenComparison.AssertClose("prediction", byHand,
            _model.UNet.call(latents, times, new UNetConditions(context) { Depth = new DepthInput(map) }), 0);
    }

    [Fact]
    public void From_StretchesEachMapByItsOwnRange()
    {
        var far = linspace(3, 4, 64, dtype: ScalarType.Float32).view(1, 1, 8, 8);
        var map = DepthInput.From(cat([far, far * 100 - 7], 0), 8, 8).Map;
        GoldenComparison.AssertClose("first", linspace(-1, 1, 64, dtype: ScalarType.Float32).view(1, 1, 8, 8), map[..1], 1e-5);
        GoldenComparison.AssertClose("second", map[..1], map[1..], 1e-5);
    }

    [Fact]
    public void From_ResizesBeforeItStretches_AndAFlatMapIsFinite()
    {
        var map = DepthInput.From(rand(2, 1, 40, 24), 5, 3).Map;
        Assert.Equal([2L, 1, 5, 3], map.shape);
        Assert.All(map.amin([1L, 2, 3]).Elements<float>().ToArray(), value => Assert.Equal(-1, value, 1e-6f));
        Assert.All(map.amax([1L, 2, 3]).Elements<float>().ToArray(), value => Assert.Equal(1, value, 1e-6f));
        Assert.All(DepthInput.From(full(1, 1, 16, 16, 0.4f), 2, 2).Map.Elements<float>().ToArray(), value => Assert.Equal(-1, value));
    }

    [Fact]
    public void From_OtherShapes_AreRefused()
    {
        Assert.Contains("[1, 3, 8, 8]", Assert.Throws<ArgumentException>(() => DepthInput.From(zeros(1, 3, 8, 8), 1, 1)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => DepthInput.From(zeros(1, 1, 8, 8), 0, 1));
    }

    [Fact]
    public void Generate_TheMap_DecidesWhatIsDrawn()
    {
        var pipeline = new TextToImagePipeline(_model);
        var options = s_options with { DepthMap = Ramp(64, 64, false) };
        var picture = pipeline.Generate(options);
        Assert.Equal(picture.Pixels, pipeline.Generate(options).Pixels);
        Assert.NotEqual(picture.Pixels, pipeline.Generate(options with { DepthMap = Ramp(64, 64, true) }).Pixels);
        Assert.Equal(picture.Size, pipeline.Generate(options with { DepthMap = Ramp(30, 50, true) }).Size);
    }

    [Fact]
    public void Generate_MapMissingOrNotWanted_IsNamed()
    {
        string Problem(StableDiffusionModel model, TextToImageOptions options) => Assert.Single(
            Assert.Throws<InvalidOptionsException>(() => new TextToImagePipeline(model).Generate(options)).Problems).ToString();
        Assert.StartsWith("TextToImageOptions.DepthMap is not set: a depth model draws by a depth map.", Problem(_model, s_options));
        Assert.Contains("takes no depth map", Problem(_plain, s_options with { DepthMap = Ramp(8, 8, false) }));
    }

    /// <summary>From black to white, left to right or top to bottom.</summary>
    private static PixelImage Ramp(int width, int height, bool down)
    {
        var pixels = new byte[3 * width * height];
        for (var i = 0; i < width * height; i++)
            pixels.AsSpan(3 * i, 3).Fill((byte)(down ? i / width * 255 / height : i % width * 255 / width));
        return new PixelImage(width, height, 3, pixels);
    }
}
