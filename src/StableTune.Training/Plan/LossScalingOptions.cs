namespace StableTune;

/// <summary>
/// How losses are scaled where a run computes in float16: gradients below 6e-8 would become 0, so the loss is multiplied by a scale before
/// the backward pass and gradients are divided by it before the update. A step whose gradients overflow is not taken, and halves the scale.
/// </summary>
/// <remarks>Micikevicius et al., Mixed precision training, arXiv:1710.03740; as <c>torch.amp.GradScaler</c>.</remarks>
public sealed record LossScalingOptions : OptionsBase
{
    /// <summary>The scale of the first step. Default 65536.</summary>
    public double Start { get; init; } = 65536;

    /// <summary>Good steps in a row after which the scale doubles. Default 2000.</summary>
    public int GrowAfter { get; init; } = 2000;

    /// <summary>
    /// Where gradients overflow with this scale or a smaller one, scaling is not what makes them: they are treated as
    /// <see cref="TrainingPlan.NonFinite"/> says. Default 1.
    /// </summary>
    public double Least { get; init; } = 1;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(Start > 0 && Start <= 1e30))
            yield return Problem(Start, "the scale must be positive, and at most 1e30", "65536 is customary");
        if (GrowAfter < 1) yield return Problem(GrowAfter, "the scale grows after at least 1 step", "2000 is customary");
        if (!(Least > 0 && Least <= Start))
            yield return Problem(Least, $"it must be positive, and at most {nameof(Start)}", "1 is customary");
    }
}
