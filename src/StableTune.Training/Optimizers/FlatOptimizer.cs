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

    private readonly IReadOnlyList<FlatSlot> _slots;
    private readonly FlatMemory _memory;

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
    protected sealed override void Update(OptimizerUpdate update) => Change(update, Update, IsElementwise);

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

    private void Change(OptimizerUpdate update, Action<FlatUpdate> change, bool inPieces)
    {
        var flat = new FlatUpdate(update, _slots);
        if (inPieces && update.Parameters[0].Value.device_type == DeviceType.CPU)
        {
            foreach (var piece in flat.Pieces(PieceOfAThread * get_num_threads()))
            {
                using var scope = NewDisposeScope();
                change(piece);
            }
        }
        else change(flat);

        flat.Remember((values, parts) => PutBack(update, values, parts));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _memory.Dispose();
    }
}
