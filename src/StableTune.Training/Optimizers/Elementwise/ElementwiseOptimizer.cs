namespace StableTune.Optimizers;

/// <summary>
/// The base of optimizers that compute each number from what is known at the same place alone: they write a formula. On a CPU it runs in
/// registers, over the memory of the parameters themselves; on other devices, or where numbers are rounded at random, with operators over
/// vectors.
/// </summary>
/// <typeparam name="TFormula">The formula.</typeparam>
internal abstract class ElementwiseOptimizer<TFormula> : FlatOptimizer where TFormula : struct, IElementFormula
{
    private readonly IReadOnlyList<FlatSlot> _slots;

    protected ElementwiseOptimizer(OptimizerOptions options, IReadOnlyList<ParameterGroup> groups, params IReadOnlyList<FlatSlot> slots)
        : base(options, groups, slots) => _slots = slots;

    protected sealed override bool IsElementwise => true;

    /// <summary>The formula with the constants of a step.</summary>
    /// <param name="step">The number of the step, from 1.</param>
    /// <param name="rate">The learning rate.</param>
    /// <param name="group">The group.</param>
    /// <param name="groupIndex">Its place among the optimizer's groups.</param>
    protected abstract TFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex);

    /// <summary>The number that all parameters of a group share (<see cref="Elements{T}.Shared"/>), [], float32, on their device; null, the
    /// default, for none.</summary>
    protected virtual Tensor? SharedOf(int groupIndex) => null;

    /// <inheritdoc/>
    protected override void Update(FlatUpdate update)
    {
        var formula = FormulaOf(update.Step, update.LearningRate, update.Group, update.GroupIndex);
        var at = TensorElements.Of(update, _slots);
        if (SharedOf(update.GroupIndex) is { } shared) at.Shared = new(shared);
        formula.Apply(ref at);
        TensorElements.PutBack(at, update, _slots);
    }

    /// <inheritdoc/>
    private protected sealed override bool TryUpdateOnHost(OptimizerUpdate update)
    {
        if (HostPlaces.Of(update, RoundsAtRandom, _slots) is not { } parameters) return false;
        var formula = FormulaOf(update.Step, update.LearningRate, update.Group, update.GroupIndex);
        HostUpdate.Run(new ChangingPass<TFormula>(formula, SharedOf(update.GroupIndex)?.item<float>() ?? 0), parameters,
            get_num_threads());
        GC.KeepAlive(update);
        return true;
    }
}
