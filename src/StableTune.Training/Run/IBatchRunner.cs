using StableTune.Data;

namespace StableTune.Training;

/// <summary>Turns a batch into gradients: on one device, on several of them, or together with other processes.</summary>
internal interface IBatchRunner
{
    /// <summary>The losses of the last batch's samples, as far as they are known here.</summary>
    IReadOnlyList<SampleReading> Samples { get; }

    /// <summary>Adds the gradients of the batch's mean loss to the trained parameters. A loss that is not finite is handed back, and no
    /// gradients that count were added then.</summary>
    /// <param name="batch">The batch; its tensors stay the caller's. A share of one counts as much as its samples.</param>
    /// <param name="accumulation">Batches per optimizer step: gradients are those of loss / accumulation.</param>
    /// <param name="scale">What the loss is multiplied by for the backward pass, []; null for 1.</param>
    /// <returns>The mean loss of the batch, not divided; of a share, what it counts in the whole batch's.</returns>
    double TryRun(Batch batch, int accumulation, Tensor? scale);

    /// <summary>As <see cref="TryRun"/>, but the loss stays on the device: nothing waits for it between forward and backward
    /// pass.</summary>
    /// <returns>The loss, a scalar without gradient, in the open dispose scope.</returns>
    Tensor RunWithoutReading(Batch batch, int accumulation, Tensor? scale);
}
