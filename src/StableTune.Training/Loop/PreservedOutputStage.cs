using StableTune.Data;

namespace StableTune.Training;

/// <summary>
/// Lets images of subsets with <see cref="SubsetOptions.PreserveOutput"/> come out as without what is trained: that is their goal, for the same noise, timestep
/// and text (sd-scripts: <c>diff_output_preservation</c>). Costs a second forward pass in batches that hold such images.
/// </summary>
public sealed class PreservedOutputStage : IGoalStage
{
    /// <inheritdoc/>
    public Tensor Change(Tensor goal, StepPass pass)
    {
        ArgumentNullException.ThrowIfNull(goal);
        ArgumentNullException.ThrowIfNull(pass);
        if (!pass.KnowsTargets) return goal;
        bool[] preserved = [.. pass.Batch.Items.Select(IsPreserved)];
        if (!preserved.Contains(true)) return goal;
        using var scope = NewDisposeScope();
        var chosen = tensor(Array.ConvertAll(preserved, yes => yes ? 1L : 0L)).to(ScalarType.Bool).view(-1, 1, 1, 1).to(goal.device);    // [B, 1, 1, 1]
        return where(chosen, pass.PredictUntrained().to(goal.dtype), goal).MoveToOuterDisposeScope();
    }

    private static bool IsPreserved(TrainingSample item) => item.Subset.Attributes.GetValueOrDefault(SubsetOptions.PreserveOutput) is true;
}
