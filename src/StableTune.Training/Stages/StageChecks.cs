using StableTune.Data;
using StableTune.Tensors;

namespace StableTune.Training;

/// <summary>What stages give must fit the batch: a host's own stage is named where it does not.</summary>
internal static class StageChecks
{
    public static void Latents(ILatentStage stage, Tensor latents, Batch batch)
    {
        if (latents.dim() != 4 || latents.shape[0] != batch.Count)
            throw Unfit(stage, nameof(ILatentStage.Latents), latents, $"[{batch.Count}, C, h, w]");
    }

    public static void Context(IContextStage stage, TextConditions text, Batch batch)
    {
        if (text.Context.dim() is not (3 or 4) || text.Context.shape[0] != batch.Count)
            throw Unfit(stage, nameof(IContextStage.Context), text.Context, $"[{batch.Count}, L, C]");
        if (text.Pooled is { } pooled && (pooled.dim() != 2 || pooled.shape[0] != batch.Count))
            throw Unfit(stage, nameof(TextConditions.Pooled), pooled, $"[{batch.Count}, D]");
    }

    /// <summary>What must have a certain shape: another one would be stretched over the batch unseen.</summary>
    public static Tensor Shape(object part, string member, Tensor given, long[] wanted) =>
        given.shape.SequenceEqual(wanted) ? given : throw Unfit(part, member, given, $"[{string.Join(", ", wanted)}]");

    private static InvalidOperationException Unfit(object stage, string member, Tensor given, string wanted) => new(
        $"The stage {stage.GetType().Name} gave {member} of shape [{string.Join(", ", given.shape)}]: a tensor of shape {wanted} is "
            + $"wanted here.");
}
