namespace StableTune.Optimizers;

/// <summary>
/// The base of optimizers that treat each number by itself, whatever the shapes of the parameters: they see all parameters of an update as
/// one vector, and are written as in their papers. An adapter's hundreds of small tensors then cost a handful of operators.
/// </summary>
public abstract class FlatOptimizer : StatefulOptimizer
{
    private readonly IReadOnlyList<FlatSlot> _slots;

    /// <summary>Creates the slots of all parameters.</summary>
    /// <param name="groups">What is stepped.</param>
    /// <param name="slots">What is remembered of each number.</param>
    protected FlatOptimizer(IReadOnlyList<ParameterGroup> groups, params IReadOnlyList<FlatSlot> slots)
        : base(groups, [.. slots.SelectMany(slot => slot.Slots)]) => _slots = slots;

    /// <summary>Changes weights and slots in place.</summary>
    /// <param name="update">Weights, gradients and slots as vectors, the rate and the number of the step.</param>
    protected abstract void Update(FlatUpdate update);

    /// <inheritdoc/>
    protected sealed override void Update(OptimizerUpdate update) => Change(update, Update);

    /// <summary>
    /// Goes through everything before the updates, for optimizers that need sums over all parameters; what was changed is remembered.
    /// Call it in <see cref="StatefulOptimizer.BeforeUpdates"/>.
    /// </summary>
    /// <param name="info">The step.</param>
    /// <param name="change">Reads, and changes in place.</param>
    protected void ForAll(StepInfo info, Action<FlatUpdate> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        foreach (var update in ComingUpdates(info))
        {
            using var scope = NewDisposeScope();
            Change(update, change);
        }
    }

    private void Change(OptimizerUpdate update, Action<FlatUpdate> change)
    {
        var flat = new FlatUpdate(update, _slots);
        change(flat);
        flat.Remember();
    }
}

/// <summary>Parameters that are updated together, each kind of number as one vector.</summary>
public sealed class FlatUpdate
{
    private readonly OptimizerUpdate _update;
    private readonly IReadOnlyList<FlatSlot> _slots;
    private readonly Dictionary<FlatSlot, Tensor> _read = [];
    private Tensor? _weights, _gradients;

    internal FlatUpdate(OptimizerUpdate update, IReadOnlyList<FlatSlot> slots) => (_update, _slots) = (update, slots);

    /// <summary>The number of the step, from 1: t in the formulas.</summary>
    public int Step => _update.Step;

    /// <summary>The rate.</summary>
    public double LearningRate => _update.LearningRate;

    /// <summary>The group.</summary>
    public ParameterGroup Group => _update.Group;

    /// <summary>Its place among the optimizer's groups.</summary>
    public int GroupIndex => _update.GroupIndex;

    /// <summary>The parameters one by one, for what depends on their shapes.</summary>
    public IReadOnlyList<OptimizedParameter> Parameters => _update.Parameters;

    /// <summary>The trained numbers, [n], float32; changed in place.</summary>
    public Tensor Weights => _weights ??= FlatTensors.Join(_update.Weights);

    /// <summary>The gradients, [n], float32. Not to be changed: they may be the gradients' own memory.</summary>
    public Tensor Gradients => _gradients ??= FlatTensors.Join(_update.Gradients);

    /// <summary>What is remembered under a slot's name, [n], float32; changed in place.</summary>
    /// <exception cref="KeyNotFoundException">There is no such slot.</exception>
    public Tensor this[string name]
    {
        get
        {
            var slot = _slots.FirstOrDefault(slot => slot.Name == name) ?? throw new KeyNotFoundException($"No slot is called {name}.");
            if (!_read.TryGetValue(slot, out var values)) _read.Add(slot, values = slot.Read(_update));
            return values;
        }
    }

    /// <summary>Writes back what was read.</summary>
    internal void Remember()
    {
        foreach (var (slot, values) in _read) slot.Write(_update, values);
        if (_weights is not null) FlatTensors.PutBack(_weights, _update.Weights);
    }
}
