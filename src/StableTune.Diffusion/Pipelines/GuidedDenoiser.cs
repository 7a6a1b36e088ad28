using StableTune.Models;

namespace StableTune.Diffusion;

/// <summary>A model with its prompts, as the sampler sees it: ε_u + g (ε_c - ε_u), both calls in one batch.</summary>
/// <remarks>Ho and Salimans, Classifier-free diffusion guidance, arXiv:2207.12598. The batch holds negative before positive.</remarks>
/// <param name="model">The model.</param>
/// <param name="conditions">Of negative and positive prompt, [2, ...]; of the positive alone, [1, ...], when not guided.</param>
/// <param name="guidance">g.</param>
internal sealed class GuidedDenoiser(ITextToImageModel model, UNetConditions conditions, double guidance)
{
    /// <summary>Whether a guidance needs the unconditional call: only above 1, as in the reference.</summary>
    internal static bool IsGuided(double guidance) => guidance > 1;

    /// <summary>The guided prediction for latents [B, C, h, w].</summary>
    internal Tensor Predict(Tensor input, double timestep)
    {
        using var scope = NewDisposeScope();
        var count = input.shape[0];
        if (!IsGuided(guidance)) return model.Predict(input, Times(timestep, count, input.device), Each(count)).MoveToOuterDisposeScope();

        var both = model.Predict(cat([input, input], 0), Times(timestep, 2 * count, input.device), Each(count));
        var (unconditional, conditional) = (both.narrow(0, 0, count), both.narrow(0, count, count));
        return (unconditional + (conditional - unconditional) * guidance).MoveToOuterDisposeScope();
    }

    /// <summary>The conditions of each prompt for every picture. The picture to paint into is one for all, and stays so.</summary>
    private UNetConditions Each(long count) => conditions with
    {
        Context = conditions.Context.repeat_interleave(count, 0),
        Added = conditions.Added is var (pooled, sizes)
            ? new AddedConditions(pooled.repeat_interleave(count, 0), sizes.repeat_interleave(count, 0)) : null,
    };

    /// <summary>The time of every sample, [B]: int64 as in training where it is whole, else float32.</summary>
    private static Tensor Times(double timestep, long count, Device device) => timestep == Math.Floor(timestep)
        ? full([count], (long)timestep, dtype: ScalarType.Int64, device: device)
        : full([count], timestep, dtype: ScalarType.Float32, device: device);
}
