using StableTune.Data;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>One pass of a batch through the network, as condition and target stages see it. Its tensors are the step's: not to be
/// disposed.</summary>
public sealed record StepPass
{
    private readonly TrainableStrength _strength;

    internal StepPass(IDenoisingNetwork network, TrainableStrength strength) => (Network, _strength) = (network, strength);

    /// <summary>The model that predicts.</summary>
    public IDenoisingNetwork Network { get; }

    /// <summary>The batch that passes.</summary>
    public required Batch Batch { get; init; }

    /// <summary>The encoded captions of the batch: [B, L, C], for SDXL also pooled ones.</summary>
    public required TextConditions Text { get; init; }

    /// <summary>The scaled latents of the batch, [B, 4, H/8, W/8], float32.</summary>
    public required Tensor Latents { get; init; }

    /// <summary>The noise that the target is made from, [B, 4, H/8, W/8].</summary>
    public required Tensor Noise { get; init; }

    /// <summary>The timesteps, [B], int64.</summary>
    public required Tensor Timesteps { get; init; }

    /// <summary>The noisy latents that the network is given, [B, 4, H/8, W/8].</summary>
    public required Tensor NoisyLatents { get; init; }

    /// <summary>The conditions of the network (text, sizes, masks), as far as stages have given them by now.</summary>
    public required UNetConditions Conditions { get; init; }

    /// <summary>The prediction of the network, [B, 4, H/8, W/8].</summary>
    internal Tensor Predict() => Network.Predict(NoisyLatents, Timesteps, Conditions);

    /// <summary>Whether the step was told what is trained (<see cref="TrainingStepParts.Trainables"/>), so that it can be left
    /// out.</summary>
    public bool KnowsTrainables => _strength.HasTrainables;

    /// <summary>What the model predicts without what is trained, as <see cref="Latents"/>, without gradients. Text conditions stay those
    /// of the batch, as in sd-scripts.</summary>
    /// <exception cref="InvalidOperationException"><see cref="KnowsTrainables"/> is false.</exception>
    public Tensor PredictUntrained()
    {
        if (!KnowsTrainables)
            throw new InvalidOperationException(
            "The step does not know what is trained, so it cannot leave it out: give TrainingStepParts.Trainables.");
        using var frozen = no_grad();
        using var strength = _strength.Set(0);
        return Predict().detach();
    }
}
