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
        var slots = _slots.Select(slot => update[slot.Name]).ToArray();
        var at = new Elements<TensorNumbers> { Weight = new(update.Weights), Gradient = new(update.Gradients) };
        if (SharedOf(update.GroupIndex) is { } shared) at.Shared = new(shared);
        if (slots.Length > 0) at.First = new(slots[0]);
        if (slots.Length > 1) at.Second = new(slots[1]);
        if (slots.Length > 2) at.Third = new(slots[2]);
        if (slots.Length > 3) at.Fourth = new(slots[3]);
        formula.Apply(ref at);
        Put(at.Weight, update.Weights);
        if (slots.Length > 0) Put(at.First, slots[0]);
        if (slots.Length > 1) Put(at.Second, slots[1]);
        if (slots.Length > 2) Put(at.Third, slots[2]);
        if (slots.Length > 3) Put(at.Fourth, slots[3]);

        static void Put(TensorNumbers numbers, Tensor target)
        {
            if (!ReferenceEquals(numbers.Values, target)) target.copy_(numbers.Values);
        }
    }

    /// <inheritdoc/>
    private protected sealed override bool TryUpdateOnHost(OptimizerUpdate update)
    {
        if (update.Parameters[0].DeviceType != DeviceType.CPU) return false;
        var parameters = new HostParameter[update.Parameters.Count];
        for (var i = 0; i < parameters.Length; i++)
        {
            var parameter = update.Parameters[i];
            var places = parameter.HostPlaces ??= HostPlaces.Of(parameter, RoundsAtRandom, _slots);
            if (places.Of(parameter) is not { } onHost) return false;
            parameters[i] = onHost;
        }

        HostUpdate.Run(FormulaOf(update.Step, update.LearningRate, update.Group, update.GroupIndex), parameters,
            SharedOf(update.GroupIndex)?.item<float>() ?? 0, get_num_threads());
        GC.KeepAlive(update);
        return true;
    }
}
