using StableTune.Diffusion;

namespace StableTune;

/// <summary>
/// Adds one number to all noise of a channel, so that a model can learn brightness: very dark and very light pictures (sd-scripts:
/// <c>noise_offset</c>). noise + offset · N(0, 1), one draw for each sample and channel.
/// </summary>
/// <remarks>Guttenberg, Diffusion with offset noise, crosslabs.org, 2023.</remarks>
public sealed record OffsetNoise : NoiseLayer
{
    /// <summary>The strength, above 0. Default 0.1; 0.05 to 0.1 is customary.</summary>
    public double Offset { get; init; } = 0.1;

    /// <summary>Whether each batch draws its strength evenly between 0 and <see cref="Offset"/>
    /// (<c>noise_offset_random_strength</c>). Default false.</summary>
    public bool RandomStrength { get; init; }

    /// <summary>
    /// How much stronger the offset is where a channel's mean is far from 0 (<c>adaptive_noise_scale</c>): the offset becomes
    /// <c>max(0, Offset + AdaptiveScale · |mean|)</c> for each sample and channel, of the scaled latents. A tenth of the offset up to the
    /// offset itself is customary; negative weakens. Null, the default, for the same offset everywhere.
    /// </summary>
    public double? AdaptiveScale { get; init; }

    private protected override int Place => 1;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(Offset > 0 && double.IsFinite(Offset)))
            yield return Problem(Offset, "the offset must be positive", "0.05 to 0.1 is customary; leave the layer out for none");
        if (AdaptiveScale is { } scale && !double.IsFinite(scale))
            yield return Problem(AdaptiveScale, "the scale must be a number", "a tenth of the offset up to the offset is customary");
        foreach (var problem in base.Validate()) yield return problem;
    }

    internal override Tensor Changed(Tensor latents, Tensor noise, NoiseDraws draws)
    {
        using var scope = NewDisposeScope();
        var strength = draws.Strength(Offset, RandomStrength);
        var normal = draws.Normal([latents.shape[0], latents.shape[1], 1, 1], latents);              // [B, C, 1, 1]
        if (AdaptiveScale is not { } scale) return (noise + normal * strength).MoveToOuterDisposeScope();
        var means = latents.to(ScalarType.Float32).mean([2L, 3L], keepdim: true).abs();               // [B, C, 1, 1]
        return (noise + normal * (means * scale + strength).clamp(min: 0)).MoveToOuterDisposeScope();
    }
}
