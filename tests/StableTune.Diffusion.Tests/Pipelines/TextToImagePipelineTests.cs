using StableTune.Checkpoints;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Samplers;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

public class TextToImagePipelineTests
{
    private static readonly TextToImageOptions s_options = new()
    {
        Prompt = "a cat", NegativePrompt = "a dog", Width = 16, Height = 24, Steps = 4, GuidanceScale = 3, Seed = 7,
    };

    [Fact]
    public void Generate_GivesAPictureOfTheSize_SameForTheSameSeed()
    {
        var pipeline = new TextToImagePipeline(new FakeModel());
        var image = pipeline.Generate(s_options);
        Assert.Equal(new PixelSize(16, 24), image.Size);
        Assert.Equal(image.Pixels, pipeline.Generate(s_options).Pixels);
        Assert.NotEqual(image.Pixels, pipeline.Generate(s_options with { Seed = 8 }).Pixels);
    }

    [Fact]
    public void Generate_SizeUnset_IsTheModels()
    {
        var pipeline = new TextToImagePipeline(new FakeModel { UsualSize = 24 });
        Assert.Equal(new PixelSize(24, 24), pipeline.Generate(s_options with { Width = null, Height = null }).Size);
        var drawn = Assert.Single(pipeline.GenerateMany(s_options with { Width = null }));
        Assert.Equal(new PixelSize(24, 24), drawn.Image.Size);
        Assert.Contains("Size: 24x24", drawn.Parameters, StringComparison.Ordinal);
        Assert.Equal(new PixelSize(24, 32), pipeline.Generate(s_options with { Width = null, Height = 32 }).Size);
    }

    [Theory]
    [InlineData("tiny-sd15", 512)]
    [InlineData("tiny-sd21-v", 768)]
    [InlineData("tiny-sdxl", 1024)]
    public void UsualSize_IsWhatTheModelWasMadeFor(string name, int expected)
    {
        using var folder = new TemporaryFolder();
        using var model = ModelLoader.Load(name switch
        {
            "tiny-sd15" => FixtureModels.TinySd15(folder), "tiny-sd21-v" => FixtureModels.TinySd21V(folder), _ =>
                FixtureModels.TinySdxl(folder),
        });
        Assert.Equal(expected, new StableDiffusionParts(model).UsualSize);
    }

    [Fact]
    public void Predict_Guided_CallsNegativeThenPositiveInOneBatch()
    {
        using var scope = NewDisposeScope();
        var model = new FakeModel();
        var contexts = tensor(new[] { 1f, 2f }, [2, 1, 1], dtype: ScalarType.Float32);   // the fake predicts its context
        var predicted = new GuidedDenoiser(model, new UNetConditions(contexts), 7.5).Predict(zeros(3, 4, 2, 2), 500);
        Assert.Equal([1f, 1f, 1f, 2f, 2f, 2f], Assert.Single(model.Contexts));
        Assert.Equal([3L, 4L, 2L, 2L], predicted.shape);
        Assert.All(GoldenComparison.Floats(predicted), value => Assert.Equal(1 + 7.5f * (2 - 1), value));
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(0.0)]
    [InlineData(-2.0)]
    public void Generate_GuidanceOfOneOrLess_MakesNoUnconditionalCall(double guidance)
    {
        var model = new FakeModel();
        new TextToImagePipeline(model).Generate(s_options with { GuidanceScale = guidance });
        Assert.Equal(["a cat"], model.Prompts);
        Assert.Equal(s_options.Steps, model.Contexts.Count);
        Assert.All(model.Contexts, batch => Assert.Single(batch));
    }

    [Fact]
    public void Generate_Guided_EncodesTheNegativePromptFirst()
    {
        var model = new FakeModel();
        new TextToImagePipeline(model).Generate(s_options);
        Assert.Equal(["a dog", "a cat"], model.Prompts);
    }

    [Fact]
    public void Sample_FractionalTimes_ReachTheModelAsFloats()
    {
        var model = new FakeModel();
        new TextToImagePipeline(model).Generate(s_options with { Sampler = new EulerSampler { UseKarrasSigmas = true } });
        Assert.Equal([ScalarType.Int64, ScalarType.Float32, ScalarType.Float32, ScalarType.Int64], model.TimeTypes);
        Assert.Contains(model.Times, time => time != Math.Floor(time));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void GenerateMany_PictureOfASeed_DoesNotDependOnItsNeighbours(int batchSize)
    {
        var pipeline = new TextToImagePipeline(new FakeModel());
        var options = s_options with { ImageCount = 3, BatchSize = batchSize, Sampler = new DdimSampler { Eta = 1 } };
        var images = pipeline.GenerateMany(options);
        Assert.Equal([7L, 8L, 9L], images.Select(image => image.Seed));
        foreach (var image in images)
            Assert.Equal(pipeline.Generate(options with { Seed = image.Seed }).Pixels, image.Image.Pixels);
    }

    [Fact]
    public void GenerateMany_ReportsEveryStep()
    {
        var reports = new Reports();
        new TextToImagePipeline(new FakeModel()).GenerateMany(s_options with { ImageCount = 3, BatchSize = 2, Steps = 2 }, reports);
        Assert.Equal([new(0, 3, 1, 2), new(0, 3, 2, 2), new(2, 3, 1, 2), new(2, 3, 2, 2)], reports.All);
    }

    [Fact]
    public void Generate_Cancelled_StopsAtAStepBoundaryAndLeavesTheModelAsItWas()
    {
        using var source = new CancellationTokenSource();
        var model = new FakeModel();
        var reports = new Reports { Reported = progress => { if (progress.Step == 2) source.Cancel(); } };
        var before = HeldTensors.Before();
        Assert.Throws<OperationCanceledException>(() => new TextToImagePipeline(model).Generate(s_options, reports, source.Token));
        Assert.Equal(2, reports.All.Count);
        Assert.Equal("", model.State);
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Generate_LeavesNoTensorsAndTheGlobalRandomStateUntouched()
    {
        var pipeline = new TextToImagePipeline(new FakeModel());
        using var scope = NewDisposeScope();
        manual_seed(3);
        var expected = GoldenComparison.Floats(rand(4));
        manual_seed(3);
        var before = HeldTensors.Before();
        pipeline.GenerateMany(s_options with { ImageCount = 2 });
        Assert.Equal(before, TensorCount.Live);
        Assert.Equal(expected, GoldenComparison.Floats(rand(4)));
    }

    [Fact]
    public void Generate_BadOptions_ThrowsOnceWithAllProblems()
    {
        var model = new FakeModel();
        var error = Assert.Throws<InvalidOptionsException>(() =>
            new TextToImagePipeline(model).Generate(s_options with { Width = 20, Steps = 0 }));
        Assert.Equal(["TextToImageOptions.Width", "TextToImageOptions.Steps"], error.Problems.Select(problem => problem.Option));
        Assert.Empty(model.Prompts);
    }

    [Fact]
    public void Generate_SizeThatThisModelCannotDraw_IsReported()
    {
        var error = Assert.Throws<InvalidOptionsException>(() =>
            new TextToImagePipeline(new FakeModel { Downscale = 16 }).Generate(s_options));
        Assert.Equal("TextToImageOptions.Height", Assert.Single(error.Problems).Option);
    }

    [Fact]
    public void Generate_ModelOfAnotherKind_IsRefused()
    {
        var error = Assert.Throws<InvalidOptionsException>(() =>
            new TextToImagePipeline(new FakeModel { UnknownChannels = 1 }).Generate(s_options));
        Assert.Contains("5 channels", Assert.Single(error.Problems).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Generate_StepsOrLayersThatThisModelDoesNotHave_AreReportedBeforeAnythingIsEncoded()
    {
        var model = new FakeModel();
        var error = Assert.Throws<InvalidOptionsException>(() => new TextToImagePipeline(model).Generate(
            s_options with { ClipSkip = 13, Steps = 1000, Sampler = new DdimSampler { StepsOffset = 1 } }));
        Assert.Equal(["TextToImageOptions.Steps", "TextToImageOptions.ClipSkip"], error.Problems.Select(problem => problem.Option));
        Assert.Contains("1000 steps with this offset reach from 1000 to 1", error.Message);
        Assert.Empty(model.Prompts);
    }

    [Fact]
    public void Parameters_AreThoseThatOtherToolsRead()
    {
        var image = new TextToImagePipeline(new FakeModel()).GenerateMany(s_options with { ClipSkip = 2 })[0];
        Assert.Equal(
            "a cat\nNegative prompt: a dog\nSteps: 4, Sampler: DDIM, CFG scale: 3, Seed: 7, Size: 16x24, Model: fake, Clip skip: 2",
            image.Parameters);
    }

    [Fact]
    public void Generate_SamplerUnset_IsTheModels_AndItsNameIsWritten()
    {
        var model = new FakeModel { Sampler = new(new PndmSampler { StepsOffset = 1, EndsAtImage = false }, "a note") };
        var pipeline = new TextToImagePipeline(model);
        var drawn = Assert.Single(pipeline.GenerateMany(s_options));
        Assert.Contains("Sampler: PLMS,", drawn.Parameters, StringComparison.Ordinal);
        Assert.Equal([751f, 501f, 501f, 251f, 1f], model.Times);
        Assert.Equal(drawn.Image.Pixels, pipeline.Generate(s_options with { Sampler = model.Sampler.Sampler }).Pixels);
        Assert.Contains("Sampler: Euler,", pipeline.GenerateMany(s_options with { Sampler = new EulerSampler() })[0].Parameters,
            StringComparison.Ordinal);
        Assert.Equal("a note", pipeline.ModelSampler.Note);
    }

    [Fact]
    public void Generate_ModelsOwnSamplerCannotPlaceTheSteps_IsReported()
    {
        var model = new FakeModel { Sampler = new(new DpmSolverMultistepSampler(), null) };
        var error = Assert.Throws<InvalidOptionsException>(() => new TextToImagePipeline(model).Generate(s_options with { Steps = 1000 }));
        Assert.Equal("TextToImageOptions.Steps", Assert.Single(error.Problems).Option);
        Assert.Empty(model.Prompts);
    }

    [Theory]
    [InlineData("tiny-sd15")]
    [InlineData("tiny-sd21-v")]
    [InlineData("tiny-sdxl")]
    public void ModelSampler_IsThatOfTheModelsConfiguration(string name)
    {
        using var folder = new TemporaryFolder();
        ISampler expected;
        string path;
        (path, expected) = name switch
        {
            "tiny-sd15" => (FixtureModels.TinySd15(folder), new PndmSampler { StepsOffset = 1, EndsAtImage = false }),
            "tiny-sd21-v" => (FixtureModels.TinySd21V(folder), (ISampler)new DdimSampler { StepsOffset = 1, EndsAtImage = false }),
            _ => (FixtureModels.TinySdxl(folder), new EulerSampler { Spacing = TimestepSpacing.Leading, StepsOffset = 1 }),
        };
        using var model = ModelLoader.Load(path);
        Assert.Equal(new ModelSampler(expected, null), new TextToImagePipeline(model).ModelSampler);
    }

    [Fact]
    public void SavePng_WritesThePixelsAndTheParameters()
    {
        using var folder = new TemporaryFolder();
        var image = new TextToImagePipeline(new FakeModel()).GenerateMany(s_options)[0];
        image.SavePng(folder.File("picture.png"));
        Assert.Equal(image.Image.Pixels, ImageFile.Load(folder.File("picture.png")).Pixels);
        Assert.Contains("parameters\0a cat\nNegative prompt: a dog",
            System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(folder.File("picture.png"))));
    }

    private sealed class Reports : IProgress<SamplingProgress>
    {
        public List<SamplingProgress> All { get; } = [];
        public Action<SamplingProgress>? Reported { get; init; }

        public void Report(SamplingProgress value)
        {
            All.Add(value);
            Reported?.Invoke(value);
        }
    }

    /// <summary>Predicts its context everywhere; decodes by repeating the first three channels.</summary>
    private sealed class FakeModel : ITextToImageModel
    {
        public NoiseSchedule Schedule { get; } = NoiseSchedule.ScaledLinear();
        public PredictionType Prediction => PredictionType.Epsilon;
        public ModelSampler Sampler { get; init; } = new(new DdimSampler(), null);
        public int LatentChannels => 4;
        public int? LargestClipSkip { get; init; } = 12;
        public bool TakesSizes { get; init; }
        public bool TakesMask => false;
        public int UnknownChannels { get; init; }

        public int Downscale { get; init; } = 8;
        public int UsualSize { get; init; } = 512;
        public Device Device => CPU;
        public string? Name => "fake";
        public string State { get; private set; } = "";
        public List<string> Prompts { get; } = [];
        public List<float[]> Contexts { get; } = [];
        public List<ScalarType> TimeTypes { get; } = [];
        public List<double> Times { get; } = [];

        public IDisposable Evaluating()
        {
            State = "evaluating";
            return new Ending(() => State = "");
        }

        public UNetConditions Encode(IReadOnlyList<string> prompts, TextToImageOptions options)
        {
            Assert.Equal("evaluating", State);
            Prompts.AddRange(prompts);
            return new UNetConditions(tensor(
                prompts.Select(prompt => prompt.Length / 10f).ToArray(), [prompts.Count, 1, 1], dtype: ScalarType.Float32));
        }

        public Tensor Predict(Tensor latents, Tensor timesteps, UNetConditions conditions)
        {
            using var scope = NewDisposeScope();
            Assert.Equal(latents.shape[0], timesteps.shape[0]);
            Contexts.Add(GoldenComparison.Floats(conditions.Context));
            TimeTypes.Add(timesteps.dtype);
            Times.Add(GoldenComparison.Floats(timesteps)[0]);
            return (zeros_like(latents) + conditions.Context.reshape(-1, 1, 1, 1)).MoveToOuterDisposeScope();
        }

        public Tensor Decode(Tensor latents)
        {
            using var scope = NewDisposeScope();
            return latents.narrow(1, 0, 3).repeat_interleave(8, 2).repeat_interleave(8, 3).MoveToOuterDisposeScope();
        }

        private sealed class Ending(Action action) : IDisposable
        {
            public void Dispose() => action();
        }
    }
}
