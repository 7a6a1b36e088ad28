using StableTune.Checkpoints;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Samplers;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

/// <summary>Pictures that begin with a picture, keep a part of one, are drawn in two sizes, by regions, or by several models.</summary>
public sealed class FurtherDrawingTests
{
    private static readonly TextToImageOptions s_options = new()
    {
        Prompt = "a cat", Width = 64, Height = 32, Steps = 10, GuidanceScale = 1, Seed = 5,
    };

    public static TheoryData<ISampler> Samplers =>
    [
        new DdimSampler(), new PndmSampler(), new EulerSampler(), new DpmSolverMultistepSampler(), new UniPcSampler(), new LcmSampler(),
    ];

    /// <summary>The model is first given the picture with the noise of its place in the walk, and the last steps alone are
    /// walked.</summary>
    [Theory]
    [MemberData(nameof(Samplers))]
    public void Start_BeginsWithThePicture_AtItsPlace(ISampler sampler)
    {
        using var scope = NewDisposeScope();
        var model = new KnowingModel();
        new TextToImagePipeline(model).Generate(s_options with { Sampler = sampler, Start = new(Grey(64, 32, 200)) { Strength = 0.45 } });
        var times = sampler.Times(model.Schedule, 10);
        var time = times.Timesteps[6];                                                     // 4 of 10 steps are left
        Assert.Equal(time, model.Calls[0].Time);
        var alpha = model.Schedule.AlphasCumprod[(int)time];
        using var noise = new SeededNoise([5]);
        var drawn = noise.Draw([1, 4, 4, 8], CPU).flatten()[0].item<float>();
        var x = (200 / 127.5 - 1) * Math.Sqrt(alpha) + drawn * Math.Sqrt(1 - alpha);
        if (time == Math.Floor(time)) Assert.Equal(x, model.Calls[0].First, 1e-5);
        Assert.Equal(times.Timesteps.Skip(6).Select(each => (float)each).Distinct(), model.Calls.Select(call => call.Time).Distinct());
    }

    [Fact]
    public void Start_MoreStrength_KeepsLessOfThePicture()
    {
        using var folder = new TemporaryFolder();
        using var model = ModelLoader.Load(FixtureModels.TinySd15(folder));
        var pipeline = new TextToImagePipeline(model);
        var image = Grey(64, 64, 200);
        var options = new TextToImageOptions { Prompt = "a cat", Steps = 8, Start = new(image) };
        double Distance(double strength)
        {
            var drawn = pipeline.Generate(options with { Start = new(image) { Strength = strength } });
            Assert.Equal(image.Size, drawn.Size);
            return drawn.Pixels.Zip(pipeline.Generate(options with { Start = new(image) { Strength = 0.125 } }).Pixels,
                (a, b) => Math.Abs(a - b)).Average();
        }

        Assert.Equal(0, Distance(0.125));
        Assert.True(Distance(0.25) < Distance(1));
    }

    /// <summary>A plain model paints where the mask is white; elsewhere the picture comes out as it was.</summary>
    [Theory]
    [MemberData(nameof(Samplers))]
    public void Inpainting_OfAPlainModel_PutsTheRestBack(ISampler sampler)
    {
        var model = new KnowingModel { Target = -1 };
        var mask = new PixelImage(64, 32, 3, [.. Enumerable.Range(0, 64 * 32).SelectMany(i => Rgb(i % 64 < 32 ? 255 : 0))]);
        var drawn = new TextToImagePipeline(model).Generate(s_options with { Sampler = sampler,
            Inpainting = new(Grey(64, 32, 200), mask) });
        for (var i = 0; i < 64 * 32; i++) Assert.InRange(drawn.Pixels[3 * i], i % 64 < 32 ? 0 : 199, i % 64 < 32 ? 2 : 201);
    }

    [Fact]
    public void HighResolution_DrawsSmallFirst()
    {
        var model = new KnowingModel();
        var options = s_options with { HighResolution = new() { FirstScale = 0.5, Strength = 0.7 } };
        var drawn = Assert.Single(new TextToImagePipeline(model).GenerateMany(options));
        Assert.Equal(new PixelSize(64, 32), drawn.Image.Size);
        Assert.Equal(Enumerable.Repeat("1x4x2x4", 10).Concat(Enumerable.Repeat("1x4x4x8", 7)),
            model.Calls.Select(call => string.Join('x', call.Shape)));
        Assert.Contains("Denoising strength: 0.7, Hires upscale: 2", drawn.Parameters, StringComparison.Ordinal);
    }

    [Fact]
    public void GuidanceRescale_BringsBackTheDeviation()
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(3);
        var (no, yes) = (randn([1, 4, 4, 4], generator: random), randn([1, 4, 4, 4], generator: random) * 2);
        Tensor Guided(double rescale)
        {
            using var denoiser = new GuidedDenoiser(new Fixed(cat([no, yes], 0)), new UNetConditions(zeros(2, 1, 1)), 7.5)
            {
                Rescale = rescale,
            };
            return denoiser.Predict(zeros(1, 4, 4, 4), 500);
        }

        var plain = no + (yes - no) * 7.5;
        GoldenComparison.AssertClose("not rescaled", plain, Guided(0), 1e-6);
        Assert.Equal(yes.std().item<float>(), Guided(1).std().item<float>(), 1e-4f);
        GoldenComparison.AssertClose("by 0.7", plain * (yes.std() / plain.std()) * 0.7 + plain * 0.3, Guided(0.7), 1e-5);
    }

    /// <summary>Left a region, right another, both in the middle: a place is what its prompts predict.</summary>
    [Fact]
    public void Regions_CountByTheirMasks()
    {
        using var scope = NewDisposeScope();
        PixelImage Columns(int from, int to) =>
            new(32, 8, 3, [.. Enumerable.Range(0, 32 * 8).SelectMany(i => Rgb(i % 32 >= from && i % 32 < to ? 255 : 0))]);
        var weights = PromptRegion.Weights([new("left", Columns(0, 16)), new("right", Columns(8, 20))], 1, 4, CPU);
        Assert.Equal([0, 0, 0.5f, 1], GoldenComparison.Floats(weights[0]));
        Assert.Equal([1, 0.5f, 0, 0], GoldenComparison.Floats(weights[1]));
        Assert.Equal([0, 0.5f, 0.5f, 0], GoldenComparison.Floats(weights[2]));
        var predictions = cat([zeros(2, 4, 1, 4), full([2, 4, 1, 4], 1f), full([2, 4, 1, 4], 2f), full([2, 4, 1, 4], 4f)], 0);
        using var denoiser = new GuidedDenoiser(new Fixed(predictions), new UNetConditions(zeros(4, 1, 1)), 3) { Regions = weights };
        var guided = denoiser.Predict(zeros(2, 4, 1, 4), 500);
        Assert.Equal([2L, 4, 1, 4], guided.shape);
        Assert.Equal([6f, 9, 7.5f, 3], GoldenComparison.Floats(guided[1, 2]));
    }

    [Fact]
    public void Regions_OfTheRealModel_ChangeTheirPlaces()
    {
        using var folder = new TemporaryFolder();
        using var model = ModelLoader.Load(FixtureModels.TinySd15(folder));
        var pipeline = new TextToImagePipeline(model);
        var options = new TextToImageOptions { Prompt = "a cat", Width = 64, Height = 64, Steps = 3 };
        var plain = pipeline.Generate(options).Pixels;
        var nowhere = pipeline.Generate(options with { Regions = [new("a dog", Grey(64, 64, 0))] }).Pixels;
        Assert.All(plain.Zip(nowhere), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, 1));
        var everywhere = pipeline.Generate(options with { Regions = [new("a dog", Grey(64, 64, 255))] }).Pixels;
        var dog = pipeline.Generate(options with { Prompt = "a dog" }).Pixels;
        Assert.All(dog.Zip(everywhere), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, 1));
        Assert.NotEqual(plain, everywhere);
    }

    [Fact]
    public void Stages_AreEnteredAndLeft_InTheirTimesteps()
    {
        var told = new List<string>();
        SamplingStage Stage(int from, int to) => new(from, to)
        {
            Enter = () =>
            {
                told.Add($"enter {from}");
                return new Leaving(() => told.Add($"leave {from}"));
            },
        };
        var model = new KnowingModel();
        new TextToImagePipeline(model).Generate(s_options with { Stages = [Stage(500, 700), Stage(0, 300)] });
        Assert.Equal(["enter 500", "leave 500", "enter 0", "leave 0"], told);
        Assert.Equal(10, model.Calls.Count);
    }

    [Fact]
    public void Stages_WithAnotherModel_DrawWithIt()
    {
        using var folder = new TemporaryFolder();
        using var model = ModelLoader.Load(FixtureModels.TinySd15(folder));
        using var other = ModelLoader.Load(FixtureModels.TinySd15(folder));
        using (no_grad()) other.UNet.parameters().First().mul_(1.5);
        var options = new TextToImageOptions { Prompt = "a cat", Width = 64, Height = 64, Steps = 4, Sampler = new DdimSampler() };
        var pipeline = new TextToImagePipeline(model);
        var (own, its) = (pipeline.Generate(options).Pixels, new TextToImagePipeline(other).Generate(options).Pixels);
        Assert.NotEqual(own, its);
        Assert.Equal(its, pipeline.Generate(options with { Stages = [new(0, 1000) { Model = other }] }).Pixels);
        Assert.Equal(own, pipeline.Generate(options with { Stages = [new(990, 1000) { Model = other }] }).Pixels);
        var half = pipeline.Generate(options with { Stages = [new(0, 500) { Model = other }] }).Pixels;
        Assert.NotEqual(own, half);
        Assert.NotEqual(its, half);
    }

    [Fact]
    public void Stages_WithAModelOfAnotherKind_AreRefused()
    {
        using var folder = new TemporaryFolder();
        using var model = ModelLoader.Load(FixtureModels.TinySd15(folder));
        using var other = ModelLoader.Load(FixtureModels.TinySd21V(folder));
        var error = Assert.Throws<InvalidOptionsException>(() => new TextToImagePipeline(model).Generate(
            s_options with { Stages = [new(0, 500) { Model = other }] }));
        Assert.Contains("does not fit this one", Assert.Single(error.Problems).ToString(), StringComparison.Ordinal);
    }

    public static TheoryData<TextToImageOptions, string, string> Wrong => new()
    {
        { s_options with { Start = new(Grey(32, 32, 9)) }, "Start", "a picture of 32x32" },
        { s_options with { Start = new(Grey(64, 32, 9)) { Strength = 0 } }, "Start", "above 0" },
        { s_options with { Start = new(Grey(64, 32, 9)) { Strength = 0.05 } }, "Start", "nothing would be drawn" },
        { s_options with { HighResolution = new() { FirstScale = 1 } }, "HighResolution", "between 0 and 1" },
        { s_options with { HighResolution = new() { Strength = double.NaN } }, "HighResolution", "above 0" },
        { s_options with { HighResolution = new(), Start = new(Grey(64, 32, 9)) }, "HighResolution", "draws two" },
        { s_options with { GuidanceRescale = 2 }, "GuidanceRescale", "between 0 and 1" },
        { s_options with { Regions = [new("a (cat:1.1.1)", Grey(64, 32, 9))] }, "Regions[0]", "cannot be read" },
        { s_options with { Stages = [new(500, 500)] }, "Stages", "no range" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void WrongOptions_AreNamed(TextToImageOptions options, string option, string told)
    {
        var problem = Assert.Single(options.Validate());
        Assert.Equal("TextToImageOptions." + option, problem.Option);
        Assert.Contains(told, problem.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Drawing_LeavesNoTensors()
    {
        var pipeline = new TextToImagePipeline(new KnowingModel());
        var options = s_options with
        {
            GuidanceScale = 3, GuidanceRescale = 0.5, Regions = [new("a dog", Grey(8, 8, 100))], ImageCount = 2,
        };
        void All()
        {
            pipeline.GenerateMany(options with { HighResolution = new() });
            pipeline.GenerateMany(options with { Start = new(Grey(64, 32, 9)), Inpainting = new(Grey(64, 32, 9), Grey(64, 32, 255)) });
        }

        All();
        var before = HeldTensors.Before();
        All();
        Assert.Equal(before, TensorCount.Live);
    }

    private static byte[] Rgb(int value) => [(byte)value, (byte)value, (byte)value];

    private static PixelImage Grey(int width, int height, byte value)
    {
        var pixels = new byte[3 * width * height];
        Array.Fill(pixels, value);
        return new PixelImage(width, height, 3, pixels);
    }

    private sealed class Leaving(Action leave) : IDisposable
    {
        public void Dispose() => leave();
    }

    /// <summary>Predicts the same tensor always.</summary>
    private sealed class Fixed(Tensor prediction) : ITextToImageModel
    {
        private readonly KnowingModel _model = new();

        public NoiseSchedule Schedule => _model.Schedule;

        public PredictionType Prediction => PredictionType.Epsilon;

        public ModelSampler Sampler => _model.Sampler;

        public int LatentChannels => 4;

        public int Downscale => 8;

        public int UsualSize => 64;

        public int? LargestClipSkip => null;

        public bool TakesSizes => false;

        public bool TakesMask => false;

        public int UnknownChannels => 0;

        public Device Device => CPU;

        public string? Name => null;

        public IDisposable Evaluating() => _model.Evaluating();

        public UNetConditions Encode(IReadOnlyList<string> prompts, TextToImageOptions options) => _model.Encode(prompts, options);

        public Tensor Predict(Tensor latents, Tensor timesteps, UNetConditions conditions) => prediction.alias();

        public Tensor Decode(Tensor latents) => _model.Decode(latents);
    }
}
