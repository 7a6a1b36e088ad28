using StableTune.Trainables;
using StableTune.Training;

namespace StableTune;

public sealed partial class TrainerBuilder
{
    /// <summary>Trains the VAE to give pictures back as they are; captions and the rest of the model are not looked at.</summary>
    /// <param name="training">Changes what is trained and saved: <c>t => t with { TrainEncoder = true }</c>; null for the decoder
    /// alone.</param>
    /// <param name="method">Changes what it is measured by: <c>m => m with { Loss = ReconstructionLoss.L2 }</c>.</param>
    public TrainerBuilder WithVaeTraining(
        Func<VaeTrainableOptions, VaeTrainableOptions>? training = null,
        Func<VaeReconstructionOptions, VaeReconstructionOptions>? method = null)
    {
        var (trainable, options) = (new VaeTrainableOptions(), new VaeReconstructionOptions());
        return WithTrainable(training?.Invoke(trainable) ?? trainable).WithMethod(method?.Invoke(options) ?? options);
    }
}
