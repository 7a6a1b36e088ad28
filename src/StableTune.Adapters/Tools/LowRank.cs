namespace StableTune.Adapters;

/// <summary>The best approximation of a matrix by factors: what a singular value decomposition gives.</summary>
/// <param name="Up">U · diag(S), [out, k].</param>
/// <param name="Values">All singular values, decreasing, [min(out, in)], float32; not cut to k.</param>
/// <param name="Down">Vᵀ, [k, in].</param>
internal sealed record LowRank(Tensor Up, Tensor Values, Tensor Down)
{
    /// <summary>Smaller matrices go to LAPACK's decomposition as they are.</summary>
    private const long SmallSide = 256;

    /// <summary>Decomposes a matrix [out, in] of float32; the results belong to the caller's scope.</summary>
    public static LowRank Of(Tensor matrix)
    {
        using var scope = NewDisposeScope();
        var (least, most) = (Math.Min(matrix.shape[0], matrix.shape[1]), Math.Max(matrix.shape[0], matrix.shape[1]));
        var result = least <= SmallSide || most < 2 * least ? Direct(matrix) : ByGram(matrix);
        return result.MoveOut();
    }

    /// <summary>
    /// Decomposes up · down, [out, r] and [r, in], without multiplying them out where the rank is small: by the decomposition of
    /// R₁R₂ᵀ, where up = Q₁R₁ and downᵀ = Q₂R₂. Exact, as the singular values beyond r are 0. Small products are decomposed as they are.
    /// </summary>
    /// <param name="up">[out, r].</param>
    /// <param name="down">[r, in].</param>
    /// <param name="needed">How many vectors are needed.</param>
    public static LowRank OfProduct(Tensor up, Tensor down, long needed)
    {
        using var scope = NewDisposeScope();
        var (rank, least) = (down.shape[0], Math.Min(up.shape[0], down.shape[1]));
        if (least <= SmallSide || 2 * rank > least || needed > rank) return Of(up.mm(down)).MoveOut();
        var (leftBasis, left) = linalg.qr(up.to(ScalarType.Float64));
        var (rightBasis, right) = linalg.qr(down.t().to(ScalarType.Float64));
        var (u, s, vh) = linalg.svd(left.mm(right.t()), fullMatrices: false);
        var values = cat([s, zeros(least - rank, s.dtype, s.device)], 0);
        return new LowRank(Single(leftBasis.mm(u * s)), Single(values), Single(vh.mm(rightBasis.t()))).MoveOut();
    }

    /// <summary>The factors of the first <paramref name="rank"/> singular values, [out, rank] and [rank, in].</summary>
    public (Tensor Up, Tensor Down) Factors(long rank) =>
        (Up.narrow(1, 0, rank).contiguous(), Down.narrow(0, 0, rank).contiguous());

    /// <summary>
    /// Clamps both factors to ±h, where h is the quantile of all their elements, signs included, as the reference does: so h depends on
    /// the signs that the decomposition returned, and even at 1 what lies below minus the largest element is cut.
    /// </summary>
    /// <param name="up">One factor.</param>
    /// <param name="down">The other factor.</param>
    /// <param name="quantile">Above 0, up to 1; null clamps nothing.</param>
    public static (Tensor Up, Tensor Down) Clamp(Tensor up, Tensor down, double? quantile)
    {
        if (quantile is not { } part) return (up.alias(), down.alias());
        using var scope = NewDisposeScope();
        var sorted = cat([up.flatten(), down.flatten()], 0).sort().Values;
        var place = part * (sorted.numel() - 1);                          // linear between neighbours, as torch.quantile
        var (below, above) = ((long)Math.Floor(place), (long)Math.Ceiling(place));
        var (low, high) = (sorted[below].item<float>(), sorted[above].item<float>());
        var bound = low + (high - low) * (place - below);
        return (up.clamp(-bound, bound).MoveToOuterDisposeScope(), down.clamp(-bound, bound).MoveToOuterDisposeScope());
    }

    private static LowRank Direct(Tensor matrix)
    {
        var (u, s, vh) = linalg.svd(matrix, fullMatrices: false);
        return new LowRank(u * s, s, vh);
    }

    /// <summary>
    /// By the eigenvectors of the smaller of AᵀA and AAᵀ in float64, which for oblong matrices is faster than a decomposition of A (640 to
    /// 5760, a large convolution: a quarter of the time). The relative error of a singular value s is about 1e-16 (s₀ / s)², and none of
    /// interest is 1e-5 of the first.
    /// </summary>
    private static LowRank ByGram(Tensor matrix)
    {
        var precise = matrix.to(ScalarType.Float64);
        var isTall = matrix.shape[0] >= matrix.shape[1];
        var (squares, vectors) = linalg.eigh(isTall ? precise.t().mm(precise) : precise.mm(precise.t()));
        var values = squares.flip(0).clamp_min(0).sqrt();
        var basis = vectors.flip(1);                                          // columns, by decreasing values
        if (isTall) return new LowRank(Single(precise.mm(basis)), Single(values), Single(basis.t()));
        var inverse = where(values > values[0] * 1e-9, values.reciprocal(), zeros_like(values));
        return new LowRank(Single(basis * values), Single(values), Single(basis.t().mm(precise) * inverse.unsqueeze(1)));
    }

    private static Tensor Single(Tensor tensor) => tensor.to(ScalarType.Float32).contiguous();

    private LowRank MoveOut()
    {
        foreach (var tensor in new[] { Up, Values, Down }) tensor.MoveToOuterDisposeScope();
        return this;
    }
}
