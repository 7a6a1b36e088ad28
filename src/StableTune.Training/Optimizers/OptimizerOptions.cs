using StableTune.Training;

namespace StableTune.Optimizers;

/// <summary>Options of an optimizer; creates it for the parameters of a run.</summary>
public abstract record OptimizerOptions : OptionsBase
{
    /// <summary>The optimizer as metadata names it (<c>ss_optimizer</c>), with its arguments.</summary>
    public abstract string ReferenceName { get; }

    /// <summary>Creates the optimizer.</summary>
    /// <param name="groups">What it is to step.</param>
    public abstract IOptimizer Create(IReadOnlyList<ParameterGroup> groups);
}
