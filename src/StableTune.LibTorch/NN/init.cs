namespace StableTune.LibTorch;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>Ways to fill a tensor with its first values. All work in place, outside the graph, and return the tensor.</summary>
        public static class init
        {
            /// <summary>Which side of a weight counts as its width.</summary>
            public enum FanInOut
            {
                /// <summary>The inputs: keeps the variance of the forward pass.</summary>
                FanIn,

                /// <summary>The outputs: keeps the variance of the backward pass.</summary>
                FanOut,
            }

            /// <summary>What follows the layer.</summary>
            public enum NonlinearityType
            {
                /// <summary>Nothing.</summary>
                Linear,

                /// <summary>The logistic function.</summary>
                Sigmoid,

                /// <summary>The hyperbolic tangent.</summary>
                Tanh,

                /// <summary>max(x, 0).</summary>
                ReLU,

                /// <summary>max(x, 0) with a slope below zero.</summary>
                LeakyReLU,
            }

            /// <summary>The factor by which a layer's weights grow to make up for what follows.</summary>
            /// <param name="nonlinearity">What follows.</param>
            /// <param name="param">The slope below zero of a leaky ReLU; otherwise unused.</param>
            /// <returns>1, 5/3 for tanh, √2 for ReLU, √(2 / (1 + slope²)) for leaky ReLU.</returns>
            public static double calculate_gain(NonlinearityType nonlinearity, double param = 0.01) => nonlinearity switch
            {
                NonlinearityType.Linear or NonlinearityType.Sigmoid => 1,
                NonlinearityType.Tanh => 5.0 / 3,
                NonlinearityType.ReLU => Math.Sqrt(2),
                NonlinearityType.LeakyReLU => Math.Sqrt(2 / (1 + param * param)),
                _ => throw new ArgumentOutOfRangeException(nameof(nonlinearity), nonlinearity, "calculate_gain: unknown nonlinearity."),
            };

            /// <summary>Uniform within [low, high).</summary>
            /// <param name="tensor">The tensor to fill.</param>
            /// <param name="low">Smallest value.</param>
            /// <param name="high">Bound above.</param>
            /// <param name="generator">What is drawn from; null for the global generator.</param>
            /// <returns>The tensor.</returns>
            public static Tensor uniform_(Tensor tensor, double low = 0, double high = 1, Generator? generator = null)
                => InPlace(tensor, t => t.uniform_(low, high, generator));

            /// <summary>Normal.</summary>
            /// <param name="tensor">The tensor to fill.</param>
            /// <param name="mean">Mean.</param>
            /// <param name="std">Standard deviation.</param>
            /// <param name="generator">What is drawn from; null for the global generator.</param>
            /// <returns>The tensor.</returns>
            public static Tensor normal_(Tensor tensor, double mean = 0, double std = 1, Generator? generator = null)
                => InPlace(tensor, t => t.normal_(mean, std, generator));

            /// <summary>One value everywhere.</summary>
            /// <param name="tensor">The tensor to fill.</param>
            /// <param name="val">The value.</param>
            /// <returns>The tensor.</returns>
            public static Tensor constant_(Tensor tensor, Scalar val) => InPlace(tensor, t => t.fill_(val));

            /// <summary>Zeros.</summary>
            /// <param name="tensor">The tensor to fill.</param>
            /// <returns>The tensor.</returns>
            public static Tensor zeros_(Tensor tensor) => InPlace(tensor, t => t.zero_());

            /// <summary>Ones.</summary>
            /// <param name="tensor">The tensor to fill.</param>
            /// <returns>The tensor.</returns>
            public static Tensor ones_(Tensor tensor) => InPlace(tensor, t => t.fill_(1));

            /// <summary>Uniform within ±gain · √(6 / (fanIn + fanOut)).</summary>
            /// <param name="tensor">At least two dimensions: [out, in, ...].</param>
            /// <param name="gain">See <see cref="calculate_gain"/>.</param>
            /// <param name="generator">What is drawn from; null for the global generator.</param>
            /// <returns>The tensor.</returns>
            /// <remarks>Glorot and Bengio, 2010.</remarks>
            /// <exception cref="ArgumentException">The tensor has fewer than two dimensions.</exception>
            public static Tensor xavier_uniform_(Tensor tensor, double gain = 1.0, Generator? generator = null)
            {
                var (fanIn, fanOut) = Fans(tensor);
                var bound = gain * Math.Sqrt(6.0 / (fanIn + fanOut));
                return uniform_(tensor, -bound, bound, generator);
            }

            /// <summary>Normal with standard deviation gain · √(2 / (fanIn + fanOut)).</summary>
            /// <param name="tensor">At least two dimensions: [out, in, ...].</param>
            /// <param name="gain">See <see cref="calculate_gain"/>.</param>
            /// <param name="generator">What is drawn from; null for the global generator.</param>
            /// <returns>The tensor.</returns>
            /// <remarks>Glorot and Bengio, 2010.</remarks>
            /// <exception cref="ArgumentException">The tensor has fewer than two dimensions.</exception>
            public static Tensor xavier_normal_(Tensor tensor, double gain = 1.0, Generator? generator = null)
            {
                var (fanIn, fanOut) = Fans(tensor);
                return normal_(tensor, 0, gain * Math.Sqrt(2.0 / (fanIn + fanOut)), generator);
            }

            /// <summary>Uniform within ±gain · √(3 / fan).</summary>
            /// <param name="tensor">At least two dimensions: [out, in, ...].</param>
            /// <param name="a">The slope below zero of the leaky ReLU that follows.</param>
            /// <param name="mode">Which side's width is the fan.</param>
            /// <param name="nonlinearity">What follows.</param>
            /// <param name="generator">What is drawn from; null for the global generator.</param>
            /// <returns>The tensor.</returns>
            /// <remarks>He et al., arXiv:1502.01852.</remarks>
            /// <exception cref="ArgumentException">The tensor has fewer than two dimensions.</exception>
            public static Tensor kaiming_uniform_(
                Tensor tensor, double a = 0, FanInOut mode = FanInOut.FanIn, NonlinearityType nonlinearity = NonlinearityType.LeakyReLU, Generator? generator = null)
            {
                var bound = Math.Sqrt(3) * KaimingDeviation(tensor, a, mode, nonlinearity);
                return uniform_(tensor, -bound, bound, generator);
            }

            /// <summary>Normal with standard deviation gain / √fan.</summary>
            /// <param name="tensor">At least two dimensions: [out, in, ...].</param>
            /// <param name="a">The slope below zero of the leaky ReLU that follows.</param>
            /// <param name="mode">Which side's width is the fan.</param>
            /// <param name="nonlinearity">What follows.</param>
            /// <param name="generator">What is drawn from; null for the global generator.</param>
            /// <returns>The tensor.</returns>
            /// <remarks>He et al., arXiv:1502.01852.</remarks>
            /// <exception cref="ArgumentException">The tensor has fewer than two dimensions.</exception>
            public static Tensor kaiming_normal_(
                Tensor tensor, double a = 0, FanInOut mode = FanInOut.FanIn, NonlinearityType nonlinearity = NonlinearityType.LeakyReLU, Generator? generator = null)
                => normal_(tensor, 0, KaimingDeviation(tensor, a, mode, nonlinearity), generator);

            /// <summary>A (semi-)orthogonal matrix, drawn uniformly: rows or columns, whichever are fewer, are orthonormal.</summary>
            /// <param name="tensor">At least two dimensions; those after the first count as one. Float32 or float64.</param>
            /// <param name="gain">The length of the orthogonal vectors.</param>
            /// <param name="generator">What is drawn from; null for the global generator.</param>
            /// <returns>The tensor.</returns>
            /// <remarks>Saxe et al., arXiv:1312.6120.</remarks>
            /// <exception cref="ArgumentException">The tensor has fewer than two dimensions.</exception>
            public static Tensor orthogonal_(Tensor tensor, double gain = 1.0, Generator? generator = null)
            {
                Fans(tensor);
                return InPlace(tensor, target =>
                {
                    var (rows, columns) = (target.shape[0], target.numel() / target.shape[0]);
                    var flat = empty([rows, columns], dtype: target.dtype, device: target.device).normal_(0, 1, generator);
                    if (rows < columns) flat = flat.t();
                    var (q, r) = linalg.qr(flat);
                    // QR leaves the signs open; those of R's diagonal make the draw uniform.
                    q = q * r.diagonal().sign();
                    if (rows < columns) q = q.t();
                    target.copy_(q.reshape(target.shape) * gain);
                });
            }

            private static double KaimingDeviation(Tensor tensor, double a, FanInOut mode, NonlinearityType nonlinearity)
            {
                var (fanIn, fanOut) = Fans(tensor);
                return calculate_gain(nonlinearity, a) / Math.Sqrt(mode == FanInOut.FanIn ? fanIn : fanOut);
            }

            /// <summary>Inputs and outputs of a weight [out, in, kernel...]: each times the size of the kernel.</summary>
            internal static (long fanIn, long fanOut) Fans(Tensor tensor)
            {
                ArgumentNullException.ThrowIfNull(tensor);
                var shape = tensor.shape;
                if (shape.Length < 2)
                    throw new ArgumentException($"The widths of a tensor of shape [{string.Join(", ", shape)}] are unknown: at least 2 dimensions are needed.", nameof(tensor));
                var kernel = shape.Skip(2).Aggregate(1L, (product, size) => product * size);
                return (shape[1] * kernel, shape[0] * kernel);
            }

            private static Tensor InPlace(Tensor tensor, Action<Tensor> fill)
            {
                ArgumentNullException.ThrowIfNull(tensor);
                using var frozen = no_grad();
                using var scope = NewDisposeScope();
                fill(tensor);
                return tensor;
            }
        }
    }
}
