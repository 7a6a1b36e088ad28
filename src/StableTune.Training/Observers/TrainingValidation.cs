namespace StableTune.Training;

/// <summary>The loss on held-out images at one moment.</summary>
/// <param name="Step">The last step done.</param>
/// <param name="Epoch">The epoch, from 1.</param>
/// <param name="AfterEpoch">Whether it was measured at the end of an epoch; otherwise between two steps of one.</param>
/// <param name="Loss">The mean over the held-out images, four timesteps and fixed noise.</param>
/// <param name="TrainingLoss">The average training loss at that moment.</param>
public sealed record TrainingValidation(int Step, int Epoch, bool AfterEpoch, double Loss, double TrainingLoss)
{
    /// <summary>How much worse held-out images do than trained ones; it grows when a run learns images by heart.</summary>
    public double Divergence => Loss - TrainingLoss;

    /// <summary>What logs call the loss, as sd-scripts does.</summary>
    public string LossName => AfterEpoch ? "loss/validation/epoch_average" : "loss/validation/step_average";

    /// <summary>What logs call the divergence, as sd-scripts does.</summary>
    public string DivergenceName => AfterEpoch ? "loss/validation/epoch_divergence" : "loss/validation/step_divergence";
}
