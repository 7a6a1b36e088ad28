namespace StableTune.LibTorch;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class functional
        {
            /// <summary>max(x, 0).</summary>
            /// <param name="x">Any shape.</param>
            /// <param name="inplace">Whether the input itself is changed.</param>
            /// <returns>As the input.</returns>
            public static Tensor relu(Tensor x, bool inplace = false) => (inplace ? Ops.ReluInPlace : Ops.Relu).Run(x);

            /// <summary>x where positive, else x times a slope.</summary>
            /// <param name="input">Any shape.</param>
            /// <param name="negative_slope">The slope below zero.</param>
            /// <param name="inplace">Whether the input itself is changed.</param>
            /// <returns>As the input.</returns>
            public static Tensor leaky_relu(Tensor input, double negative_slope = 0.01, bool inplace = false)
                => (inplace ? Ops.LeakyReluInPlace : Ops.LeakyRelu).Run(input, negative_slope);

            /// <summary>x · sigmoid(x).</summary>
            /// <param name="x">Any shape.</param>
            /// <param name="inplace">Whether the input itself is changed.</param>
            /// <returns>As the input.</returns>
            public static Tensor silu(Tensor x, bool inplace = false) => (inplace ? Ops.SiluInPlace : Ops.Silu).Run(x);

            /// <summary>x · Φ(x), with Φ the normal distribution function.</summary>
            /// <param name="x">Any shape.</param>
            /// <param name="approximate">"none" for the exact form; "tanh" for 0.5 · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))).</param>
            /// <returns>As the input.</returns>
            /// <exception cref="ArgumentException">The approximation is neither.</exception>
            public static Tensor gelu(Tensor x, string approximate = "none")
                => approximate is "none" or "tanh"
                    ? Ops.Gelu.Run(x, approximate)
                    : throw new ArgumentException($"gelu: the approximation '{approximate}' is unknown: give \"none\" or \"tanh\".", nameof(approximate));

            /// <summary>exp(x) over its sum along a dimension.</summary>
            /// <param name="input">Any shape.</param>
            /// <param name="dim">The dimension along which the result sums to 1.</param>
            /// <param name="dtype">What to convert to before computing; null for the input's.</param>
            /// <returns>As the input.</returns>
            public static Tensor softmax(Tensor input, long dim, ScalarType? dtype = null) => Ops.Softmax.Run(input, dim, dtype);

            /// <summary>The logarithm of <see cref="softmax"/>.</summary>
            /// <param name="input">Any shape.</param>
            /// <param name="dim">The dimension along which the exponentials sum to 1.</param>
            /// <param name="dtype">What to convert to before computing; null for the input's.</param>
            /// <returns>As the input.</returns>
            public static Tensor log_softmax(Tensor input, long dim, ScalarType? dtype = null) => Ops.LogSoftmax.Run(input, dim, dtype);

            /// <summary>x / max(‖x‖ₚ, eps) along a dimension.</summary>
            /// <param name="input">Any shape.</param>
            /// <param name="p">Which norm.</param>
            /// <param name="dim">The dimension over which the norm is taken.</param>
            /// <param name="eps">The smallest divisor.</param>
            /// <returns>As the input.</returns>
            public static Tensor normalize(Tensor input, double p = 2.0, long dim = 1, double eps = 1e-12)
            {
                ArgumentNullException.ThrowIfNull(input);
                using var scope = NewDisposeScope();
                var norm = linalg.vector_norm(input, p, [dim], keepdim: true).clamp_min(eps);
                return (input / norm).MoveToOuterDisposeScope();
            }

            /// <summary>x₁ · x₂ / max(‖x₁‖ ‖x₂‖, eps) along a dimension.</summary>
            /// <param name="x1">One side.</param>
            /// <param name="x2">The other; the two broadcast.</param>
            /// <param name="dim">The dimension of the vectors; it disappears.</param>
            /// <param name="eps">The smallest divisor.</param>
            /// <returns>The broadcast shape without <paramref name="dim"/>, values from -1 to 1.</returns>
            public static Tensor cosine_similarity(Tensor x1, Tensor x2, long dim = 1, double eps = 1e-8)
                => Ops.CosineSimilarity.Run(x1, x2, dim, eps);
        }
    }
}
