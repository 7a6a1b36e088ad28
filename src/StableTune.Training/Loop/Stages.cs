using StableTune.Data;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Training;

/// <summary>The stage that gives a batch's latents.</summary>
public interface ILatentStage
{
    /// <summary>Latents of a batch, times the VAE's scaling factor: [B, 4, H/8, W/8], float32, on the model's device. A fresh tensor.</summary>
    Tensor Latents(Batch batch);
}

/// <summary>The stage that gives a batch's text conditions.</summary>
public interface IContextStage
{
    /// <summary>
    /// Text-encoder states of a batch, [B, L, C], and for SDXL the pooled output, [B, D]: on the model's device, with a gradient path where the text
    /// encoder is trained. Fresh tensors.
    /// </summary>
    TextConditions Context(Batch batch);
}

/// <summary>A stage that adds to what the UNet is told besides the text: sizes, masks, control pictures.</summary>
public interface IConditionStage
{
    /// <summary>What the UNet is told with this stage's share.</summary>
    /// <param name="pass">The pass, with the conditions of the stages before.</param>
    /// <returns><see cref="StepPass.Conditions"/> with more in it. New tensors are fresh ones, of the open dispose scope and on the model's device.</returns>
    UNetConditions Add(StepPass pass);
}

/// <summary>A stage that changes what the prediction shall come near.</summary>
public interface IGoalStage
{
    /// <summary>The goal with this stage's share.</summary>
    /// <param name="goal">As the stages before left it; at first what the noise and the latents say. As <see cref="StepPass.Latents"/>.</param>
    /// <param name="pass">The pass, with all its conditions.</param>
    /// <returns>As <paramref name="goal"/>: itself, or a fresh tensor of the open dispose scope.</returns>
    Tensor Change(Tensor goal, StepPass pass);
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
        return (encoder.Encode(pixels).Sample(random) * encoder.ScalingFactor).MoveToOuterDisposeScope();
    }
}

/// <summary>Cached text-encoder states where the batch has them; otherwise the text encoder runs, with gradients when it is trained.</summary>
internal sealed class PromptContextStage(IPromptEncoder? encoder, TrainingPlan plan, Device device) : IContextStage
{
    public TextConditions Context(Batch batch)
    {
        using var scope = NewDisposeScope();
        if (batch.Text is { } cached) return cached.On(device).MoveToOuterDisposeScope();
        if (encoder is null) throw new InvalidOperationException("The text encoder was released, and the batch has no cached states.");
        using var gradients = set_grad_enabled(plan.TrainsTextEncoder && is_grad_enabled());
        return plan.Encode(encoder, batch.Captions).MoveToOuterDisposeScope();
    }
}
