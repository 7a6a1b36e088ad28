namespace StableTune.Samplers;

/// <summary>Euler's method on the probability-flow equation, without churn: deterministic, as many model calls as steps.</summary>
/// <remarks>
/// Karras et al., Elucidating the design space of diffusion-based generative models, arXiv:2206.00364, algorithm 2 with S_churn = 0.
/// </remarks>
public sealed record EulerSampler : SigmaSampler
{
    /// <inheritdoc/>
    public override string Name => UseKarrasSigmas ? "Euler Karras" : "Euler";

    /// <inheritdoc/>
    protected override Tensor Step(SigmaStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        var derivative = (step.Latents - step.Denoised()) / step.From;
        return step.Latents + derivative * (step.To - step.From);
    }
}
