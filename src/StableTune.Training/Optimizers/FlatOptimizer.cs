namespace StableTune.Optimizers;

/// <summary>
/// The base of optimizers that treat each number by itself, whatever the shapes of the parameters: they see all parameters of an update as
/// one vector, and are written as in their papers. An adapter's hundreds of small tensors then cost a handful of operators.
/// </summary>
public abstract class FlatOptimizer : StatefulOptimizer
{
    /// <summary>Numbers of a piece for each thread: 256 KiB in float32, so that a piece and what is computed from it stay in the
    /// processor's cache.</summary>
    private const long PieceOfAThread = 1 << 16;

    /// <summary>Vectors of no more numbers are kept from a look at them until they are updated.</summary>
    private const long MostKept = 1 << 23;

    private readonly IReadOnlyList<FlatSlot> _slots;
    private readonly FlatMemory _memory;
    private readonly Dictionary<OptimizedParameter, FlatUpdate> _looked = [];

    /// <summary>Creates the slots of all parameters.</summary>
    /// <param name="options">What the optimizer was created by.</param>
    /// <param name="groups">What is stepped.</param>
    /// <param name="slots">What is remembered of each number.</param>
    protected FlatOptimizer(OptimizerOptions options, IReadOnlyList<ParameterGroup> groups, params IReadOnlyList<FlatSlot> slots)
        : this(options, groups, slots, new FlatMemory(groups)) { }

    private FlatOptimizer(OptimizerOptions options, IReadOnlyList<ParameterGroup> groups, IReadOnlyList<FlatSlot> slots, FlatMemory memory)
        : base(options, groups, [.. slots.SelectMany(slot => slot.SlotsIn(memory))])
    {
        (_slots, _memory) = (slots, memory);
        foreach (var parameter in All) parameter.Place = memory.Of(parameter.Value);
    }

    /// <summary>
    /// Whether <see cref="Update(FlatUpdate)"/> computes each number from numbers at the same place alone, and looks neither at sums nor at
    /// <see cref="FlatUpdate.Parameters"/>. On a CPU it is then called for one piece of the vector after another, each small enough for the
    /// processor's cache, which is faster. Default false.
    /// </summary>
    protected virtual bool IsElementwise => false;

    /// <summary>Changes weights and slots in place.</summary>
    /// <param name="update">Weights, gradients and slots as vectors, the rate and the number of the step.</param>
    protected abstract void Update(FlatUpdate update);

    /// <inheritdoc/>
    protected sealed override void Update(OptimizerUpdate update)
    {
        if (UsesOperators || !TryUpdateOnHost(update)) Change(update, Update, IsElementwise);
    }

    /// <summary>Changes weights and slots where they lie in the memory of the CPU; false, the default, where that cannot be.</summary>
    private protected virtual bool TryUpdateOnHost(OptimizerUpdate update) => false;

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
            Change(update, change, inPieces: false);
        }
    }

    /// <summary>
    /// Looks at everything before the updates, for optimizers that need sums over all parameters and change nothing but those yet. In
    /// pieces where the optimizer is elementwise.
    /// </summary>
    /// <param name="info">The step.</param>
    /// <param name="lookOnHost">Looks at numbers where they lie in the memory of the CPU; false where they do not.</param>
    /// <param name="look">Reads. What it changes in place may be lost or not.</param>
    private protected void LookAtAll(StepInfo info, Func<OptimizerUpdate, bool> lookOnHost, Action<FlatUpdate> look)
    {
        _looked.Clear();
        var numbers = 0L;
        var updates = ComingUpdates(info).ToList();
        // Updates of one block have its memory in turns: what was read of the first is gone when the second has been read.
        var ofBlock = updates.CountBy(BlockOf).ToDictionary();
        foreach (var update in updates)
        {
            if (!UsesOperators && lookOnHost(update)) continue;
            numbers += update.Parameters.Sum(parameter => parameter.Value.numel());
            // Those that are kept belong to the step's own scope.
            using var scope = numbers > MostKept || ofBlock[BlockOf(update)] > 1 ? NewDisposeScope() : null;
            var flat = new FlatUpdate(update, _slots);
            flat.Read();
            if (scope is null) _looked.Add(update.Parameters[0], flat);
            using var terms = NewDisposeScope();
            Apply(flat, update, look, IsElementwise);
        }
    }

    private static (int Group, string Device) BlockOf(OptimizerUpdate update) =>
        (update.GroupIndex, update.Parameters[0].Value.device.ToString());

    private void Change(OptimizerUpdate update, Action<FlatUpdate> change, bool inPieces)
    {
        var flat = _looked.Remove(update.Parameters[0], out var looked) ? looked : new FlatUpdate(update, _slots);
        Apply(flat, update, change, inPieces);
        flat.Remember((values, parts) => PutBack(update, values, parts));
    }

    private static void Apply(FlatUpdate flat, OptimizerUpdate update, Action<FlatUpdate> change, bool inPieces)
    {
        if (inPieces && update.Parameters[0].Value.device_type == DeviceType.CPU)
        {
            foreach (var piece in flat.Pieces(PieceOfAThread * get_num_threads()))
            {
                using var scope = NewDisposeScope();
                change(piece);
            }
        }
        else change(flat);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _memory.Dispose();
    }
}
