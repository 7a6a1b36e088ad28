namespace StableTune.Optimizers;

/// <summary>Options of an optimizer; creates it for the parameters of a run. A new kind is a record derived from this one and a
/// <see cref="StatefulOptimizer"/>.</summary>
public abstract record OptimizerOptions : OptionsBase
{
    /// <summary>
    /// The optimizer as metadata names it (<c>ss_optimizer</c>), with the arguments that differ from its defaults. The default names the
    /// options' type; only kinds that other
    /// programs know by a name override it.
    /// </summary>
    public virtual string ReferenceName => GetType().FullName ?? GetType().Name;

    /// <summary>Whether one parameter can be stepped without the others, so that its gradient can be freed at once (fused backward).
    /// Default true.</summary>
    public virtual bool StepsOneByOne => true;

    /// <summary>
    /// Whether other weights are evaluated and saved than those that are trained (<see cref="IOptimizer.UseEvaluationWeights"/>), as
    /// schedule-free optimizers have them. A run with such an optimizer keeps no moving average beside it. Default false.
    /// </summary>
    public virtual bool HasEvaluationWeights => false;

    /// <summary>Creates the optimizer.</summary>
    /// <param name="groups">What it is to step.</param>
    public abstract IOptimizer Create(IReadOnlyList<ParameterGroup> groups);
}
