using StableTune.Diffusion;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>What a training step is made of. A host that drives its own loop puts its own objects here.</summary>
public sealed record TrainingStepParts
{
    /// <summary>Gives a batch's latents, scaled: [B, 4, H/8, W/8], float32.</summary>
    public required ILatentStage Latents { get; init; }

    /// <summary>Gives a batch's text conditions: [B, L, C], for SDXL also pooled ones.</summary>
    public required IContextStage Context { get; init; }

    /// <summary>
    /// What the network is told besides the text, one after the other. Default <see cref="SizeConditionStage"/>, which does nothing for
    /// models other than SDXL;
    /// an inpainting model needs one that gives <see cref="UNetConditions.Inpainting"/>.
    /// </summary>
    public IReadOnlyList<IConditionStage> Conditions { get; init; } = [new SizeConditionStage()];

    /// <summary>Predicts from noisy latents [B, 4, h, w], timesteps [B] and conditions: [B, 4, h, w].</summary>
    public required IDenoisingNetwork Network { get; init; }

    /// <summary>ᾱ and what follows from it.</summary>
    public required NoiseSchedule Schedule { get; init; }

    /// <summary>The schedule whose signal-to-noise ratios weigh the loss; null, the default, for <see cref="Schedule"/>.</summary>
    public NoiseSchedule? WeightingSchedule { get; init; }

    /// <summary>What the model predicts.</summary>
    public required PredictionType Prediction { get; init; }

    /// <summary>What changes the target of the prediction, one after the other. Default <see cref="PreservedOutputStage"/>.</summary>
    public IReadOnlyList<ITargetStage> Targets { get; init; } = [new PreservedOutputStage()];

    /// <summary>Where noise comes from.</summary>
    public required INoiseSource Noise { get; init; }

    /// <summary>Where timesteps come from.</summary>
    public required ITimestepSource Timesteps { get; init; }

    /// <summary>Turns prediction and target into one number.</summary>
    public required DiffusionLoss Loss { get; init; }

    /// <summary>What is trained; told before each batch. Default nothing, for a loop that tells it by itself.</summary>
    public IReadOnlyList<ITrainable> Trainables { get; init; } = [];

    /// <summary>The random streams of the run.</summary>
    public required TrainingRandom Random { get; init; }
}
