namespace StableTune.Torch;

/// <summary>A weight in the type that it is computed in. Where that is another than it is held in, a large one is cast some rows at a time,
/// which stay in the processor's cache: the whole would be written to memory and read again for each product.</summary>
/// <param name="held">[out, ...]</param>
/// <param name="type">The type to compute in.</param>
internal sealed class CastWeight(Tensor held, ScalarType type)
{
    /// <summary>Numbers of one cast, 2 MiB of float32, and the fewest rows, which a kernel's blocks divide.</summary>
    private const long Numbers = 1 << 19, FewestRows = 64;

    /// <summary>As it is held.</summary>
    internal long[] Shape => held.shape;

    /// <summary>All of it.</summary>
    internal Tensor Whole => held.As(type);

    /// <summary>The rows of one part: their part of other tensors, and themselves.</summary>
    /// <param name="First">The first row.</param>
    /// <param name="Count">How many.</param>
    /// <param name="Cast">[count, ...], in the type to compute in.</param>
    /// <param name="All">How many the weight has.</param>
    internal readonly record struct Rows(long First, long Count, Tensor Cast, long All)
    {
        /// <summary>The rows' part of a tensor.</summary>
        /// <param name="tensor">One of its dimensions has the weight's rows. What has not stays as it is, and libtorch says so.</param>
        /// <param name="dimension">That dimension.</param>
        internal Tensor? Of(Tensor? tensor, long dimension) =>
            Count == All || tensor is null || tensor.size((int)dimension) != All ? tensor : tensor.narrow(dimension, First, Count);
    }

    /// <summary>Computes outputs part by part, side by side.</summary>
    /// <param name="dimension">That of the outputs in a result, which is the same counted from the end with and without samples.</param>
    /// <param name="compute">Of some rows.</param>
    internal Tensor Together(long dimension, Func<Rows, Tensor> compute)
    {
        var step = RowsAtATime;
        if (step >= held.size(0)) return compute(new Rows(0, held.size(0), Whole, held.size(0)));
        Tensor? all = null;
        for (var first = 0L; first < held.size(0); first += step)
        {
            using var scope = NewDisposeScope();
            var rows = Part(first, step);
            var part = compute(rows);
            if (all is null)
            {
                var shape = part.shape;
                shape[dimension < 0 ? shape.Length + dimension : dimension] = held.size(0);
                all = empty(shape, dtype: part.dtype).MoveToOuterDisposeScope();
            }

            rows.Of(all, dimension)!.copy_(part);
        }

        return all!;
    }

    /// <summary>Adds up what all parts give.</summary>
    /// <param name="compute">Of some rows: a tensor of its own.</param>
    internal Tensor Sum(Func<Rows, Tensor> compute)
    {
        var step = RowsAtATime;
        if (step >= held.size(0)) return compute(new Rows(0, held.size(0), Whole, held.size(0)));
        Tensor? sum = null;
        for (var first = 0L; first < held.size(0); first += step)
        {
            using var scope = NewDisposeScope();
            var part = compute(Part(first, step));
            if (sum is null) sum = part.MoveToOuterDisposeScope();
            else sum.add_(part);
        }

        return sum!;
    }

    /// <summary>What autograd records is one product; elsewhere than on a CPU there is no such cache.</summary>
    private long RowsAtATime => held.dtype == type || held.device_type != DeviceType.CPU || is_grad_enabled() || held.numel() < 2 * Numbers
        ? held.size(0) : Math.Max(FewestRows, Numbers / (held.numel() / held.size(0)) / FewestRows * FewestRows);

    private Rows Part(long first, long step)
    {
        var count = Math.Min(step, held.size(0) - first);
        return new Rows(first, count, held.narrow(0, first, count).As(type), held.size(0));
    }
}
