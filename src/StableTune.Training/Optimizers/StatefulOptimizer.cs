using StableTune.Training;

namespace StableTune.Optimizers;

/// <summary>What an optimizer remembers of each parameter, by name.</summary>
/// <param name="Name">Its name in states: "m", "v", "codes" ...</param>
/// <param name="Create">Makes the first value for a parameter, of any type, shape and device; null where this parameter has none.</param>
public sealed record OptimizerSlot(string Name, Func<Tensor, Tensor?> Create)
{
    /// <summary>Zeros of the parameter's shape, type and device; of a float16 parameter in float32, as float16 has no room for the squares
    /// of gradients.</summary>
    public static OptimizerSlot Zeros(string name) => new(name, parameter =>
        zeros_like(parameter, parameter.dtype == ScalarType.Float16 ? ScalarType.Float32 : parameter.dtype));
}

/// <summary>
/// The base of optimizers: declares what is remembered of each parameter once, and gets its creation, its saving by parameter name, step
/// counts, groups and rates from here. A kind
/// writes the update alone.
/// </summary>
public abstract class StatefulOptimizer : IOptimizer
{
    /// <summary>An update has no more elements than this, unless one parameter alone has: 32 MiB in float32.</summary>
    private const long MostElements = 1 << 23;

    private const string StepCount = "step";

    private readonly IReadOnlyList<OptimizerSlot> _slots;
    private readonly OptimizedParameter[][] _parameters;       // per group
    private readonly Dictionary<Tensor, int> _places;          // of each parameter in its group
    private readonly OptimizedParameter[][] _stepped;          // in the present step
    private readonly double[] _rates;
    private readonly StochasticRounding? _rounding;

    /// <summary>Creates the slots of all parameters.</summary>
    /// <param name="options">What the optimizer was created by: says how weights are rounded.</param>
    /// <param name="groups">What is stepped.</param>
    /// <param name="slots">What is remembered of each parameter.</param>
    protected StatefulOptimizer(OptimizerOptions options, IReadOnlyList<ParameterGroup> groups, params IReadOnlyList<OptimizerSlot> slots)
        : this(groups, slots)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.StochasticRounding) _rounding = new StochasticRounding();
    }

    /// <summary>Creates the slots of all parameters.</summary>
    /// <param name="groups">What is stepped.</param>
    /// <param name="slots">What is remembered of each parameter.</param>
    protected StatefulOptimizer(IReadOnlyList<ParameterGroup> groups, params IReadOnlyList<OptimizerSlot> slots)
    {
        ArgumentNullException.ThrowIfNull(groups);
        (Groups, _slots) = (groups, slots);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        _parameters = [.. groups.Select(group => group.Parameters.Select(parameter => new OptimizedParameter(parameter, slots)).ToArray())];
        _places = new(ReferenceEqualityComparer.Instance);
        foreach (var group in _parameters)
            for (var i = 0; i < group.Length; i++) _places[group[i].Value] = i;
        _rates = [.. groups.Select(group => group.LearningRate)];
        _stepped = [.. groups.Select(_ => Array.Empty<OptimizedParameter>())];
    }

    /// <inheritdoc/>
    public string Name => "optimizer";

    /// <inheritdoc/>
    public virtual bool TensorsLastUntilUpdate => true;

    /// <inheritdoc/>
    public IReadOnlyList<ParameterGroup> Groups { get; }

    /// <inheritdoc/>
    public virtual IReadOnlyList<double> EffectiveRates => _rates;

    /// <inheritdoc/>
    public virtual Tensor? RateFactor => null;

    /// <summary>All parameters with what is remembered of them.</summary>
    protected IEnumerable<OptimizedParameter> All => _parameters.SelectMany(group => group);

    /// <summary>Memory that is taken by what is remembered, in bytes.</summary>
    public long StateBytes => All.SelectMany(parameter => parameter.Slots).Concat(SharedState)
        .Sum(tensor => tensor.numel() * tensor.element_size());

    /// <summary>Whether updates go through operators even where there is a faster way: to compare both. Default false.</summary>
    internal bool UsesOperators { get; set; }

    /// <summary>Whether weights of bfloat16 are rounded at random.</summary>
    private protected bool RoundsAtRandom => _rounding is not null;

    /// <summary>The parameters of a group.</summary>
    /// <param name="group">Its place in <see cref="Groups"/>.</param>
    protected IReadOnlyList<OptimizedParameter> Of(int group) => _parameters[group];

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The rates are not as many as the groups.</exception>
    public void Step(in StepInfo info)
    {
        if (info.LearningRates.Count != _rates.Length)
        {
            throw new ArgumentException(
                $"{info.LearningRates.Count} learning rates are given for {_rates.Length} parameter groups: give one each.", nameof(info));
        }

        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        for (var i = 0; i < _rates.Length; i++) _rates[i] = info.LearningRates[i];
        // Asked for once: of an adapter's hundreds of tensors each question counts.
        for (var i = 0; i < _parameters.Length; i++) _stepped[i] = [.. Members(i, info).Where(parameter => parameter.TakeGradient())];
        try
        {
            // What changes before the updates, or in several of them, is kept here; all else part by part, so that the copies stay small.
            var kept = Kept.Of(info, SharedState.Concat(ChangesBeforeUpdates ? AllStepped.SelectMany(Changing) : []));
            BeforeUpdates(info);
            for (var i = 0; i < _parameters.Length; i++) UpdateGroup(i, info);
            kept?.PutBack();
        }
        finally
        {
            foreach (var parameter in AllStepped) parameter.ForgetGradient();
        }
    }

    private void UpdateGroup(int group, in StepInfo info)
    {
        foreach (var parameter in _stepped[group]) parameter.Step++;
        foreach (var update in Updates(group, info, stepsAhead: 0))
        {
            using var scope = NewDisposeScope();
            var kept = ChangesBeforeUpdates ? null : Kept.Of(info, update.Parameters.SelectMany(Changing));
            Update(update);
            kept?.PutBack();
        }
    }

    /// <summary>
    /// The updates that are to come in this step, for <see cref="BeforeUpdates"/>: the same parts with the same step numbers as
    /// <see cref="Update"/> will be given.
    /// </summary>
    /// <param name="info">The step.</param>
    protected IEnumerable<OptimizerUpdate> ComingUpdates(StepInfo info) =>
        Enumerable.Range(0, _parameters.Length).SelectMany(group => Updates(group, info, stepsAhead: 1));

    private IEnumerable<OptimizedParameter> AllStepped => _stepped.SelectMany(group => group);

    /// <summary>What of a group may be stepped. A step of a few looks at no others: fused backward takes hundreds of such steps.</summary>
    private IEnumerable<OptimizedParameter> Members(int group, StepInfo info)
    {
        var members = _parameters[group];
        if (info.Only is not { } few) return members;
        return few.Where(tensor => _places.TryGetValue(tensor, out var place) && place < members.Length
            && ReferenceEquals(members[place].Value, tensor)).Select(tensor => members[_places[tensor]]);
    }

    // A tensor that had no gradient in some step (an adapter left out by dropout) is behind the others.
    private IEnumerable<OptimizerUpdate> Updates(int group, StepInfo info, int stepsAhead) => _stepped[group]
        .GroupBy(parameter => (parameter.Step, parameter.DeviceType, parameter.DeviceIndex))
        .SelectMany(same => Parts(same).Select(part =>
            new OptimizerUpdate(part, same.Key.Step + stepsAhead, info.LearningRates[group], Groups[group], group)));

    private static IEnumerable<Tensor> Changing(OptimizedParameter parameter) => parameter.Slots.Prepend(parameter.Value);

    private static IEnumerable<IReadOnlyList<OptimizedParameter>> Parts(IEnumerable<OptimizedParameter> parameters)
    {
        List<OptimizedParameter> part = [];
        var elements = 0L;
        foreach (var parameter in parameters)
        {
            var count = parameter.Count;
            if (part.Count > 0 && elements + count > MostElements)
            {
                yield return part;
                (part, elements) = ([], 0);
            }

            part.Add(parameter);
            elements += count;
        }

        if (part.Count > 0) yield return part;
    }

    /// <summary>The host has learnt that the last step was not finite, so nothing was changed in it: step counts are set back.</summary>
    internal void TakeBackStep(IEnumerable<Tensor> stepped)
    {
        var handles = stepped.Select(tensor => tensor.Handle).ToHashSet();
        foreach (var parameter in All.Where(parameter => handles.Contains(parameter.Value.Handle))) parameter.Step--;
    }

    /// <summary>Tensors that belong to no parameter alone; saved under their names by <see cref="SaveShared"/>. Default none.</summary>
    protected virtual IEnumerable<Tensor> SharedState => [];

    /// <summary>
    /// Called once a step before the updates: sums over all parameters, for instance. Shared state may be changed here; weights and slots
    /// only where <see cref="ChangesBeforeUpdates"/> says so.
    /// </summary>
    /// <param name="info">The step.</param>
    protected virtual void BeforeUpdates(in StepInfo info) { }

    /// <summary>
    /// Whether <see cref="BeforeUpdates"/> changes weights or slots, not only shared state. Copies of all of them are then kept during a
    /// step whose numbers only the device knows (<see cref="StepInfo.IsFinite"/>). Default false.
    /// </summary>
    protected virtual bool ChangesBeforeUpdates => false;

    /// <summary>
    /// Changes parameters of one group, on one device, that have taken equally many steps. A group of many elements comes in several parts,
    /// so that what is computed on the way takes little memory. Called without gradients, with a dispose scope open.
    /// </summary>
    /// <param name="update">The parameters, their gradients and slots, the rate and the number of the step.</param>
    protected abstract void Update(OptimizerUpdate update);

    /// <summary>
    /// Puts new weights in the place of the old, in their own types: rounded to the nearest, or as
    /// <see cref="OptimizerOptions.StochasticRounding"/> says. Not needed where weights are changed in place.
    /// </summary>
    /// <param name="update">The parameters.</param>
    /// <param name="values">Their new numbers, one parameter after another, [n], float32.</param>
    protected void PutWeights(OptimizerUpdate update, Tensor values) => PutBack(update, values, null);

    /// <summary>The same, with the new numbers in the parameters' shapes where they are there already.</summary>
    /// <param name="update">The parameters.</param>
    /// <param name="values">Their new numbers.</param>
    /// <param name="parts">The numbers in the parameters' shapes, or null.</param>
    private protected void PutBack(OptimizerUpdate update, Tensor values, Tensor[]? parts)
    {
        ArgumentNullException.ThrowIfNull(update);
        using var scope = NewDisposeScope();
        var weights = update.Weights;
        if (_rounding is not null && Array.Exists(weights, weight => weight.dtype == ScalarType.BFloat16))
            FlatTensors.PutBack(_rounding.Apply(values), weights);
        else if (parts is not null) FlatTensors.CopyTo(weights, parts);
        else FlatTensors.PutBack(values, weights);
    }

    /// <inheritdoc/>
    public virtual IDisposable? UseEvaluationWeights() => null;

    /// <summary>Writes what belongs to no parameter alone. Default nothing.</summary>
    protected virtual void SaveShared(StateWriter writer) { }

    /// <summary>Takes over what <see cref="SaveShared"/> wrote.</summary>
    protected virtual void LoadShared(StateReader reader) { }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        foreach (var parameter in All)
        {
            writer.Number($"{parameter.Name}.{StepCount}", (long)parameter.Step);
            foreach (var (slot, value) in Filled(parameter)) writer.Tensor($"{parameter.Name}.{slot}", value);
        }

        _rounding?.Save(writer);
        SaveShared(writer);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        foreach (var parameter in All)
        {
            parameter.Step = (int)reader.Long($"{parameter.Name}.{StepCount}");
            foreach (var (slot, value) in Filled(parameter)) reader.CopyTo($"{parameter.Name}.{slot}", value);
        }

        _rounding?.Load(reader);
        LoadShared(reader);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what is remembered.</summary>
    /// <param name="disposing">True.</param>
    protected virtual void Dispose(bool disposing)
    {
        foreach (var slot in All.SelectMany(parameter => parameter.Slots)) slot.Dispose();
        _rounding?.Dispose();
    }

    private IEnumerable<(string Slot, Tensor Value)> Filled(OptimizedParameter parameter) =>
        from slot in _slots
        let value = parameter.Find(slot.Name)
        where value is not null
        select (slot.Name, value);

    /// <summary>
    /// Tensors as they were, to take back on the device what a step that was not finite did to them: the device is not asked. Step counts
    /// go on meanwhile; <see cref="TakeBackStep"/> sets them back once the host knows.
    /// </summary>
    private sealed class Kept(Tensor isFinite, Tensor[] tensors)
    {
        private readonly Tensor[] _before = [.. tensors.Select(tensor => tensor.clone())];

        /// <summary>The flag that says on the device whether the step is finite; null when it is known to be.</summary>
        public static Kept? Of(in StepInfo info, IEnumerable<Tensor> tensors) =>
            info.IsFinite is { } flag ? new(flag, [.. tensors]) : null;

        public void PutBack()
        {
            foreach (var (tensor, before) in tensors.Zip(_before))
            {
                using var scope = NewDisposeScope();
                tensor.copy_(where(isFinite.to(tensor.device), tensor, before));
            }
        }
    }
}
