using StableTune.Data;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Training;

/// <summary>A model's VAE as the data room knows encoders.</summary>
internal sealed class VaeLatentEncoder(StableDiffusionModel model) : ILatentEncoder
{
    private readonly AutoencoderKL _vae = model.Vae;

    public double ScalingFactor => _vae.Options.ScalingFactor;

    public LatentDistribution Encode(Tensor pixels) => _vae.Encode(pixels.to(model.Device));
}

/// <summary>A model's text encoder as the data room knows encoders.</summary>
internal sealed class PromptTextEncoder(IPromptEncoder encoder, TrainingPlan plan) : ITextEncoder
{
    public TextConditions Encode(IReadOnlyList<string> captions) => plan.Encode(encoder, captions);
}
