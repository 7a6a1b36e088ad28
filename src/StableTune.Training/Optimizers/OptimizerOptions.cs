using System.Runtime.CompilerServices;
using StableTune.Schedules;

namespace StableTune.Optimizers;

/// <summary>Options of an optimizer; creates it for the parameters of a run. A new kind is a record derived from this one and a
/// <see cref="StatefulOptimizer"/>.</summary>
public abstract record OptimizerOptions : OptionsBase
{
    /// <summary>
    /// Whether weights in bfloat16 are rounded up or down at random after a step, each in proportion to how near it is, so that steps much
    /// smaller than the weight's last bit count on average. Weights in float32 are not rounded. The random numbers are the optimizer's own
    /// and part of its state. Default false: to the nearest, which loses such steps.
    /// </summary>
    /// <remarks>Looked at by the optimizers that come with StableTune, and by every <see cref="FlatOptimizer"/>; another optimizer of a
    /// host puts its weights back by <see cref="StatefulOptimizer.PutWeights"/>.</remarks>
    public bool StochasticRounding { get; init; }

    /// <summary>
    /// The optimizer as metadata names it (<c>ss_optimizer</c>), with the arguments that differ from its defaults. The default names the
    /// options' type; only kinds that other
    /// programs know by a name override it.
    /// </summary>
    public virtual string ReferenceName => GetType().FullName ?? GetType().Name;

    /// <summary>Whether one parameter can be stepped without the others, so that its gradient can be freed at once (fused backward).
    /// Default true.</summary>
    public virtual bool StepsOneByOne => true;

    /// <summary>Whether what it remembers lies in host memory, wherever the parameters are. Default false.</summary>
    public virtual bool KeepsStateInHostMemory => false;

    /// <summary>
    /// Whether other weights are evaluated and saved than those that are trained (<see cref="IOptimizer.UseEvaluationWeights"/>), as
    /// schedule-free optimizers have them. A run with such an optimizer keeps no moving average beside it. Default false.
    /// </summary>
    public virtual bool HasEvaluationWeights => false;

    /// <summary>Creates the optimizer.</summary>
    /// <param name="groups">What it is to step.</param>
    public abstract IOptimizer Create(IReadOnlyList<ParameterGroup> groups);

    /// <summary>The schedule that a run with this optimizer follows. Default the plan's; optimizers that need none give one that does
    /// nothing.</summary>
    /// <param name="plan">The options of the run.</param>
    public virtual LrScheduleOptions ScheduleOf(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return plan.Schedule;
    }

    /// <summary>What is wrong with it in this plan, besides what <see cref="IValidated.Validate"/> finds. Default nothing.</summary>
    /// <param name="plan">The options of the run.</param>
    public virtual IEnumerable<OptionProblem> Fits(TrainingPlan plan) => [];

    /// <summary>What is odd about it in this plan but works, a sentence or two each; told when the run starts. Default nothing.</summary>
    /// <param name="plan">The options of the run.</param>
    public virtual IEnumerable<string> Warnings(TrainingPlan plan) => [];

    /// <summary>What is odd about these learning rates but works, a sentence or two each; told when the run starts. Default
    /// nothing.</summary>
    /// <param name="groups">What it is to step, with the initial rates.</param>
    public virtual IEnumerable<string> RateWarnings(IReadOnlyList<ParameterGroup> groups) => [];

    /// <summary>A share that is kept from step to step must lie in [0, 1).</summary>
    private protected IEnumerable<OptionProblem> Share(double value, string usual,
        [CallerArgumentExpression(nameof(value))] string name = "") =>
        value is >= 0 and < 1 ? [] : [Problem(value, "it must lie in [0, 1)", $"{usual} is customary", name)];

    /// <summary>A number must be 0 or more, and finite.</summary>
    private protected IEnumerable<OptionProblem> NotNegative(double value, string advice,
        [CallerArgumentExpression(nameof(value))] string name = "") =>
        value is >= 0 and < double.PositiveInfinity ? [] : [Problem(value, "it must not be negative", advice, name)];

    /// <summary>A number must be above 0, and finite.</summary>
    private protected IEnumerable<OptionProblem> Positive(double value, string usual,
        [CallerArgumentExpression(nameof(value))] string name = "") =>
        value is > 0 and < double.PositiveInfinity ? [] : [Problem(value, "it must be positive", $"{usual} is customary", name)];
}
