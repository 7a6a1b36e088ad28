using StableTune.Data;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Training;

/// <summary>Tells SDXL the pooled text and the sizes of the pictures. A batch that says nothing of them holds whole pictures of its own
/// size.</summary>
public sealed class SizeConditionStage : IConditionStage
{
    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The context stage gives no pooled text.</exception>
    public UNetConditions Add(StepPass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        return pass.Network.TakesAddedConditions
            ? pass.Conditions with { Added = new AddedConditions(Pooled(pass.Text), TimeIds(pass.Batch, pass.Latents)) } : pass.Conditions;
    }

    private static Tensor Pooled(TextConditions text) => text.Pooled
        ?? throw new InvalidOperationException(
            "The context stage gives no pooled text, which this model (SDXL) needs: give TextConditions.Pooled.");

    /// <summary>[B, 6], float32.</summary>
    private static Tensor TimeIds(Batch batch, Tensor latents)
    {
        if (batch.Sizes.Count == batch.Count)
            return MicroConditioning.TimeIds(batch.Sizes, latents.device);
        var size = new PixelSize((int)latents.shape[3] * 8, (int)latents.shape[2] * 8);
        return MicroConditioning.TimeIds(Enumerable.Repeat(MicroConditioning.Whole(size), batch.Count), latents.device);
    }
}
