using StableTune.Data;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Training;

/// <summary>The stage that gives a batch's latents.</summary>
public interface ILatentStage
{
    /// <summary>Latents of a batch, times the VAE's scaling factor: [B, 4, H/8, W/8], float32, on the model's device. A fresh
    /// tensor.</summary>
    Tensor Latents(Batch batch);
}

/// <summary>The stage that gives a batch's text conditions.</summary>
public interface IContextStage
{
    /// <summary>
    /// Text-encoder states of a batch, [B, L, C] (or one for each attention layer, [B, K, L, C]), and for SDXL the pooled output, [B, D]:
    /// on the model's device, with a gradient path where the text encoder is trained. Fresh tensors.
    /// </summary>
    TextConditions Context(Batch batch);
}

/// <summary>A stage that adds to what the network is told besides the text: sizes, masks, control pictures.</summary>
public interface IConditionStage
{
    /// <summary>What the network is told with this stage's share.</summary>
    /// <param name="pass">The pass, with the conditions of the stages before.</param>
    /// <returns><see cref="StepPass.Conditions"/> with more in it. New tensors are fresh ones, of the open dispose scope and on the
    /// model's device.</returns>
    UNetConditions Add(StepPass pass);
}

/// <summary>A stage that changes captions before they are encoded: words that stand for several tokens, templates.</summary>
public interface ICaptionStage
{
    /// <summary>The caption with this stage's share.</summary>
    /// <param name="caption">As the stages before left it.</param>
    /// <param name="moment">Where it stands.</param>
    string Change(string caption, in CaptionMoment moment);
}

/// <summary>The moment at which a caption is encoded.</summary>
/// <param name="Batch">The batch.</param>
/// <param name="Index">The place of the sample in the batch.</param>
/// <param name="Random">The random streams of the run.</param>
public readonly record struct CaptionMoment(Batch Batch, int Index, TrainingRandom Random);

/// <summary>A stage that changes what the prediction is compared with.</summary>
public interface ITargetStage
{
    /// <summary>The target with this stage's share.</summary>
    /// <param name="target">As the stages before left it; at first what the noise and the latents say. As
    /// <see cref="StepPass.Latents"/>.</param>
    /// <param name="pass">The pass, with all its conditions.</param>
    /// <returns>As <paramref name="target"/>: itself, or a fresh tensor of the open dispose scope.</returns>
    Tensor Change(Tensor target, StepPass pass);
}

/// <summary>Cached latents where the batch has them; otherwise the VAE encodes its pixels with a fresh draw.</summary>
internal sealed class VaeLatentStage(StableDiffusionModel model, Generator random) : ILatentStage
{
    private readonly Device _device = model.Device;

    public Tensor Latents(Batch batch)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        if (batch.Latents is { } cached) return cached.to(_device).alias().MoveToOuterDisposeScope();
        var pixels = batch.Pixels ?? throw new InvalidOperationException("The batch has neither latents nor pixels.");
        var encoder = new VaeLatentEncoder(model);
        return (encoder.Encode(pixels).Sample(random, batch.Share) * encoder.ScalingFactor).MoveToOuterDisposeScope();
    }
}

/// <summary>Cached text-encoder states where the batch has them; otherwise the text encoder runs, with gradients when it is
/// trained.</summary>
internal sealed class PromptContextStage(PromptContextParts parts) : IContextStage
{
    public TextConditions Context(Batch batch)
    {
        using var scope = NewDisposeScope();
        if (batch.Text is { } cached) return cached.On(parts.Device).MoveToOuterDisposeScope();
        if (parts.Encoder is null)
            throw new InvalidOperationException("The text encoder was released, and the batch has no cached states.");
        using var gradients = set_grad_enabled(parts.Plan.TrainsTextEncoder && is_grad_enabled());
        return parts.Plan.Encode(parts.Encoder, Captions(batch)).MoveToOuterDisposeScope();
    }

    private IReadOnlyList<string> Captions(Batch batch)
    {
        if (parts.Captions.Count == 0) return batch.Captions;
        // Of a share, the whole batch's: what is drawn for a caption depends on those before it.
        var whole = batch.WithOthers();
        try
        {
            var captions = whole.Captions.ToArray();
            for (var i = 0; i < captions.Length; i++)
                foreach (var stage in parts.Captions) captions[i] = stage.Change(captions[i], new CaptionMoment(whole, i, parts.Random));
            return captions.Length == batch.Count ? captions : captions[batch.Share.First..(batch.Share.First + batch.Count)];
        }
        finally
        {
            if (whole != batch) whole.Dispose();
        }
    }
}

/// <summary>What captions are encoded with.</summary>
internal sealed record PromptContextParts(IPromptEncoder? Encoder, TrainingPlan Plan, Device Device, TrainingRandom Random)
{
    /// <summary>What changes captions first.</summary>
    public IReadOnlyList<ICaptionStage> Captions { get; init; } = [];
}
