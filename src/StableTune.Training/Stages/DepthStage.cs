using StableTune.Data;
using StableTune.Models;

namespace StableTune.Training;

/// <summary>Tells a depth model how near each place of a picture is: the second images of the data set are the maps, grey, and brighter is
/// nearer; their red channel counts.</summary>
public sealed class DepthStage : IConditionStage
{
    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The batch has no second images.</exception>
    public UNetConditions Add(StepPass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        var maps = pass.Batch.Conditioning ?? throw new InvalidOperationException(
            $"'{pass.Batch.Items.FirstOrDefault()?.Path}' has no depth map, which this model is trained with: " +
            "set SubsetOptions.ConditioningFolder to a folder with a map of the same name for each image.");
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var depth = DepthInput.From(maps.to(pass.Latents.device).narrow(1L, 0, 1), pass.Latents.shape[2], pass.Latents.shape[3]);
        depth.Map.MoveToOuterDisposeScope();
        return pass.Conditions with { Depth = depth };
    }
}
