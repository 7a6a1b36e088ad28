using StableTune.Samplers;

namespace StableTune.Diffusion.Tests;

/// <summary>Heun's method: goes to the end of the step as Euler does, and goes again with the mean of the slopes at both ends.</summary>
public sealed record HeunSampler : SigmaSampler
{
    public override string Name => "Heun";

    protected override Tensor Step(SigmaStep step)
    {
        double sigma = step.From, next = step.To;
        var slope = (step.Latents - step.Denoised()) / sigma;
        var guess = step.Latents + slope * (next - sigma);
        if (next == 0) return guess;                          // the image has no slope

        var slopeThere = (guess - step.Denoised(guess, next)) / next;
        return step.Latents + (slope + slopeThere) * ((next - sigma) / 2);
    }
}
