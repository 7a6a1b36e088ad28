using StableTune.Diffusion;

namespace StableTune.Samplers;

/// <summary>A way from noise to an image: a function of a denoiser, a start and times. It knows no model and no prompt.</summary>
/// <remarks>
/// A sampler keeps no state between calls of <see cref="Sample"/>. Most samplers derive from <see cref="SigmaSampler"/> (noise levels) or
/// <see cref="AlphaSampler"/> (ᾱ), which leave them one method to write: a step.
/// </remarks>
public interface ISampler
{
    /// <summary>The name that people know it by, as written into pictures: "DDIM", "Euler".</summary>
    string Name { get; }

    /// <summary>The times that this sampler walks through.</summary>
    /// <param name="schedule">The forward process the model was trained with.</param>
    /// <param name="steps">The number of steps, 1 to <see cref="NoiseSchedule.Count"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">So many steps do not fit into the schedule.</exception>
    SamplingTimes Times(NoiseSchedule schedule, int steps);

    /// <summary>Walks from noise to an image, without gradients.</summary>
    /// <param name="denoiser">The model.</param>
    /// <param name="latents">The start, [B, C, h, w]: standard normal noise times <see cref="SamplingTimes.InitialSigma"/>.</param>
    /// <param name="times">What <see cref="Times"/> gave, or the later part of it.</param>
    /// <param name="context">The forward process, the kind of prediction, noise, progress and cancellation.</param>
    /// <returns>Scaled latents of the image, a fresh tensor, as <paramref name="latents"/>.</returns>
    /// <exception cref="OperationCanceledException">The context's token was cancelled; looked at between steps.</exception>
    Tensor Sample(Denoiser denoiser, Tensor latents, SamplingTimes times, SamplingContext context);
}

/// <summary>What a sampler asks of a model.</summary>
/// <param name="input">Noisy latents, scaled so that their variance is 1 as in training, [B, C, h, w]. Not to be disposed.</param>
/// <param name="timestep">The time of all samples, 0 to T - 1; some samplers ask between whole numbers.</param>
/// <returns>The model's prediction, a fresh tensor, as the input.</returns>
public delegate Tensor Denoiser(Tensor input, double timestep);

/// <summary>
/// Draws the standard normal noise that a sampler adds between two noise levels. Plain noise needs no levels; a Brownian tree takes them,
/// and gives the same path for any number of steps.
/// </summary>
/// <param name="like">A tensor whose shape, dtype and device the noise takes.</param>
/// <param name="from">The noise level σ where the interval begins.</param>
/// <param name="to">The noise level σ where the interval ends: lower, 0 at the image.</param>
/// <returns>A fresh tensor of variance 1, whatever the interval.</returns>
public delegate Tensor NoiseDraw(Tensor like, double from, double to);
