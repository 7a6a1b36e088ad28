namespace StableTune.Samplers;

/// <summary>
/// DPM2 that goes below its noise level and comes back up with fresh noise in each step ("DPM2 a"). Two model calls a step but for the
/// last; pictures change with the number of steps.
/// </summary>
/// <remarks>
/// <see cref="Dpm2Sampler"/> with the ancestral step of <see cref="EulerAncestralSampler"/>. The middle of the way from σ down to σ'²/σ is
/// just the next level σ'.
/// </remarks>
public sealed record Dpm2AncestralSampler : SigmaSampler
{
    /// <inheritdoc/>
    public override string Name => UseKarrasSigmas ? "DPM2 a Karras" : "DPM2 a";

    /// <inheritdoc/>
    protected override bool RoundsKarrasTimes => true;

    /// <inheritdoc/>
    protected override Tensor Step(SigmaStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        double sigma = step.From, next = step.To;
        var slope = (step.Latents - step.Denoised()) / sigma;
        if (next == 0) return step.Latents - slope * sigma;
        var up = next * Math.Sqrt(1 - next * next / (sigma * sigma));   // the noise that comes back
        var down = next * next / sigma;                                 // √(next² - up²)
        var there = step.Latents + slope * (next - sigma);
        var moved = step.Latents + (there - step.Denoised(there, next)) * ((down - sigma) / next);
        return moved + step.Noise() * up;
    }
}
