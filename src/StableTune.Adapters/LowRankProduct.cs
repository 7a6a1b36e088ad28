namespace StableTune.Adapters;

/// <summary>ΔW = up · down, with all factors and scales in them.</summary>
/// <param name="Up">[out, r].</param>
/// <param name="Down">[r, in · kernel places].</param>
internal sealed record LowRankProduct(Tensor Up, Tensor Down)
{
    // Below this a sum of squares counts as this much: a row of zeros has no direction, and no gradient.
    private const double Smallest = 1e-24;

    /// <summary>
    /// The norms of W + ΔW without making it: ‖w‖² + 2 ⟨w, Δw⟩ + ‖Δw‖², whose last two terms are products with matrices of the rank's
    /// size.
    /// </summary>
    /// <param name="weight">W in float32, [out, in, ...].</param>
    /// <param name="axis">Whether of rows or of columns.</param>
    /// <returns>[out, 1, ...] or [1, in, ...].</returns>
    public Tensor NormsOfSum(Tensor weight, DecomposedAxis axis)
    {
        using var scope = NewDisposeScope();
        var kept = axis == DecomposedAxis.Outputs ? 0 : 1;
        long[] others = [.. Enumerable.Range(0, (int)weight.dim()).Where(d => d != kept).Select(d => (long)d)];
        Tensor own;
        using (no_grad()) own = linalg.vector_norm(weight, 2, others, keepdim: true).square();
        var squares = own + (axis == DecomposedAxis.Outputs ? OfRows(weight.flatten(1)) : OfColumns(weight)).reshape(own.shape);
        return squares.clamp(min: Smallest).sqrt().MoveToOuterDisposeScope();
    }

    /// <summary>2 ⟨w, Δw⟩ + ‖Δw‖² of each row: [out].</summary>
    private Tensor OfRows(Tensor weight) => ((weight.mm(Down.t()) * 2 + Up.mm(Down.mm(Down.t()))) * Up).sum(1L);

    /// <summary>The same of each column, the places of a kernel together: [in].</summary>
    private Tensor OfColumns(Tensor weight) => ((Up.t().mm(weight.flatten(1)) * 2 + Up.t().mm(Up).mm(Down)) * Down).sum(0L)
        .reshape(weight.shape[1], -1).sum(1L);
}
