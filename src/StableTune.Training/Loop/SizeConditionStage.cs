using StableTune.Data;
using StableTune.Models;

namespace StableTune.Training;

/// <summary>Tells SDXL the pooled text and the sizes of the pictures. A batch that says nothing of them holds whole pictures of its own size.</summary>
public sealed class SizeConditionStage : IConditionStage
{
    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The context stage gives no pooled text.</exception>
    public UNetConditions Add(StepPass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        return pass.UNet.Options.TakesAddedConditions ? pass.Conditions with { Added = new AddedConditions(Pooled(pass.Text), TimeIds(pass.Batch, pass.Latents)) } : pass.Conditions;
    }

    private static Tensor Pooled(TextConditions text) => text.Pooled
        ?? throw new InvalidOperationException("The context stage gives no pooled text, which this model (SDXL) needs: give TextConditions.Pooled.");

    /// <summary>[B, 6], float32.</summary>
    private static Tensor TimeIds(Batch batch, Tensor latents)
    {
        if (batch.Sizes.Count == batch.Count)
            return SizeConditions.TimeIds(batch.Sizes.Select(size => new SizeConditions(
                size.Original.Height, size.Original.Width, size.CropTop, size.CropLeft, size.Target.Height, size.Target.Width)), latents.device);
        var (height, width) = ((int)latents.shape[2] * 8, (int)latents.shape[3] * 8);
        return SizeConditions.TimeIds(Enumerable.Repeat(new SizeConditions(height, width, 0, 0, height, width), batch.Count), latents.device);
    }
}
