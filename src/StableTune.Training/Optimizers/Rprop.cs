using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>
/// Resilient backpropagation (Riedmiller, Braun, 1993), as <c>torch.optim.Rprop</c>: each number has a step size of its own, which grows
/// while its gradient keeps its sign. The learning rate is the first step size; schedules change nothing later. Made for gradients of all
/// images together, not for small batches.
/// </summary>
public sealed record RpropOptions : OptimizerOptions
{
    /// <summary>Factors of a step size when the sign turns, in (0, 1), and when it stays, above 1. Default 0.5 and 1.2.</summary>
    public (double Falling, double Rising) Etas { get; init; } = (0.5, 1.2);

    /// <summary>The smallest and the largest step size. Default 1e-6 and 50.</summary>
    public (double Smallest, double Largest) StepSizes { get; init; } = (1e-6, 50);

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("torch.optim.rprop.Rprop",
        ("etas", Etas, (0.5, 1.2)), ("step_sizes", StepSizes, (1e-6, 50.0)));

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(Etas.Falling is > 0 and < 1 && Etas.Rising is > 1 and < double.PositiveInfinity))
            yield return Problem(Etas, "the first must lie between 0 and 1, the second above 1", "(0.5, 1.2) is customary");
        if (!(StepSizes.Smallest > 0 && StepSizes.Largest >= StepSizes.Smallest && double.IsFinite(StepSizes.Largest)))
            yield return Problem(StepSizes, "both must be positive, the first the smaller one", "(1e-6, 50) is customary");
    }

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new Rprop(this, groups);
}

/// <summary>
/// Where g·g' > 0 (g' is the last step's) the step size s rises, where it is below 0 it falls and g counts as 0; θ ← θ − sign(g)·s; g' ← g.
/// </summary>
internal sealed class Rprop(RpropOptions options, IReadOnlyList<ParameterGroup> groups)
    : ElementwiseOptimizer<RpropFormula>(options, groups, FlatSlot.Zeros("last"), FlatSlot.Zeros("size"))
{
    protected override RpropFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex) => new(
        step == 1 ? (float)rate : null, (float)(options.Etas.Rising - 1), (float)(options.Etas.Falling - 1),
        (float)options.StepSizes.Smallest, (float)options.StepSizes.Largest);
}

/// <param name="Begin">The first step size; null once there are others.</param>
/// <param name="Rise">By which share a step size rises.</param>
/// <param name="Fall">By which it falls, below 0.</param>
/// <param name="Smallest">The smallest step size.</param>
/// <param name="Largest">The largest.</param>
internal readonly record struct RpropFormula(float? Begin, float Rise, float Fall, float Smallest, float Largest) : IElementFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        var zero = T.Zero(at.Gradient);
        if (Begin is { } first) at.Second = T.Of(first, at.Gradient);
        var agreement = T.Sign(at.First * at.Gradient);
        var (rises, falls) = (T.Max(agreement, zero), T.Max(zero - agreement, zero));       // 1 where it is so, else 0
        at.Second = T.Clamp(at.Second * ((rises * Rise) + 1) * ((falls * Fall) + 1), Smallest, Largest);
        at.First = at.Gradient * ((falls * -1) + 1);
        at.Weight -= T.Sign(at.First) * at.Second;
    }
}
