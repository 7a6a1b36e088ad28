namespace StableTune.Samplers;

/// <summary>
/// Heun's method: goes to the end of the step as Euler does, and goes again with the mean of the slopes at both ends. Deterministic, two
/// model calls a step but for the last.
/// </summary>
/// <remarks>Karras et al., Elucidating the design space of diffusion-based generative models, arXiv:2206.00364, algorithm 1 without added
/// noise. The samples that sd-scripts draws while it trains clip the predicted image to ±1 (<see cref="ClipOriginal"/>).</remarks>
public sealed record HeunSampler : SigmaSampler
{
    /// <inheritdoc/>
    public override string Name => UseKarrasSigmas ? "Heun Karras" : "Heun";

    /// <summary>Whether the predicted image is clipped to ±1 at every step (<c>clip_sample</c>). Default no.</summary>
    public bool ClipOriginal { get; init; }

    /// <inheritdoc/>
    protected override Tensor Step(SigmaStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        double sigma = step.From, next = step.To;
        var slope = (step.Latents - Clipped(step.Denoised())) / sigma;
        var guess = step.Latents + slope * (next - sigma);
        if (next == 0) return guess;                          // the image has no slope
        var slopeThere = (guess - Clipped(step.Denoised(guess, next))) / next;
        return step.Latents + (slope + slopeThere) * ((next - sigma) / 2);
    }

    private Tensor Clipped(Tensor original) => ClipOriginal ? original.clamp(-1, 1) : original;
}
