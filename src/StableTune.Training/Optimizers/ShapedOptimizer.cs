namespace StableTune.Optimizers;

/// <summary>
/// The base of optimizers that look at each parameter as a whole: its rows and columns, or its mean. Parameters of one shape are seen
/// together as one tensor with a dimension more, because an adapter has hundreds of them in a few shapes.
/// </summary>
/// <param name="options">What the optimizer was created by.</param>
/// <param name="groups">What is stepped.</param>
/// <param name="slots">What is remembered of each parameter.</param>
internal abstract class ShapedOptimizer(
    OptimizerOptions options, IReadOnlyList<ParameterGroup> groups, params IReadOnlyList<OptimizerSlot> slots)
    : StatefulOptimizer(options, groups, slots)
{
    /// <summary>Changes weights and slots in place.</summary>
    /// <param name="batch">Parameters of one shape.</param>
    protected abstract void Update(ShapeBatch batch);

    /// <summary>Whether there is an <see cref="Update(HostTensor)"/> that is faster on a CPU for parameters of this shape. Default
    /// false.</summary>
    protected virtual bool WorksOnHost(long[] shape) => false;

    /// <summary>The same for one parameter of float32 where it lies in the memory of the CPU. Called on several threads, for different
    /// parameters.</summary>
    /// <param name="at">The parameter with its gradient and slots.</param>
    protected virtual void Update(HostTensor at) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected sealed override void Update(OptimizerUpdate update)
    {
        var (onHost, rest) = UsesOperators ? ([], update.Parameters) : HostTensor.Split(update, WorksOnHost);
        Parallel.For(0, onHost.Count, new ParallelOptions { MaxDegreeOfParallelism = get_num_threads() }, i => Update(onHost[i]));
        GC.KeepAlive(update);
        foreach (var same in rest.GroupBy(parameter => string.Join(",", parameter.Value.shape)))
        {
            using var scope = NewDisposeScope();
            var alike = update with { Parameters = [.. same] };
            var batch = new ShapeBatch(alike);
            Update(batch);
            batch.Remember();
            PutWeights(alike, batch.Weights.reshape(-1));
        }
    }

    /// <summary>Zeros in float32 of another shape than the parameter's; none where that is null.</summary>
    /// <param name="name">The slot's name.</param>
    /// <param name="shape">The shape for that of a parameter.</param>
    protected static OptimizerSlot Zeros(string name, Func<long[], long[]?> shape) => new(name, weight =>
        shape(weight.shape) is { } found ? zeros(found, ScalarType.Float32, weight.device) : null);

    /// <summary>Zeros in float32 of the parameter's shape.</summary>
    /// <param name="name">The slot's name.</param>
    protected static OptimizerSlot Zeros(string name) => Zeros(name, shape => shape);
}

/// <summary>K parameters of one shape as one tensor, [K, ...].</summary>
internal sealed class ShapeBatch
{
    private readonly OptimizerUpdate _update;
    private readonly Dictionary<string, Tensor> _slots = new(StringComparer.Ordinal);

    internal ShapeBatch(OptimizerUpdate update)
    {
        _update = update;
        Weights = stack([.. update.Weights.Select(weight => weight.detach().to(ScalarType.Float32))]);
        Gradients = stack([.. update.Gradients.Select(gradient => gradient.detach().to(ScalarType.Float32))]);
    }

    /// <summary>The number of the step, from 1.</summary>
    public int Step => _update.Step;

    /// <summary>The rate.</summary>
    public double LearningRate => _update.LearningRate;

    /// <summary>The group.</summary>
    public ParameterGroup Group => _update.Group;

    /// <summary>The trained numbers, [K, ...], float32; changed in place.</summary>
    public Tensor Weights { get; }

    /// <summary>The gradients, [K, ...], float32.</summary>
    public Tensor Gradients { get; }

    /// <summary>Dimensions of a parameter.</summary>
    public int Rank => (int)Weights.dim() - 1;

    /// <summary>What is remembered under a slot's name, [K, ...], in its type; changed in place.</summary>
    public Tensor this[string slot]
    {
        get
        {
            if (!_slots.TryGetValue(slot, out var values)) _slots.Add(slot, values = stack(_update.Slot(slot)));
            return values;
        }
    }

    /// <summary>The root of each parameter's mean square, [K, 1, ...].</summary>
    /// <param name="values">[K, ...].</param>
    public static Tensor RootMeanSquare(Tensor values) =>
        values.pow(2).mean([.. Enumerable.Range(1, (int)values.dim() - 1).Select(dimension => (long)dimension)], keepdim: true).sqrt();

    /// <summary>Writes back the slots that were read.</summary>
    internal void Remember()
    {
        foreach (var (slot, values) in _slots) FlatTensors.PutBack(values.reshape(-1), _update.Slot(slot));
    }
}

/// <summary>
/// The mean square of matrices, remembered by rows and columns instead of number by number, as in Adafactor (Shazeer, Stern:
/// arXiv:1804.04235). Parameters with more than two dimensions are stacks of matrices over their last two.
/// </summary>
internal static class FactoredSquares
{
    /// <summary>The shape of the means of rows; null where there are no rows.</summary>
    public static long[]? Rows(long[] shape) => shape.Length < 2 ? null : shape[..^1];

    /// <summary>The shape of the means of columns; null where there are no columns.</summary>
    public static long[]? Columns(long[] shape) => shape.Length < 2 ? null : [.. shape[..^2], shape[^1]];

    /// <summary>Takes squares into both means.</summary>
    /// <param name="rows">[..., N].</param>
    /// <param name="columns">[..., M].</param>
    /// <param name="squares">[..., N, M].</param>
    /// <param name="beta">The decay.</param>
    public static void Take(Tensor rows, Tensor columns, Tensor squares, double beta)
    {
        rows.mul_(beta).add_(squares.mean([-1]), alpha: 1 - beta);
        columns.mul_(beta).add_(squares.mean([-2]), alpha: 1 - beta);
    }

    /// <summary>One over the root of the mean square of each number, [..., N, M]: (rows/mean(rows))^-½ ⊗ columns^-½.</summary>
    /// <param name="rows">[..., N].</param>
    /// <param name="columns">[..., M].</param>
    public static Tensor InverseRoot(Tensor rows, Tensor columns) =>
        (rows / rows.mean([-1], keepdim: true)).rsqrt_().unsqueeze(-1) * columns.rsqrt().unsqueeze(-2);
}
