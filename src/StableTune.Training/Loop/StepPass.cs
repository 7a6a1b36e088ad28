using StableTune.Data;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Training;

/// <summary>One pass of a batch through the UNet, as condition and goal stages see it. Its tensors are the step's: not to be disposed.</summary>
public sealed record StepPass
{
    private readonly TargetStrength _strength;

    internal StepPass(UNet2DConditionModel unet, TargetStrength strength) => (UNet, _strength) = (unet, strength);

    /// <summary>The model that predicts.</summary>
    public UNet2DConditionModel UNet { get; }

    /// <summary>The batch.</summary>
    public required Batch Batch { get; init; }

    /// <summary>Its captions, encoded: [B, L, C], for SDXL also pooled ones.</summary>
    public required TextConditions Text { get; init; }

    /// <summary>Its latents, scaled, [B, 4, H/8, W/8], float32.</summary>
    public required Tensor Latents { get; init; }

    /// <summary>The noise that was added, as <see cref="Latents"/>.</summary>
    public required Tensor Noise { get; init; }

    /// <summary>The timesteps, [B], int64.</summary>
    public required Tensor Timesteps { get; init; }

    /// <summary>What the UNet starts from, as <see cref="Latents"/>.</summary>
    public required Tensor NoisyLatents { get; init; }

    /// <summary>What the UNet is told, as far as stages have given it by now.</summary>
    public required UNetConditions Conditions { get; init; }

    /// <summary>What the model predicts, as <see cref="Latents"/>.</summary>
    internal Tensor Predict() => UNet.call(NoisyLatents, Timesteps, Conditions);

    /// <summary>Whether the step was told what is trained (<see cref="TrainingStepParts.Targets"/>), so that it can be left out.</summary>
    public bool KnowsTargets => _strength.HasTargets;

    /// <summary>What the model predicts without what is trained, as <see cref="Latents"/>, without gradients. Text conditions stay those of the batch, as in sd-scripts.</summary>
    /// <exception cref="InvalidOperationException"><see cref="KnowsTargets"/> is false.</exception>
    public Tensor PredictUntrained()
    {
        if (!KnowsTargets) throw new InvalidOperationException("The step does not know what is trained, so it cannot leave it out: give TrainingStepParts.Targets.");
        using var frozen = no_grad();
        using var strength = _strength.Set(0);
        return Predict().detach();
    }
}
