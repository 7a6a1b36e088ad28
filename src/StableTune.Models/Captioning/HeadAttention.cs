namespace StableTune.Models;

/// <summary>Attention in several heads, for queries of one length and keys of another.</summary>
internal static class HeadAttention
{
    /// <summary>[B, L, heads · size] to [B, heads, L, size]: a view where that is possible.</summary>
    internal static Tensor Split(Tensor x, int heads) => x.reshape(x.shape[0], x.shape[1], heads, x.shape[2] / heads).transpose(1, 2);

    /// <summary>softmax(q kᵀ / √size + bias) v.</summary>
    /// <param name="query">[B, heads, L, size].</param>
    /// <param name="key">[B, heads, M, size].</param>
    /// <param name="value">[B, heads, M, size].</param>
    /// <param name="bias">Added to the scores, such that it spreads to [B, heads, L, M]; or null.</param>
    /// <returns>[B, L, heads · size].</returns>
    internal static Tensor Attend(Tensor query, Tensor key, Tensor value, Tensor? bias = null)
    {
        using var scope = NewDisposeScope();
        var mixed = nn.functional.scaled_dot_product_attention(query, key, value, bias);
        return mixed.transpose(1, 2).reshape(query.shape[0], query.shape[2], query.shape[1] * query.shape[3]).MoveToOuterDisposeScope();
    }
}
