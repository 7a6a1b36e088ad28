namespace StableTune.LibTorch;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class functional
        {
            /// <summary>softmax(q · kᵀ / √width + mask) · v.</summary>
            /// <param name="query">[..., L, E].</param>
            /// <param name="key">[..., S, E].</param>
            /// <param name="value">[..., S, Ev].</param>
            /// <param name="attn_mask">[..., L, S]: added to the products, or, if boolean, false where nothing may be seen. Or null.</param>
            /// <param name="p">Probability of dropping a weight of the attention.</param>
            /// <param name="is_causal">Whether position i sees only positions up to i. Not together with a mask.</param>
            /// <returns>[..., L, Ev].</returns>
            /// <remarks>Vaswani et al., arXiv:1706.03762. Libtorch's fused operator where it has one (2.0), else the formula.</remarks>
            /// <exception cref="ArgumentException">Both a mask and is_causal are given.</exception>
            public static Tensor scaled_dot_product_attention(
                Tensor query, Tensor key, Tensor value, Tensor? attn_mask = null, double p = 0.0, bool is_causal = false)
            {
                if (attn_mask is not null && is_causal)
                    throw new ArgumentException("scaled_dot_product_attention: give a mask or is_causal, not both.", nameof(is_causal));
                return s_hasFusedAttention.Value
                    ? Ops.ScaledDotProductAttention.Run(query, key, value, attn_mask, p, is_causal)
                    : SoftmaxAttention(query, key, value, attn_mask, p, is_causal);
            }

            private static readonly Lazy<bool> s_hasFusedAttention = new(() => engine.has_operator("aten::scaled_dot_product_attention"));

            /// <summary>The formula, from plain operators.</summary>
            internal static Tensor SoftmaxAttention(Tensor query, Tensor key, Tensor value, Tensor? mask, double p, bool causal)
            {
                using var scope = NewDisposeScope();
                // Scaling the query, the smallest of the three products' operands, before the product saves a pass over [L, S].
                var scores = (query * (1 / Math.Sqrt(query.shape[^1]))).matmul(key.transpose(-2, -1));
                if (causal) mask = ones(scores.shape[^2], scores.shape[^1], dtype: ScalarType.Bool, device: scores.device).tril();
                if (mask is not null)
                    scores = mask.dtype == ScalarType.Bool ? scores.masked_fill(mask.logical_not(), double.NegativeInfinity) : scores + mask;
                var weights = softmax(scores, -1);
                if (p > 0) weights = dropout(weights, p);
                return weights.matmul(value).MoveToOuterDisposeScope();
            }
        }
    }
}
