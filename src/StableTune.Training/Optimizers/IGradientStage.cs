namespace StableTune.Optimizers;

/// <summary>What happens to gradients between backward pass and update: they are measured and clipped.</summary>
public interface IGradientStage : IValidated
{
    /// <summary>Changes the gradients in place.</summary>
    /// <param name="parameters">All tensors whose gradients count; those without a gradient are passed over.</param>
    /// <returns>The norm of all gradients together before it was changed: a scalar on the parameters' device, not yet read.</returns>
    Tensor Apply(IReadOnlyList<Tensor> parameters);
}

/// <summary>Scales all gradients together so that their norm is at most a limit, as <c>torch.nn.utils.clip_grad_norm_</c> does.</summary>
public sealed record ClipByNorm : OptionsBase, IGradientStage
{
    /// <summary>The largest norm; null only measures. Default 1.</summary>
    public double? MaxNorm { get; init; } = 1.0;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (MaxNorm is { } norm && !(norm > 0 && double.IsFinite(norm)))
            yield return Problem(MaxNorm, "the norm must be positive", "use null to turn clipping off");
    }

    /// <inheritdoc/>
    public Tensor Apply(IReadOnlyList<Tensor> parameters) => GradientNorm.ClipWithoutReading(parameters, MaxNorm);
}
