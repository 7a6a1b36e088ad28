using StableTune.Data;

namespace StableTune.Training;

/// <summary>Where a run stands between two steps.</summary>
/// <param name="Epoch">The epoch that is being trained, from 1; 0 before the first.</param>
/// <param name="Batch">Batches of that epoch that are done.</param>
/// <param name="Step">Optimizer steps that are done, in all epochs.</param>
public readonly record struct RunPosition(int Epoch, int Batch, int Step)
{
    /// <summary>"epoch 2, batch 14, step 114".</summary>
    public override string ToString() => $"epoch {Epoch}, batch {Batch}, step {Step}";
}
