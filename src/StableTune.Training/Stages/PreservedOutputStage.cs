using StableTune.Data;

namespace StableTune.Training;

/// <summary>
/// Lets images of subsets with <see cref="SubsetOptions.PreserveOutput"/> come out as without what is trained: that is their target, for
/// the same noise, timestep
/// and text (sd-scripts: <c>diff_output_preservation</c>). Costs a second forward pass in batches that hold such images.
/// </summary>
public sealed class PreservedOutputStage : ITargetStage
{
    /// <inheritdoc/>
    public Tensor Change(Tensor target, StepPass pass)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(pass);
        if (!pass.KnowsTrainables) return target;
        bool[] preserved = [.. pass.Batch.Items.Select(IsPreserved)];
        if (!preserved.Contains(true)) return target;
        using var scope = NewDisposeScope();
        // [B, 1, 1, 1]
        var chosen = tensor(Array.ConvertAll(preserved, yes => yes ? 1L : 0L)).to(ScalarType.Bool).view(-1, 1, 1, 1).to(target.device);
        return where(chosen, pass.PredictUntrained().to(target.dtype), target).MoveToOuterDisposeScope();
    }

    private static bool IsPreserved(TrainingSample item) => item.Subset.Attributes.GetValueOrDefault(SubsetOptions.PreserveOutput) is true;
}
