using StableTune.Imaging;
using StableTune.Models;
using StableTune.Samplers;

namespace StableTune.Diffusion;

/// <summary>What the pipeline needs of a model, so that its mathematics can be tested against an analytic one.</summary>
internal interface ITextToImageModel
{
    /// <summary>The forward process the model was trained with.</summary>
    NoiseSchedule Schedule { get; }

    /// <summary>What the model predicts.</summary>
    PredictionType Prediction { get; }

    /// <summary>The sampler that the model was published with.</summary>
    ModelSampler Sampler { get; }

    /// <summary>Channels of the latents, C.</summary>
    int LatentChannels { get; }

    /// <summary>Pixels per place of the latents, in each direction.</summary>
    int Downscale { get; }

    /// <summary>The side of the pictures that the model was made for, in pixels.</summary>
    int UsualSize { get; }

    /// <summary>The largest clip skip; null where clip skip is not looked at.</summary>
    int? LargestClipSkip { get; }

    /// <summary>Whether the model is told the sizes of pictures (SDXL).</summary>
    bool TakesSizes { get; }

    /// <summary>Whether the model paints into a picture: it takes a mask and the picture's latents.</summary>
    bool TakesMask { get; }

    /// <summary>Whether the model draws by a depth map.</summary>
    bool TakesDepth => false;

    /// <summary>Channels of the UNet's input that no option fills, for messages; 0 where there are none.</summary>
    int UnknownChannels { get; }

    /// <summary>Where latents live.</summary>
    Device Device { get; }

    /// <summary>The name written into pictures; null for none.</summary>
    string? Name { get; }

    /// <summary>Why a ControlNet does not fit the model; null where it fits.</summary>
    string? ControlMisfit(ControlNetModel network) => null;

    /// <summary>Why a model cannot draw some of the timesteps of this one's pictures; null where it can.</summary>
    string? StageMisfit(StableDiffusionModel model) => null;

    /// <summary>Puts all parts into evaluation mode; disposing puts them back.</summary>
    IDisposable Evaluating();

    /// <summary>What the model is told of each prompt, all contexts of the same length: [P, L, C]. The picture to paint into is one for
    /// all.</summary>
    UNetConditions Encode(IReadOnlyList<string> prompts, TextToImageOptions options);

    /// <summary>The model's prediction for scaled noisy latents [B, C, h, w], timesteps [B] and conditions [B, ...]; float32, as the
    /// latents.</summary>
    Tensor Predict(Tensor latents, Tensor timesteps, UNetConditions conditions);

    /// <summary>Scaled latents [1, C, h, w] of a picture, the means of their distribution; float32, on the model's device.</summary>
    Tensor Encode(PixelImage picture) => throw new NotSupportedException("This model encodes no pictures.");

    /// <summary>A further model for some of the timesteps, as this one sees it.</summary>
    ITextToImageModel Of(StableDiffusionModel model) => new StableDiffusionParts(model);

    /// <summary>Pixels [B, 3, H, W] around [-1, 1] for scaled latents [B, C, h, w]; float32, on the CPU.</summary>
    Tensor Decode(Tensor latents);
}
