namespace StableTune.Models;

/// <summary>A way to compute softmax(q kᵀ · scale) v. All forms agree up to rounding and differ in speed and memory.</summary>
public abstract class AttentionBackend
{
    /// <summary>libtorch's <c>scaled_dot_product_attention</c>, which chooses a kernel by device, type and size.</summary>
    public static AttentionBackend Fused { get; } = new FusedAttention();

    /// <summary>What is used when nothing is said: the fused form.</summary>
    public static AttentionBackend Automatic { get; } = new AutomaticAttention();

    /// <summary>A few heads or rows of queries at a time: never more than about a million scores at once, recomputed in the backward
    /// pass.</summary>
    public static AttentionBackend Chunked { get; } = new ChunkedAttention(ChunkedAttention.DefaultScores);

    /// <summary>All scores at once, kept for the backward pass: the definition, for comparison.</summary>
    public static AttentionBackend Plain { get; } = new PlainAttention();

    /// <summary>softmax(q kᵀ · scale) v for every group (a head of a sample).</summary>
    /// <param name="query">[G, N, d].</param>
    /// <param name="key">[G, M, d].</param>
    /// <param name="value">[G, M, d].</param>
    /// <param name="scale">What the scores are multiplied by, usually 1/√d.</param>
    /// <param name="upcast">Whether the scores are computed in float32 although the inputs are of half precision. The softmax always
    /// is.</param>
    /// <returns>[G, N, d], of the query's dtype.</returns>
    public abstract Tensor Attend(Tensor query, Tensor key, Tensor value, double scale, bool upcast);
}

/// <summary>What StableTune holds best: the fused form.</summary>
internal sealed class AutomaticAttention : AttentionBackend
{
    /// <inheritdoc/>
    public override Tensor Attend(Tensor query, Tensor key, Tensor value, double scale, bool upcast) =>
        Fused.Attend(query, key, value, scale, upcast);
}

/// <summary>All scores at once.</summary>
internal sealed class PlainAttention : AttentionBackend
{
    /// <inheritdoc/>
    public override Tensor Attend(Tensor query, Tensor key, Tensor value, double scale, bool upcast)
    {
        using var scope = NewDisposeScope();
        var dtype = query.dtype;
        if (upcast) (query, key) = (query.Upcast(), key.Upcast());
        var scores = (query * scale).bmm(key.transpose(1, 2));   // [G, N, M]
        // The kernel computes in float32 whatever the dtype is; asking for a float32 result would only keep a second copy of it.
        var weights = scores.softmax(-1).As(dtype);
        scores.Dispose();
        return weights.bmm(value).MoveToOuterDisposeScope();
    }
}

/// <summary>Chunks over groups, and over queries where one group has too many scores.</summary>
/// <remarks>
/// Rabe and Staats, Self-attention does not need O(n²) memory, arXiv:2112.05682, without splitting the keys: a row of scores is
/// small. With gradients, a chunk keeps its inputs and computes its scores again, unless there are few of them in all.
/// </remarks>
/// <param name="scores">The most scores (queries times keys) in memory at once.</param>
internal sealed class ChunkedAttention(long scores) : AttentionBackend
{
    /// <summary>Four megabytes of float32 scores: they stay in the cache of most processors.</summary>
    internal const long DefaultScores = 1 << 20;

    /// <summary>So few scores are kept for the backward pass: a quarter of a megabyte in float32.</summary>
    private const long KeptScores = 1 << 16;

    /// <inheritdoc/>
    public override Tensor Attend(Tensor query, Tensor key, Tensor value, double scale, bool upcast)
    {
        var (groups, queries, keys) = (query.size(0), query.size(1), key.size(1));
        if (groups * queries * keys <= Math.Min(KeptScores, scores)) return Plain.Attend(query, key, value, scale, upcast);
        if (groups * queries * keys <= scores) return AttendChunk(query, key, value, scale, upcast);
        using var scope = NewDisposeScope();
        var perChunk = Math.Max(1, scores / (queries * keys));
        var results = new List<Tensor>();
        foreach (var (q, k, v) in query.split(perChunk).Zip(key.split(perChunk), value.split(perChunk)))
            results.Add(AttendRows(q, k, v, scale, upcast));
        return cat(results, 0).MoveToOuterDisposeScope();
    }

    private Tensor AttendRows(Tensor query, Tensor key, Tensor value, double scale, bool upcast)
    {
        var perChunk = Math.Max(1, scores / (query.size(0) * key.size(1)));
        if (query.size(1) <= perChunk) return AttendChunk(query, key, value, scale, upcast);
        using var scope = NewDisposeScope();
        var results = query.split(perChunk, 1).Select(rows => AttendChunk(rows, key, value, scale, upcast)).ToList();
        return cat(results, 1).MoveToOuterDisposeScope();
    }

    private static Tensor AttendChunk(Tensor query, Tensor key, Tensor value, double scale, bool upcast)
    {
        var needsGradient = is_grad_enabled() && (query.requires_grad || key.requires_grad || value.requires_grad);
        return needsGradient
            ? ActivationCheckpoint.RunDeterministic(inputs =>
                Plain.Attend(inputs[0], inputs[1], inputs[2], scale, upcast), query, key, value)
            : Plain.Attend(query, key, value, scale, upcast);
    }
}

/// <summary>libtorch's own kernel.</summary>
internal sealed class FusedAttention : AttentionBackend
{
    /// <inheritdoc/>
    public override Tensor Attend(Tensor query, Tensor key, Tensor value, double scale, bool upcast)
    {
        using var scope = NewDisposeScope();
        var dtype = query.dtype;
        var type = upcast ? query.Upcast().dtype : HalfPrecision.ComputeType(query);
        (query, key, value) = (query.As(type), key.As(type), value.As(type));
        // The operator scales by 1/√d itself, and TorchSharp gives no way to another scale.
        var factor = scale * Math.Sqrt(query.size(2));
        if (Math.Abs(factor - 1) > 1e-12) query = query * factor;
        // The kernels expect a head dimension: [1, G, N, d].
        var result = nn.functional.scaled_dot_product_attention(query.unsqueeze(0), key.unsqueeze(0), value.unsqueeze(0));
        return result.squeeze(0).As(dtype).MoveToOuterDisposeScope();
    }
}

/// <summary>Half precision to float32 where scores need its range.</summary>
internal static class ScorePrecision
{
    /// <summary>The tensor in float32 if it is of half precision, else itself: float64 keeps its precision.</summary>
    internal static Tensor Upcast(this Tensor x) =>
        x.dtype is ScalarType.Float16 or ScalarType.BFloat16 ? x.to(ScalarType.Float32) : x;
}
