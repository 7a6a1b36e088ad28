using StableTune.Data;
using StableTune.Models;

namespace StableTune.Training;

/// <summary>A model's VAE as the data room knows encoders.</summary>
internal sealed class VaeLatentEncoder(StableDiffusionModel model) : ILatentEncoder
{
    private readonly AutoencoderKL _vae = model.Vae;

    public double ScalingFactor => _vae.Options.ScalingFactor;

    public LatentMoments Encode(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var distribution = _vae.Encode(pixels.to(model.Device));
        return new LatentMoments(distribution.Mean.alias().MoveToOuterDisposeScope(), distribution.LogVariance.alias().MoveToOuterDisposeScope());
    }
}

/// <summary>A model's text encoder as the data room knows encoders.</summary>
internal sealed class PromptTextEncoder(IPromptEncoder encoder, TrainingPlan plan) : ITextEncoder
{
    public TextFeatures Encode(IReadOnlyList<string> captions)
    {
        var conditions = plan.Encode(encoder, captions);
        return new TextFeatures(conditions.Context, conditions.Pooled);
    }
}
