namespace StableTune.LibTorch;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>What layers compute, as functions of tensors alone.</summary>
        public static partial class functional
        {
            /// <summary>Normalises each sample's groups of channels to mean 0 and variance 1, then scales and shifts per channel.</summary>
            /// <param name="input">[B, C, ...].</param>
            /// <param name="num_groups">Number of groups, a divisor of C.</param>
            /// <param name="weight">[C], or null for 1.</param>
            /// <param name="bias">[C], or null for 0.</param>
            /// <param name="eps">Added to the biased variance.</param>
            /// <returns>As the input.</returns>
            public static Tensor group_norm(Tensor input, long num_groups, Tensor? weight = null, Tensor? bias = null, double eps = 1e-05)
                => Ops.GroupNorm.Run(input, num_groups, weight, bias, eps);

            /// <summary>Normalises over the last dimensions to mean 0 and variance 1, then scales and shifts per element.</summary>
            /// <param name="input">[..., normalized_shape].</param>
            /// <param name="normalized_shape">The sizes of the last dimensions.</param>
            /// <param name="weight">As normalized_shape, or null for 1.</param>
            /// <param name="bias">As normalized_shape, or null for 0.</param>
            /// <param name="eps">Added to the biased variance.</param>
            /// <returns>As the input.</returns>
            public static Tensor layer_norm(Tensor input, long[] normalized_shape, Tensor? weight = null, Tensor? bias = null, double eps = 1e-05)
                => Ops.LayerNorm.Run(input, normalized_shape, weight, bias, eps);

            /// <summary>Looks rows of a table up.</summary>
            /// <param name="input">Row numbers of any shape, int64 or int32.</param>
            /// <param name="weight">The table, [rows, width].</param>
            /// <param name="padding_idx">A row that gets no gradient, or null; negative counts from the end.</param>
            /// <param name="scale_grad_by_freq">Whether a row's gradient is divided by how often it was looked up.</param>
            /// <returns>[..., width].</returns>
            public static Tensor embedding(Tensor input, Tensor weight, long? padding_idx = null, bool scale_grad_by_freq = false)
            {
                ArgumentNullException.ThrowIfNull(weight);
                var padding = padding_idx is { } index ? (index < 0 ? index + weight.shape[0] : index) : -1;
                return Ops.Embedding.Run(weight, input, padding, scale_grad_by_freq, false);
            }

            /// <summary>Each number as a vector of zeros with a one at its place.</summary>
            /// <param name="x">Numbers from 0 of any shape, int64.</param>
            /// <param name="num_classes">Length of the vectors; -1 for the largest number plus one.</param>
            /// <returns>[..., num_classes], int64.</returns>
            public static Tensor one_hot(Tensor x, long num_classes = -1) => Ops.OneHot.Run(x, num_classes);

            /// <summary>In training, sets each element to zero with probability p and divides the rest by 1 - p.</summary>
            /// <param name="input">Any shape, floating-point.</param>
            /// <param name="p">Probability of a zero, 0 to 1.</param>
            /// <param name="training">False passes the input on.</param>
            /// <param name="inplace">Whether the input itself is changed.</param>
            /// <param name="generator">What the zeros are drawn from; null for the global generator.</param>
            /// <returns>As the input; with nothing to drop, another object for the same values.</returns>
            public static Tensor dropout(Tensor input, double p = 0.5, bool training = true, bool inplace = false, Generator? generator = null)
            {
                ArgumentNullException.ThrowIfNull(input);
                if (!training || p == 0) return input.alias();
                if (generator is null) return (inplace ? Ops.DropoutInPlace : Ops.Dropout).Run(input, p, training);

                // libtorch's own dropout knows no generator; this is its definition.
                using var scope = NewDisposeScope();
                if (p == 1) return (inplace ? input.mul_(0) : input * 0).MoveToOuterDisposeScope();
                var mask = empty_like(input).bernoulli_(1 - p, generator).div_(1 - p);
                return (inplace ? input.mul_(mask) : input * mask).MoveToOuterDisposeScope();
            }

            /// <summary>The windows of an image as columns (im2col).</summary>
            /// <param name="input">[B, C, H, W].</param>
            /// <param name="kernel_size">Height and width of a window.</param>
            /// <param name="dilation">Spacing within a window.</param>
            /// <param name="padding">Zeros at each side.</param>
            /// <param name="stride">Steps between windows.</param>
            /// <returns>[B, C · kernel_size², windows].</returns>
            public static Tensor unfold(Tensor input, long kernel_size, long dilation = 1, long padding = 0, long stride = 1)
                => unfold(input, (kernel_size, kernel_size), (dilation, dilation), (padding, padding), (stride, stride));

            /// <summary>The windows of an image as columns (im2col).</summary>
            /// <param name="input">[B, C, H, W].</param>
            /// <param name="kernel_size">(height, width) of a window.</param>
            /// <param name="dilation">Spacing within a window; null for 1.</param>
            /// <param name="padding">Zeros at each side; null for 0.</param>
            /// <param name="stride">Steps between windows; null for 1.</param>
            /// <returns>[B, C · height · width, windows].</returns>
            public static Tensor unfold(
                Tensor input, (long, long) kernel_size, (long, long)? dilation = null, (long, long)? padding = null, (long, long)? stride = null)
                => Ops.Im2col.Run(input, Pair(kernel_size), Pair(dilation ?? (1, 1)), Pair(padding ?? (0, 0)), Pair(stride ?? (1, 1)));

            /// <summary>The mean over windows.</summary>
            /// <param name="input">[B, C, H, W].</param>
            /// <param name="kernel_size">Window, [1] or [height, width].</param>
            /// <param name="strides">Steps between windows; null for the window's size.</param>
            /// <param name="padding">Zeros at each side; null for 0.</param>
            /// <param name="ceil_mode">Whether a last, incomplete window counts.</param>
            /// <param name="count_include_pad">Whether the padding counts in the mean.</param>
            /// <param name="divisor_override">What the sum is divided by; null for the number of elements.</param>
            /// <returns>[B, C, H', W'].</returns>
            public static Tensor avg_pool2d(
                Tensor input, long[] kernel_size, long[]? strides = null, long[]? padding = null, bool ceil_mode = false, bool count_include_pad = true, long? divisor_override = null)
                => Ops.AvgPool2d.Run(input, kernel_size, strides ?? kernel_size, padding ?? [0, 0], ceil_mode, count_include_pad, divisor_override);

            /// <summary>The mean over square windows.</summary>
            /// <param name="input">[B, C, H, W].</param>
            /// <param name="kernel_size">Height and width of a window.</param>
            /// <param name="stride">Steps between windows; null for the window's size.</param>
            /// <param name="padding">Zeros at each side.</param>
            /// <returns>[B, C, H', W'].</returns>
            public static Tensor avg_pool2d(Tensor input, long kernel_size, long? stride = null, long padding = 0)
                => avg_pool2d(input, [kernel_size, kernel_size], stride is { } step ? [step, step] : null, [padding, padding]);

            /// <summary>The largest value of each window.</summary>
            /// <param name="input">[B, C, H, W].</param>
            /// <param name="kernel_size">Window, [1] or [height, width].</param>
            /// <param name="strides">Steps between windows; null for the window's size.</param>
            /// <param name="padding">-∞ at each side, at most half a window; null for 0.</param>
            /// <param name="dilation">Spacing within a window; null for 1.</param>
            /// <param name="ceil_mode">Whether a last, incomplete window counts.</param>
            /// <returns>[B, C, H', W'].</returns>
            public static Tensor max_pool2d(
                Tensor input, long[] kernel_size, long[]? strides = null, long[]? padding = null, long[]? dilation = null, bool ceil_mode = false)
                => Ops.MaxPool2d.Run(input, kernel_size, strides ?? kernel_size, padding ?? [0, 0], dilation ?? [1, 1], ceil_mode);

            /// <summary>The largest value of each square window.</summary>
            /// <param name="input">[B, C, H, W].</param>
            /// <param name="kernel_size">Height and width of a window.</param>
            /// <param name="stride">Steps between windows; null for the window's size.</param>
            /// <param name="padding">-∞ at each side, at most half a window.</param>
            /// <returns>[B, C, H', W'].</returns>
            public static Tensor max_pool2d(Tensor input, long kernel_size, long? stride = null, long padding = 0)
                => max_pool2d(input, [kernel_size, kernel_size], stride is { } step ? [step, step] : null, [padding, padding]);

            private static long[] Pair((long height, long width) pair) => [pair.height, pair.width];
        }
    }
}
