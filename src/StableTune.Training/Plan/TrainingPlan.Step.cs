using StableTune.Optimizers;

namespace StableTune;

public sealed partial record TrainingPlan
{
    /// <summary>The value to which every number of every gradient is clipped, before the norm is; null, the default, turns it
    /// off.</summary>
    public double? MaxGradientValue { get; init; }

    /// <summary>Steps each parameter inside the backward pass and frees its gradient; null, the default, steps all together.</summary>
    public FusedBackwardOptions? FusedBackward { get; init; }

    /// <summary>What happens to a step whose loss or gradients are not finite. Default: the run ends.</summary>
    public NonFiniteOptions NonFinite { get; init; } = new();

    /// <summary>How losses are scaled in float16; not looked at in other formats.</summary>
    public LossScalingOptions LossScaling { get; init; } = new();

    /// <summary>A moving average of what is trained; null, the default, keeps none.</summary>
    public EmaOptions? Ema { get; init; }

    /// <summary>What happens to gradients before the update.</summary>
    internal IGradientStage EffectiveGradients
    {
        get
        {
            if (Gradients is not null) return Gradients;
            var byNorm = new ClipByNorm { MaxNorm = MaxGradientNorm };
            return MaxGradientValue is { } most ? new GradientStages(new ClipByValue { MaxValue = most }, byNorm) : byNorm;
        }
    }

    private IEnumerable<OptionProblem> GradientProblems()
    {
        if (MaxGradientNorm is { } norm && !(norm > 0 && double.IsFinite(norm)))
            yield return Problem(MaxGradientNorm, "the norm must be positive", "use null to turn clipping off");
        if (MaxGradientValue is { } most && !(most > 0 && double.IsFinite(most)))
            yield return Problem(MaxGradientValue, "the value must be positive", "use null to turn clipping off");
        if (MaxGradientValue is not null && Gradients is not null)
            yield return Problem(MaxGradientValue, "gradients are treated by a stage that was given (TrainingPlan.Gradients), so it is not "
                + "looked at", "put ClipByValue into that stage with GradientStages, or leave it unset");
        if (Ema is not null && Optimizer.HasEvaluationWeights)
            yield return Problem(Ema, $"the optimizer ({Optimizer.GetType().Name}) averages weights itself",
                "leave it unset, or use another optimizer", nameof(Ema));
        foreach (var problem in NonFinite.Validate().Concat(LossScaling.Validate()).Concat(Ema?.Validate() ?? [])) yield return problem;
        foreach (var problem in FusedBackward?.Validate().Concat(FusedBackward.Fits(this)) ?? []) yield return problem;
    }
}
