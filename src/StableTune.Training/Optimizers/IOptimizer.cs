using StableTune.Training;

namespace StableTune.Optimizers;

/// <summary>Changes weights given their gradients.</summary>
public interface IOptimizer : IResumable, IDisposable
{
    /// <summary>The groups it steps, in the order of the learning rates given to <see cref="Step"/>.</summary>
    IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>One update of every parameter that has a gradient.</summary>
    /// <param name="info">Rates, and what else is known of the step.</param>
    void Step(in StepInfo info);

    /// <summary>
    /// The rate at which each group was changed in the last step. Optimizers that find their own rates (D-Adaptation, Prodigy, AdaFactor)
    /// report them here. Before the first step
    /// the groups' initial rates.
    /// </summary>
    IReadOnlyList<double> EffectiveRates { get; }

    /// <summary>
    /// What an optimizer that finds its own rate multiplies the rates by that it is given, so that they are the
    /// <see cref="EffectiveRates"/>: a scalar on the device, not yet read; it stays the optimizer's. Null, the default, for others.
    /// Logs tell the products as <c>lr/d*lr/unet</c>.
    /// </summary>
    Tensor? RateFactor => null;

    /// <summary>
    /// Puts the weights that are to be evaluated and saved in the place of those that are trained, until the result is disposed of; null,
    /// the default, where they are the same.
    /// Schedule-free optimizers and averages differ.
    /// </summary>
    IDisposable? UseEvaluationWeights() => null;
}

/// <summary>What an optimizer is told of a step.</summary>
/// <param name="LearningRates">The rate of each group, the schedule's factor included.</param>
/// <param name="Step">Optimizer steps done before this one.</param>
public readonly record struct StepInfo(IReadOnlyList<double> LearningRates, int Step)
{
    /// <summary>The mean loss of the step's batches; NaN where it is read later.</summary>
    public double Loss { get; init; } = double.NaN;

    /// <summary>
    /// Whether loss and gradients are finite, a scalar of bool on the parameters' device; null where that was looked at before. Where it
    /// is false nothing may change:
    /// <see cref="StatefulOptimizer"/> sees to that.
    /// </summary>
    public Tensor? IsFinite { get; init; }

    /// <summary>
    /// The parameters that are stepped now, where a step is taken piece by piece while gradients are computed (fused backward): others
    /// may have gradients already, and are not to be stepped yet. Null, the default, for all.
    /// </summary>
    public IReadOnlyCollection<Tensor>? Only { get; init; }
}
