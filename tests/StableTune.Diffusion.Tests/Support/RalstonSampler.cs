using StableTune.Samplers;

namespace StableTune.Diffusion.Tests;

/// <summary>Ralston's method: goes two thirds of the step, and goes all of it with a weighted mean of the slopes at both places.</summary>
public sealed record RalstonSampler : SigmaSampler
{
    public override string Name => "Ralston";

    protected override Tensor Step(SigmaStep step)
    {
        double sigma = step.From, width = step.To - step.From, between = sigma + width * 2 / 3;
        var slope = (step.Latents - step.Denoised()) / sigma;
        var there = step.Latents + slope * (between - sigma);
        var slopeThere = (there - step.Denoised(there, between)) / between;
        return step.Latents + (slope + slopeThere * 3) * (width / 4);
    }
}
