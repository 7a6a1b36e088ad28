using System.Collections.Immutable;

namespace StableTune.Optimizers;

/// <summary>What happens to gradients between backward pass and update: they are measured and clipped. Several compose by
/// <see cref="GradientStages"/>.</summary>
public interface IGradientStage : IValidated
{
    /// <summary>Changes the gradients in place.</summary>
    /// <param name="parameters">All tensors whose gradients count; those without a gradient are passed over.</param>
    /// <returns>The norm of all gradients together before it was changed: a scalar on the parameters' device, not yet read.</returns>
    Tensor Apply(IReadOnlyList<Tensor> parameters);

    /// <summary>
    /// Whether what happens to one parameter's gradient does not depend on the others', so that it can be done while they are still to be
    /// computed (fused backward). Default false.
    /// </summary>
    bool WorksOneByOne => false;
}

/// <summary>Scales all gradients together so that their norm is at most a limit, as <c>torch.nn.utils.clip_grad_norm_</c> does.</summary>
public sealed record ClipByNorm : OptionsBase, IGradientStage
{
    /// <summary>The largest norm; null only measures. Default 1.</summary>
    public double? MaxNorm { get; init; } = 1.0;

    /// <summary>Whether it only measures: the norm of all gradients is known only when all are there.</summary>
    public bool WorksOneByOne => MaxNorm is null;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (MaxNorm is { } norm && !(norm > 0 && double.IsFinite(norm)))
            yield return Problem(MaxNorm, "the norm must be positive", "use null to turn clipping off");
    }

    /// <inheritdoc/>
    public Tensor Apply(IReadOnlyList<Tensor> parameters) => GradientNorm.ClipWithoutReading(parameters, MaxNorm);
}

/// <summary>Brings every number of every gradient into [-limit, limit], as <c>torch.nn.utils.clip_grad_value_</c> does.</summary>
public sealed record ClipByValue : OptionsBase, IGradientStage
{
    /// <summary>The largest absolute value. Default 1.</summary>
    public double MaxValue { get; init; } = 1.0;

    /// <summary>True: numbers do not depend on each other.</summary>
    public bool WorksOneByOne => true;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(MaxValue > 0 && double.IsFinite(MaxValue)))
            yield return Problem(MaxValue, "the value must be positive", "leave the stage out to turn clipping off");
    }

    /// <inheritdoc/>
    /// <remarks>Infinite numbers are clipped too; the norm that is returned tells of them all the same.</remarks>
    public Tensor Apply(IReadOnlyList<Tensor> parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var norm = GradientNorm.ClipWithoutReading(parameters, null);
        foreach (var parameter in parameters) parameter.grad?.clamp_(-MaxValue, MaxValue);
        return norm.MoveToOuterDisposeScope();
    }
}

/// <summary>Several stages, one after another: clipping by value and then by norm, for instance.</summary>
/// <param name="Stages">The stages in their order.</param>
public sealed record GradientStages(ImmutableList<IGradientStage> Stages) : OptionsBase, IGradientStage
{
    /// <summary>Stages in their order.</summary>
    /// <param name="stages">At least one.</param>
    public GradientStages(params IGradientStage[] stages) : this(ImmutableList.Create(stages)) { }

    /// <summary>Whether all of them do.</summary>
    public bool WorksOneByOne => Stages.All(stage => stage.WorksOneByOne);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() => Stages.IsEmpty
        ? [Problem(Stages.Count, "there is no stage", "give one, or leave it unset", nameof(Stages))]
        : Stages.SelectMany(stage => stage.Validate());

    /// <inheritdoc/>
    public Tensor Apply(IReadOnlyList<Tensor> parameters)
    {
        using var scope = NewDisposeScope();
        var norms = Stages.Select(stage => stage.Apply(parameters)).ToList();
        return norms[0].MoveToOuterDisposeScope();
    }
}
