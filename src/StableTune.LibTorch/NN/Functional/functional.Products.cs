namespace StableTune.LibTorch;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class functional
        {
            /// <summary>x · weightᵀ + bias.</summary>
            /// <param name="input">[..., in].</param>
            /// <param name="weights">[out, in], of the input's dtype.</param>
            /// <param name="bias">[out], or null.</param>
            /// <returns>[..., out].</returns>
            public static Tensor linear(Tensor input, Tensor weights, Tensor? bias = null)
            {
                ArgumentNullException.ThrowIfNull(input);
                ArgumentNullException.ThrowIfNull(weights);
                return IsQuickerAsConvolution(input, weights) ? LinearAsConvolution(input, weights, bias) : Ops.Linear.Run(input, weights, bias);
            }

            /// <summary>A two-dimensional cross-correlation.</summary>
            /// <param name="input">[B, in, H, W] or [in, H, W].</param>
            /// <param name="weight">[out, in / groups, kh, kw], of the input's dtype.</param>
            /// <param name="bias">[out], or null.</param>
            /// <param name="strides">[1] or [height, width]; null for 1.</param>
            /// <param name="padding">Zeros at each side, [1] or [height, width]; null for 0.</param>
            /// <param name="dilation">[1] or [height, width]; null for 1.</param>
            /// <param name="groups">Blocks of channels that do not see each other.</param>
            /// <returns>[B, out, H', W'] or [out, H', W'].</returns>
            /// <remarks>With a frozen weight the graph keeps the weight only, not the input; see <see cref="engine.conv2d_frozen"/>.</remarks>
            public static Tensor conv2d(
                Tensor input, Tensor weight, Tensor? bias = null, long[]? strides = null, long[]? padding = null, long[]? dilation = null, long groups = 1)
                => engine.conv2d_frozen(input, weight, bias, strides, padding, dilation, groups);

            // Libtorch multiplies float32 matrices by its BLAS. Where that is not MKL, oneDNN's convolutions are 2 to 4 times as
            // fast from about these sizes on (2 cores, [256, 640] to 5120, forward and backward: 9 ms instead of 21).
            private const long FewestRows = 32, FewestFeatures = 64, FewestProducts = 16_000_000;

            private static readonly Lazy<bool> s_convolutionsOutrunBlas = new(() =>
                engine.blas.Name != "MKL" && engine.configuration.Contains("USE_MKLDNN=ON", StringComparison.Ordinal));

            private static bool IsQuickerAsConvolution(Tensor input, Tensor weights)
            {
                if (input.dtype != ScalarType.Float32 || weights.dtype != ScalarType.Float32 || !input.is_cpu() || weights.dim() != 2) return false;
                var (outputs, inputs) = (weights.size(0), weights.size(1));
                if (inputs < FewestFeatures || outputs < FewestFeatures || input.dim() is not (2 or 3) || input.size(-1) != inputs) return false;
                var rows = input.numel() / inputs;
                return rows >= FewestRows && rows * inputs * outputs >= FewestProducts && s_convolutionsOutrunBlas.Value;
            }

            /// <summary>The same product as a 1x1 convolution over views: [B, N, in] is [B, in, 1, N] with channels last, without a copy.</summary>
            private static Tensor LinearAsConvolution(Tensor input, Tensor weights, Tensor? bias)
            {
                using var scope = NewDisposeScope();
                var single = input.dim() == 2;
                var image = (single ? input.unsqueeze(0) : input).transpose(1, 2).unsqueeze(2);
                var kernel = weights.unsqueeze(-1).unsqueeze(-1);
                var result = conv2d(image, kernel, bias).squeeze(2).transpose(1, 2);
                return (single ? result.squeeze(0) : result).MoveToOuterDisposeScope();
            }
        }
    }
}
