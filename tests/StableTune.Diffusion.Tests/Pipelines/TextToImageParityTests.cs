using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Samplers;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

/// <summary>Whole generations with the tiny models of SD 1.x, SD 2.x (v prediction) and SDXL against diffusers'. Tolerances are those of
/// the fixtures' README.</summary>
public sealed class TextToImageParityTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private StableDiffusionModel? _loaded;

    private static TextToImageOptions Options(ISampler sampler) => new()
    {
        Prompt = "a photo of a cat, best quality", NegativePrompt = "blurry, lowres", Width = 64, Height = 96, Steps = 10,
        GuidanceScale = 7.5, Sampler = sampler,
    };

    [Theory]
    [InlineData("tiny-sd15")]
    [InlineData("tiny-sd21-v")]
    [InlineData("tiny-sdxl")]
    public void Encode_GivesTheContextOfBothPrompts(string model)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var golden = Golden.Open("txt2img", model + ".safetensors");
        var conditions = Conditions(Load(model));
        golden.AssertWithin("context", conditions.Context, absolute: 1e-5);
        Assert.Equal(golden.Contains("pooled"), conditions.Added is not null);
        if (conditions.Added is not var (pooled, sizes)) return;
        golden.AssertWithin("pooled", pooled, absolute: 1e-5);
        golden.AssertWithin("time_ids", sizes);
    }

    [Theory]
    [InlineData("tiny-sd15", "ddim_noclip")]
    [InlineData("tiny-sd15", "euler_a")]
    [InlineData("tiny-sd15", "dpmsolver++")]
    [InlineData("tiny-sd21-v", "ddim_noclip")]
    [InlineData("tiny-sd21-v", "euler_a")]
    [InlineData("tiny-sd21-v", "dpmsolver++")]
    [InlineData("tiny-sdxl", "ddim_noclip")]
    [InlineData("tiny-sdxl", "euler_a")]
    [InlineData("tiny-sdxl", "dpmsolver++")]
    public void Sample_WholeGeneration_AgreesWithReference(string name, string run)
    {
        var sampler = SamplerCatalog.Default.Create(run == "ddim_noclip" ? "ddim" : run);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var golden = Golden.Open("txt2img", name + ".safetensors");
        var model = Load(name);
        var pipeline = new TextToImagePipeline(model);
        var options = Options(sampler);
        var expected = golden.Floats(run + ".trajectory").Chunk(4 * 12 * 8).ToArray();
        var recorded = golden.Contains(run + ".noise") ? golden[run + ".noise"] : null;   // [draws, B, C, h, w]
        var draws = 0;
        var sigmas = run == "dpmsolver++" ? sampler.Times(NoiseSchedule.From(model.Scheduler), options.Steps).Sigmas : [];

        var latents = pipeline.Sample(options, Conditions(model), golden["initial_noise"], (_, _, _) => recorded!.select(0, draws++),
            step => GoldenComparison.AssertCloseToLargest(
                expected[step.Step - 1], AsReference(step.Latents, sigmas, step.Step), $"{run}, step {step.Step}", 1e-4));

        Assert.Equal(recorded?.shape[0] ?? 0, draws);
        var pixels = new StableDiffusionParts(model).Decode(latents).detach();
        golden.AssertWithin(run + ".decoded", pixels, absolute: 2e-4);
        AssertSamePicture(golden.Bytes(run + ".image_uint8"), TextToImagePipeline.ToImage(pixels));
    }

    [Theory]
    [InlineData("tiny-sd15")]
    [InlineData("tiny-sdxl")]
    public void Generate_FromPromptToPicture_LeavesModesAndTensorsAsTheyWere(string name)
    {
        var model = Load(name);
        model.UNet.train();
        model.Vae.eval();
        var pipeline = new TextToImagePipeline(model);
        var options = Options(new DdimSampler()) with { Steps = 2, Seed = 5 };
        var before = HeldTensors.Before();
        var image = pipeline.Generate(options);
        Assert.Equal(before, TensorCount.Live);
        Assert.Equal((64, 96), (image.Width, image.Height));
        Assert.True(model.UNet.training);
        Assert.False(model.Vae.training);
        Assert.Equal(image.Pixels, pipeline.Generate(options).Pixels);
    }

    /// <summary>Latents as the reference's scheduler holds them: with the variance of training where that one does so.</summary>
    private static float[] AsReference(Tensor latents, IReadOnlyList<float> sigmas, int step)
    {
        using var scope = NewDisposeScope();
        return GoldenComparison.Floats(sigmas.Count == 0 ? latents.alias() : latents / Math.Sqrt(sigmas[step] * sigmas[step] + 1));
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

    /// <summary>
    /// As diffusers encodes. The pipeline follows sd-scripts, which fills SD 2's chunks with the end token when it draws (other tests
    /// compare that); the
    /// generations of the fixtures filled them with "!", as training does.
    /// </summary>
    private static UNetConditions Conditions(StableDiffusionModel model)
    {
        var options = Options(new DdimSampler());
        var conditions = new TextToImagePipeline(model).Encode(options);
        if (model.Scheduler.Prediction != ModelPrediction.V) return conditions;
        return conditions with { Context = PromptEncoder.For(model).Encode([options.NegativePrompt, options.Prompt]).Context };
    }

    private StableDiffusionModel Load(string name) => _loaded = ModelLoader.Load(name switch
    {
        "tiny-sd15" => FixtureModels.TinySd15(_folder),
        "tiny-sd21-v" => FixtureModels.TinySd21V(_folder),
        _ => FixtureModels.TinySdxl(_folder),
    });

    public void Dispose()
    {
        _loaded?.Dispose();
        _folder.Dispose();
    }
}
