using StableTune.Tensors;

namespace StableTune.Models;

/// <summary>What an inpainting model's UNet sees beside the noisy latents: where to paint, and the picture with that part left
/// out.</summary>
/// <remarks>The UNet's 9 channels are the noisy latents (4), the mask (1) and these latents (4), in this order.</remarks>
/// <param name="Mask">1 where the model paints, 0 where the picture stays, [B, 1, h, w]; one for all samples with B = 1.</param>
/// <param name="MaskedLatents">Latents of the picture with the masked part grey, times the VAE's scaling factor, [B, 4, h, w] or [1, 4,
/// h, w].</param>
public sealed record InpaintingInput(Tensor Mask, Tensor MaskedLatents)
{
    /// <summary>Makes the input from a picture and a mask.</summary>
    /// <param name="vae">The model's VAE.</param>
    /// <param name="pixels">Pictures in -1 ... 1, [B, 3, H, W].</param>
    /// <param name="mask">1 where the model shall paint, [B, 1, H, W]; from 0.5 on a pixel counts as masked.</param>
    /// <param name="random">What the latents are drawn with; null takes the mean of their distribution.</param>
    /// <param name="share">Which samples of a batch these are, where several devices share it; null for a whole batch.</param>
    /// <returns>Tensors in the caller's dispose scope, on the device of the pixels.</returns>
    /// <exception cref="ArgumentException">Picture and mask differ in size.</exception>
    public static InpaintingInput From(AutoencoderKL vae, Tensor pixels, Tensor mask, Generator? random = null,
        BatchShare? share = null)
    {
        ArgumentNullException.ThrowIfNull(vae);
        if (mask.dim() != 4 || mask.shape[1] != 1 || !mask.shape[2..].SequenceEqual(pixels.shape[2..]))
            throw new ArgumentException(
                $"The mask is of shape [{string.Join(", ", mask.shape)}], the picture of [{string.Join(", ", pixels.shape)}]: the mask "
                    + $"must be [B, 1, height, width] of the same size.",
                nameof(mask));
        using var scope = NewDisposeScope();
        var kept = pixels * mask.lt(0.5).to(pixels.dtype);
        var distribution = vae.Encode(kept);
        var noise = random is null ? null
            : Normal(distribution.Mean.shape, random, share).to(distribution.Mean.device)
            .to(distribution.Mean.dtype);
        var latents = (noise is null ? distribution.Mean : distribution.Sample(noise)) * vae.Options.ScalingFactor;
        var small = nn.functional.interpolate(mask, size: [latents.shape[2], latents.shape[3]], mode: InterpolationMode.Nearest);
        return new InpaintingInput(small.ge(0.5).to(latents.dtype).MoveToOuterDisposeScope(), latents.MoveToOuterDisposeScope());
    }

    private static Tensor Normal(long[] shape, Generator random, BatchShare? share) => share is { IsWhole: false } part
        ? part.Cut(randn([part.Total, .. shape[1..]], dtype: ScalarType.Float32, generator: random))
        : randn(shape, dtype: ScalarType.Float32, generator: random);

    /// <summary>The UNet's input.</summary>
    /// <param name="latents">Noisy latents, scaled as the sampler does, [B, 4, h, w].</param>
    /// <returns>[B, 9, h, w], in the type of the latents.</returns>
    public Tensor Join(Tensor latents)
    {
        using var scope = NewDisposeScope();
        Tensor Fit(Tensor part) => part.to(latents.device).to(latents.dtype).expand(latents.shape[0], -1, -1, -1);
        return cat([latents, Fit(Mask), Fit(MaskedLatents)], 1).MoveToOuterDisposeScope();
    }
}
