namespace StableTune.Optimizers;

/// <summary>A parameter with what an optimizer remembers of it.</summary>
public sealed class OptimizedParameter
{
    private readonly Dictionary<string, Tensor> _slots = new(StringComparer.Ordinal);
    private Tensor? _gradient;
    private GradientPlace? _gradientPlace;

    internal OptimizedParameter(NamedParameter parameter, IEnumerable<OptimizerSlot> slots)
    {
        (Name, Value) = (parameter.Name, parameter.Value);
        (Count, DeviceType, DeviceIndex) = (Value.numel(), Value.device_type, Value.device_index);
        foreach (var slot in slots)
            if (slot.Create(Value) is { } made) _slots.Add(slot.Name, made.DetachFromDisposeScope());
    }

    /// <summary>The parameter's name.</summary>
    public string Name { get; }

    /// <summary>The tensor that is trained.</summary>
    public Tensor Value { get; }

    /// <summary>The parameter's gradient.</summary>
    /// <exception cref="InvalidOperationException">It has none.</exception>
    public Tensor Gradient
    {
        get
        {
            if (_gradient is not null) return _gradient;
            var gradient = Value.grad ?? throw new InvalidOperationException($"{Name} has no gradient.");
            return HasGradient ? _gradient = gradient.DetachFromDisposeScope() : gradient;
        }
    }

    /// <summary>Its numbers.</summary>
    internal long Count { get; }

    /// <summary>Where it lies.</summary>
    internal DeviceType DeviceType { get; }

    /// <summary>On which of these devices.</summary>
    internal int DeviceIndex { get; }

    /// <summary>Whether the present step has a gradient of it.</summary>
    internal bool HasGradient { get; private set; }

    /// <summary>Where its numbers and what is remembered of them lie in the memory of the CPU, once that was asked.</summary>
    internal HostPlaces? HostPlaces { get; set; }

    /// <summary>Asks for the gradient of a step, which stays until <see cref="ForgetGradient"/>.</summary>
    /// <returns>Whether there is one.</returns>
    internal bool TakeGradient()
    {
        ForgetGradient();
        if (DeviceType == DeviceType.CPU) return HasGradient = GradientPlace.TryFind(Value, out _gradientPlace);
        _gradient = Value.grad?.DetachFromDisposeScope();
        return HasGradient = _gradient is not null;
    }

    /// <summary>The gradient of the step as it lies in the memory of the CPU; null where it does not lie there in a known way.</summary>
    internal HostNumbers? GradientOnHost => _gradientPlace is { } place ? HostNumbers.Of(place) : null;

    internal void ForgetGradient()
    {
        _gradient?.Dispose();
        _gradientPlace?.LetGo();
        (_gradient, _gradientPlace, HasGradient) = (null, null, false);
    }

    /// <summary>Steps that it has taken; in an update the present one is counted.</summary>
    public int Step { get; internal set; }

    /// <summary>What is remembered under a name.</summary>
    /// <exception cref="KeyNotFoundException">This parameter has no such slot.</exception>
    public Tensor this[string slot] => _slots[slot];

    /// <summary>What is remembered under a name; null where this parameter has no such slot.</summary>
    public Tensor? Find(string slot) => _slots.GetValueOrDefault(slot);

    internal IEnumerable<Tensor> Slots => _slots.Values;

    /// <summary>Where its numbers lie in the memory of a <see cref="FlatOptimizer"/>; null with others.</summary>
    internal FlatPlace? Place { get; set; }
}

/// <summary>Parameters that are updated together: of one group, all with the same number of steps.</summary>
/// <param name="Parameters">The parameters; each has a gradient.</param>
/// <param name="Step">The number of the step, from 1: t in the formulas.</param>
/// <param name="LearningRate">The rate.</param>
/// <param name="Group">The group.</param>
/// <param name="GroupIndex">Its place among the optimizer's groups.</param>
public sealed record OptimizerUpdate(
    IReadOnlyList<OptimizedParameter> Parameters, int Step, double LearningRate, ParameterGroup Group, int GroupIndex)
{
    /// <summary>The tensors that are trained.</summary>
    public Tensor[] Weights => [.. Parameters.Select(parameter => parameter.Value)];

    /// <summary>The gradients of the parameters, in their order.</summary>
    public Tensor[] Gradients => [.. Parameters.Select(parameter => parameter.Gradient)];

    /// <summary>What is remembered of each under a name.</summary>
    public Tensor[] Slot(string name) => [.. Parameters.Select(parameter => parameter[name])];
}
