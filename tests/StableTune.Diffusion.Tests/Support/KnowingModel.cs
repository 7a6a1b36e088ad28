using StableTune.Imaging;
using StableTune.Models;
using StableTune.Samplers;

namespace StableTune.Diffusion.Tests;

/// <summary>
/// A model that sees one image in whatever it is given: every place of the latents is <see cref="Target"/>. Pictures are encoded to the
/// brightness of each place, and decoded back.
/// </summary>
internal sealed class KnowingModel : ITextToImageModel
{
    public float Target { get; init; } = 0.5f;

    public NoiseSchedule Schedule { get; } = NoiseSchedule.ScaledLinear();

    public PredictionType Prediction => PredictionType.Sample;

    public ModelSampler Sampler { get; init; } = new(new DdimSampler(), null);

    public int LatentChannels => 4;

    public int Downscale => 8;

    public int UsualSize => 64;

    public int? LargestClipSkip => 12;

    public bool TakesSizes => false;

    public bool TakesMask => false;

    public int UnknownChannels => 0;

    public Device Device => CPU;

    public string? Name => "knowing";

    /// <summary>What the model was given: first number, shape and time of each call.</summary>
    public List<(float First, long[] Shape, float Time)> Calls { get; } = [];

    public List<string> Prompts { get; } = [];

    public IDisposable Evaluating() => new Generator(1);

    public UNetConditions Encode(IReadOnlyList<string> prompts, TextToImageOptions options)
    {
        Prompts.AddRange(prompts);
        return new UNetConditions(zeros(prompts.Count, 1, 1));
    }

    public Tensor Encode(PixelImage picture)
    {
        using var scope = NewDisposeScope();
        var pixels = InpaintingSource.Floats(picture).narrow(1L, 0, 1).expand(1, 4, picture.Height, picture.Width);
        return nn.functional.avg_pool2d(pixels, [8L, 8L]).MoveToOuterDisposeScope();
    }

    public Tensor Predict(Tensor latents, Tensor timesteps, UNetConditions conditions)
    {
        Calls.Add((latents.flatten()[0].item<float>(), latents.shape, timesteps.to(ScalarType.Float32)[0].item<float>()));
        return full(latents.shape, Target, dtype: ScalarType.Float32);
    }

    public Tensor Decode(Tensor latents)
    {
        using var scope = NewDisposeScope();
        return latents.narrow(1L, 0, 3).repeat_interleave(8, 2).repeat_interleave(8, 3).MoveToOuterDisposeScope();
    }
}
