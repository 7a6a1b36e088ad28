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

    /// <summary>What is odd about training these groups in this way, but works: told when a run starts. Default none.</summary>
    /// <param name="groups">What it is to step, with the initial rates.</param>
    public virtual IEnumerable<string> Warnings(IReadOnlyList<ParameterGroup> groups) => [];

    /// <summary>Creates the optimizer.</summary>
    /// <param name="groups">What it is to step.</param>
    public abstract IOptimizer Create(IReadOnlyList<ParameterGroup> groups);
}
