namespace StableTune.Optimizers;

/// <summary>Parameters that are updated together, each kind of number as one vector.</summary>
public sealed class FlatUpdate
{
    private readonly OptimizerUpdate _update;
    private readonly IReadOnlyList<FlatSlot> _slots;
    private readonly Dictionary<FlatSlot, Tensor> _read = [];
    private readonly Piece? _piece;
    private Tensor? _weights, _gradients;
    private Tensor[]? _parts;                                  // of the weights, in their shapes

    internal FlatUpdate(OptimizerUpdate update, IReadOnlyList<FlatSlot> slots) => (_update, _slots) = (update, slots);

    private FlatUpdate(Piece piece) => (_update, _slots, _piece) = (piece.Whole._update, piece.Whole._slots, piece);

    /// <summary>The number of the step, from 1: t in the formulas.</summary>
    public int Step => _update.Step;

    /// <summary>The rate.</summary>
    public double LearningRate => _update.LearningRate;

    /// <summary>The group.</summary>
    public ParameterGroup Group => _update.Group;

    /// <summary>Its place among the optimizer's groups.</summary>
    public int GroupIndex => _update.GroupIndex;

    /// <summary>The parameters one by one, for what depends on their shapes.</summary>
    /// <exception cref="InvalidOperationException">The optimizer says that it is elementwise
    /// (<see cref="FlatOptimizer.IsElementwise"/>).</exception>
    public IReadOnlyList<OptimizedParameter> Parameters => _piece is null ? _update.Parameters : throw new InvalidOperationException(
        "The vector was cut into pieces, which need not end where parameters do: let IsElementwise be false.");

    /// <summary>The trained numbers, [n], float32; changed in place.</summary>
    public Tensor Weights => _weights ??= _piece is { } piece ? piece.Of(piece.Whole.Weights)
        : Joined(_update.Weights, block => block.Weights, ref _parts);

    /// <summary>The gradients, [n], float32. Not to be changed: they may be the gradients' own memory.</summary>
    public Tensor Gradients
    {
        get
        {
            Tensor[]? parts = null;
            return _gradients ??= _piece is { } piece ? piece.Of(piece.Whole.Gradients)
                : Joined(_update.Gradients, block => block.Gradients, ref parts);
        }
    }

    /// <summary>The gradients with a weight decay that is coupled to them, g + wd·θ: [n], float32. Not to be changed.</summary>
    /// <param name="weightDecay">The decay; that of the group takes its place where it has one.</param>
    public Tensor GradientsWith(double weightDecay)
    {
        var decay = Group.WeightDecay ?? weightDecay;
        return decay == 0 ? Gradients : Gradients.add(Weights, decay);
    }

    /// <summary>What is remembered under a slot's name, [n], float32; changed in place.</summary>
    /// <exception cref="KeyNotFoundException">There is no such slot.</exception>
    public Tensor this[string name]
    {
        get
        {
            var slot = _slots.FirstOrDefault(slot => slot.Name == name) ?? throw new KeyNotFoundException($"No slot is called {name}.");
            if (!_read.TryGetValue(slot, out var values))
                _read.Add(slot, values = _piece is { } piece ? piece.Of(piece.Whole[name]) : slot.Read(_update));
            return values;
        }
    }

    /// <summary>Makes all vectors, in the present scope.</summary>
    internal void Read()
    {
        _ = (Weights, Gradients);
        foreach (var slot in _slots) _ = this[slot.Name];
    }

    /// <summary>Parts of the vectors, one after another; what is changed in them is changed in the whole.</summary>
    /// <param name="most">The numbers of a part; the last has fewer.</param>
    internal IEnumerable<FlatUpdate> Pieces(long most)
    {
        // Outside the scopes of the parts, which would free them.
        Read();
        var count = Weights.numel();
        return Enumerable.Range(0, (int)((count + most - 1) / most))
            .Select(i => new FlatUpdate(new Piece(this, i * most, Math.Min(most, count - (i * most)))));
    }

    /// <summary>Writes back what was read.</summary>
    /// <param name="putWeights">Puts new weights, of which the parts in the parameters' shapes may be there already, in the place of the
    /// old.</param>
    internal void Remember(Action<Tensor, Tensor[]?> putWeights)
    {
        foreach (var (slot, values) in _read) slot.Write(_update, values);
        if (_weights is not null) putWeights(_weights, _parts);
    }

    /// <summary>Tensors of the update's shapes one after another: of one alone its own memory, if it is such; of several in memory that is
    /// kept, where the update is a run of parameters.</summary>
    private Tensor Joined(Tensor[] tensors, Func<FlatBlock, FlatScratch> scratch, ref Tensor[]? parts)
    {
        if (tensors.Length == 1 || FlatBlock.RunOf(_update.Parameters) is not { } run) return FlatTensors.Join(tensors);
        (var vector, parts) = scratch(run.Block).Of(run, tensors);
        FlatTensors.CopyTo(parts, tensors);
        return vector;
    }

    private sealed record Piece(FlatUpdate Whole, long Start, long Count)
    {
        public Tensor Of(Tensor vector) => vector.narrow(0, Start, Count);
    }
}
