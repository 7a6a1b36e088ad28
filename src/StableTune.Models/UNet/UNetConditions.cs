using StableTune.Tensors;

namespace StableTune.Models;

/// <summary>All that a UNet is told besides noisy latents and time.</summary>
/// <param name="Context">Text context, [B, L, C]; or one for each of the K <see cref="CrossAttentionLayers"/>, [B, K, L, C].</param>
public sealed record UNetConditions(Tensor Context)
{
    /// <summary>SDXL's pooled text and sizes; null for other models.</summary>
    public AddedConditions? Added { get; init; }

    /// <summary>An inpainting model's mask and picture; null for other models.</summary>
    public InpaintingInput? Inpainting { get; init; }

    /// <summary>A depth model's map; null for other models.</summary>
    public DepthInput? Depth { get; init; }

    /// <summary>What is added to the UNet's skip connections and its middle: ControlNets, their residuals summed. Default none.</summary>
    public IReadOnlyList<IUNetControl> Controls { get; init; } = [];
}

/// <summary>What SDXL's UNet is told besides the text: both null for the other models.</summary>
/// <param name="PooledEmbeds">Pooled text embedding, [B, 1280].</param>
/// <param name="TimeIds">Original height and width, crop top and left, target height and width in pixels, [B, 6]; see
/// <see cref="MicroConditioning"/>.</param>
public sealed record AddedConditions(Tensor PooledEmbeds, Tensor TimeIds);
