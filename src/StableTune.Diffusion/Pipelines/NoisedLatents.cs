using StableTune.Samplers;

namespace StableTune.Diffusion;

/// <summary>Latents of a picture with the noise that a walk has at each of its places.</summary>
/// <param name="schedule">The forward process.</param>
/// <param name="times">The times of the whole walk.</param>
internal sealed class NoisedLatents(NoiseSchedule schedule, SamplingTimes times)
{
    /// <summary>Latents as the sampler holds them.</summary>
    /// <param name="original">Scaled latents of the picture, [B or 1, C, h, w].</param>
    /// <param name="noise">Standard normal noise, [B, C, h, w].</param>
    /// <param name="index">Before which step, from 0; the number of steps for the end.</param>
    /// <returns>A fresh tensor in the open dispose scope, [B, C, h, w].</returns>
    public Tensor At(Tensor original, Tensor noise, int index)
    {
        if (times.Sigmas.Count > 0) return original + noise * times.Sigmas[index];
        if (index == times.Timesteps.Count) return original + zeros_like(noise);
        var alpha = schedule.AlphasCumprod[(int)times.Timesteps[index]];
        return original * Math.Sqrt(alpha) + noise * Math.Sqrt(1 - alpha);
    }

    /// <summary>The later part of the walk.</summary>
    /// <param name="index">The first step that is left.</param>
    public SamplingTimes From(int index) => times with
    {
        Timesteps = [.. times.Timesteps.Skip(index)], Sigmas = [.. times.Sigmas.Skip(index)],
    };
}
