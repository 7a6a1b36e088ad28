namespace StableTune.Samplers;

/// <summary>
/// The midpoint method of DPM-Solver-2 ("DPM2"): goes half of the step as logarithms count, and goes all of it with the slope there.
/// Deterministic, two model calls a step but for the last.
/// </summary>
/// <remarks>Lu et al., DPM-Solver, arXiv:2206.00927, in the noise levels of Karras et al., arXiv:2206.00364, with r = 1/2.</remarks>
public sealed record Dpm2Sampler : SigmaSampler
{
    /// <inheritdoc/>
    public override string Name => UseKarrasSigmas ? "DPM2 Karras" : "DPM2";

    /// <inheritdoc/>
    protected override bool RoundsKarrasTimes => true;

    /// <inheritdoc/>
    protected override Tensor Step(SigmaStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        double sigma = step.From, next = step.To;
        var slope = (step.Latents - step.Denoised()) / sigma;
        if (next == 0) return step.Latents - slope * sigma;       // there is no middle
        var middle = Math.Sqrt(sigma * next);
        var there = step.Latents + slope * (middle - sigma);
        return step.Latents + (there - step.Denoised(there, middle)) * ((next - sigma) / middle);
    }
}
