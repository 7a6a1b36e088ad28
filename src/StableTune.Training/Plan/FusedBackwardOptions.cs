namespace StableTune;

/// <summary>
/// Steps each parameter inside the backward pass, as soon as its gradient is there, and frees the gradient (sd-scripts:
/// <c>fused_backward_pass</c>): the gradients of a whole model are never there at once. What is learnt is the same, bit for bit.
/// </summary>
/// <remarks>
/// Gradients are taken at the layers of <c>StableTune.Torch</c>. What is trained otherwise, such as adapters' factors, is stepped when the
/// backward pass is over.
/// </remarks>
public sealed record FusedBackwardOptions : OptionsBase
{
    /// <summary>
    /// How many groups of parameters are stepped, each when all its gradients are there (sd-scripts: <c>fused_optimizer_groups</c>): fewer,
    /// larger updates, and more memory. Null, the default, steps each parameter alone.
    /// </summary>
    public int? Groups { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Groups < 1) yield return Problem(Groups, "there is at least one group", "leave it unset to step each parameter alone");
    }

    /// <summary>What does not go together with it.</summary>
    internal IEnumerable<OptionProblem> Fits(TrainingPlan plan)
    {
        const string option = $"{nameof(TrainingPlan)}.{nameof(TrainingPlan.FusedBackward)}";
        OptionProblem Refused(string why, string remedy) => new(option, "set", why, remedy);
        if (!plan.Optimizer.StepsOneByOne)
            yield return Refused($"the optimizer ({plan.Optimizer.GetType().Name}) looks at all parameters together",
                "use another, such as AdaFactorOptions or AdamW8bitOptions, or leave it unset");
        if (plan.GradientAccumulation > 1)
            yield return Refused($"gradients of {plan.GradientAccumulation} batches (TrainingPlan.GradientAccumulation) are to be kept "
                + "until they are complete", "set one of them only");
        if (!plan.EffectiveGradients.WorksOneByOne)
            yield return Refused("the norm of all gradients, by which they are clipped, is known only when all are there",
                "call WithMaxGradientNorm(null) (max_grad_norm = 0); clipping by value goes with it");
        if (plan.Precision.ScalesLoss)
            yield return Refused("in float16 a step is taken only when no gradient of it overflows, which is known only when all are there",
                "use PrecisionPolicy.BFloat16, or leave it unset");
        if (plan.NonFinite.Skip)
            yield return Refused("a step is left out only where all of its gradients are known to be finite (TrainingPlan.NonFinite)",
                "set one of them only");
        if (plan.ReadsLossLate == true)
            yield return Refused("the loss is to be read before the first parameter is stepped (TrainingPlan.ReadsLossLate)",
                "set one of them only");
    }
}
