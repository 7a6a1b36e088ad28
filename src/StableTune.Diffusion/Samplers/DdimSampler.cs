namespace StableTune.Samplers;

/// <summary>DDIM: deterministic for <see cref="Eta"/> 0, as many model calls as steps.</summary>
/// <remarks>
/// Song et al., Denoising diffusion implicit models, arXiv:2010.02502, equation 12.
/// The samples that sd-scripts draws while it trains clip the predicted image to ±1 (<see cref="ClipOriginal"/>), which flattens
/// the contrast of latents; here that is off unless asked for. The scheduler files of published models have
/// <see cref="AlphaSampler.StepsOffset"/> 1 and <see cref="AlphaSampler.EndsAtImage"/> false.
/// </remarks>
public sealed record DdimSampler : AlphaSampler
{
    /// <inheritdoc/>
    public override string Name => "DDIM";

    /// <summary>Whether the predicted image is clipped to ±1 at every step (<c>clip_sample</c>). Default no.</summary>
    public bool ClipOriginal { get; init; }

    /// <summary>How much noise is added on the way: 0 none, 1 as much as DDPM. Default 0.</summary>
    public double Eta { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (!(Eta >= 0 && Eta <= 1)) yield return Problem(Eta, "eta must lie between 0 and 1", "0 is deterministic");
    }

    /// <inheritdoc/>
    protected override Tensor Step(AlphaStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        var (alpha, next) = (step.Alpha, step.NextAlpha);
        var predicted = step.Predicted();                   // [B, C, h, w]
        var original = step.OriginalOf(predicted);
        if (ClipOriginal) original = original.clamp(-1, 1);
        var noise = step.NoiseOf(predicted);                // of the prediction itself: clipping does not change it

        var variance = (1 - next) / (1 - alpha) * (1 - alpha / next);
        var sigma = Eta * Math.Sqrt(variance);
        var moved = original * Math.Sqrt(next) + noise * Math.Sqrt(Math.Max(0, 1 - next - sigma * sigma));
        return Eta > 0 ? moved + step.Noise() * sigma : moved;
    }
}
