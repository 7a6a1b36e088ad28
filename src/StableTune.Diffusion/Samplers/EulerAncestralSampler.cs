namespace StableTune.Samplers;

/// <summary>
/// Ancestral Euler: each step goes below its noise level and comes back up with fresh noise. As many model calls as steps; pictures change
/// with the number of steps.
/// </summary>
/// <remarks>
/// The ancestral step is that of Song et al., Score-based generative modeling through stochastic differential equations, arXiv:2011.13456,
/// appendix F, in the noise levels of Karras et al., arXiv:2206.00364.
/// </remarks>
public sealed record EulerAncestralSampler : SigmaSampler
{
    /// <inheritdoc/>
    public override string Name => UseKarrasSigmas ? "Euler a Karras" : "Euler a";

    /// <inheritdoc/>
    protected override Tensor Step(SigmaStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        double sigma = step.From, next = step.To;
        var up = next * Math.Sqrt(1 - next * next / (sigma * sigma));   // the noise that comes back
        var down = next * next / sigma;                                 // √(next² - up²)
        var derivative = (step.Latents - step.Denoised()) / sigma;
        return step.Latents + derivative * (down - sigma) + step.Noise() * up;
    }
}
