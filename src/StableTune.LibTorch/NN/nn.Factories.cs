using StableTune.LibTorch.Modules;

namespace StableTune.LibTorch;

public static partial class torch
{
    /// <summary>Modules, and the functions they are made of.</summary>
    public static partial class nn
    {
        /// <summary>A parameter with a tensor's values; see <see cref="Modules.Parameter(Tensor, bool)"/>.</summary>
        /// <param name="data">The values. Taken over: the tensor is disposed and must not be used again.</param>
        /// <param name="requires_grad">Whether a gradient is wanted.</param>
        public static Parameter Parameter(Tensor data, bool requires_grad = true) => new(data, requires_grad);

        /// <summary>y = x · weightᵀ + bias; see <see cref="Modules.Linear"/>.</summary>
        /// <param name="inputSize">Width of the input.</param>
        /// <param name="outputSize">Width of the output.</param>
        /// <param name="hasBias">Whether a bias is added.</param>
        /// <param name="device">Where the weights live; null for the CPU.</param>
        /// <param name="dtype">Type of the weights; null for float32.</param>
        /// <param name="generator">What the initial values are drawn from; null for the global generator.</param>
        public static Linear Linear(
            long inputSize, long outputSize, bool hasBias = true, Device? device = null, ScalarType? dtype = null, Generator? generator = null)
            => new(inputSize, outputSize, hasBias, device, dtype, generator);

        /// <summary>A convolution with a square kernel; see <see cref="Modules.Conv2d"/>.</summary>
        /// <param name="in_channels">Channels of the input.</param>
        /// <param name="out_channels">Channels of the output.</param>
        /// <param name="kernel_size">Height and width of the kernel.</param>
        /// <param name="stride">Steps between windows.</param>
        /// <param name="padding">Rows and columns added at each side.</param>
        /// <param name="dilation">Spacing of the kernel's elements.</param>
        /// <param name="padding_mode">What the padding is filled with.</param>
        /// <param name="groups">Blocks of channels that do not see each other.</param>
        /// <param name="bias">Whether a bias is added.</param>
        /// <param name="device">Where the weights live; null for the CPU.</param>
        /// <param name="dtype">Type of the weights; null for float32.</param>
        /// <param name="generator">What the initial values are drawn from; null for the global generator.</param>
        public static Conv2d Conv2d(
            long in_channels, long out_channels, long kernel_size, long stride = 1, long padding = 0, long dilation = 1,
            PaddingModes padding_mode = PaddingModes.Zeros, long groups = 1, bool bias = true,
            Device? device = null, ScalarType? dtype = null, Generator? generator = null)
            => new(in_channels, out_channels, (kernel_size, kernel_size), (stride, stride), (padding, padding), (dilation, dilation),
                padding_mode, groups, bias, device, dtype, generator);

        /// <summary>A convolution; see <see cref="Modules.Conv2d"/>.</summary>
        /// <param name="in_channels">Channels of the input.</param>
        /// <param name="out_channels">Channels of the output.</param>
        /// <param name="kernel_size">Kernel, (height, width).</param>
        /// <param name="stride">Steps between windows; null for 1.</param>
        /// <param name="padding">Rows and columns added at each side; null for 0.</param>
        /// <param name="dilation">Spacing of the kernel's elements; null for 1.</param>
        /// <param name="padding_mode">What the padding is filled with.</param>
        /// <param name="groups">Blocks of channels that do not see each other.</param>
        /// <param name="bias">Whether a bias is added.</param>
        /// <param name="device">Where the weights live; null for the CPU.</param>
        /// <param name="dtype">Type of the weights; null for float32.</param>
        /// <param name="generator">What the initial values are drawn from; null for the global generator.</param>
        public static Conv2d Conv2d(
            long in_channels, long out_channels, (long, long) kernel_size, (long, long)? stride = null, (long, long)? padding = null,
            (long, long)? dilation = null, PaddingModes padding_mode = PaddingModes.Zeros, long groups = 1, bool bias = true,
            Device? device = null, ScalarType? dtype = null, Generator? generator = null)
            => new(in_channels, out_channels, kernel_size, stride, padding, dilation, padding_mode, groups, bias, device, dtype, generator);

        /// <summary>Group normalisation; see <see cref="Modules.GroupNorm"/>.</summary>
        /// <param name="num_groups">Number of groups.</param>
        /// <param name="num_channels">Channels of the input.</param>
        /// <param name="eps">Added to the variance.</param>
        /// <param name="affine">Whether there are a weight and a bias.</param>
        /// <param name="device">Where they live; null for the CPU.</param>
        /// <param name="dtype">Their type; null for float32.</param>
        public static GroupNorm GroupNorm(
            long num_groups, long num_channels, double eps = 1e-05, bool affine = true, Device? device = null, ScalarType? dtype = null)
            => new(num_groups, num_channels, eps, affine, device, dtype);

        /// <summary>Layer normalisation; see <see cref="Modules.LayerNorm"/>.</summary>
        /// <param name="normalized_shape">The sizes of the last dimensions.</param>
        /// <param name="eps">Added to the variance.</param>
        /// <param name="elementwise_affine">Whether there is a weight.</param>
        /// <param name="bias">Whether there is a bias too.</param>
        /// <param name="device">Where they live; null for the CPU.</param>
        /// <param name="dtype">Their type; null for float32.</param>
        public static LayerNorm LayerNorm(
            long[] normalized_shape, double eps = 1e-05, bool elementwise_affine = true, bool bias = true, Device? device = null, ScalarType? dtype = null)
            => new(normalized_shape, eps, elementwise_affine, bias, device, dtype);

        /// <summary>Layer normalisation over the last dimension; see <see cref="Modules.LayerNorm"/>.</summary>
        /// <param name="normalized_shape">The size of the last dimension.</param>
        /// <param name="eps">Added to the variance.</param>
        /// <param name="elementwise_affine">Whether there is a weight.</param>
        /// <param name="bias">Whether there is a bias too.</param>
        /// <param name="device">Where they live; null for the CPU.</param>
        /// <param name="dtype">Their type; null for float32.</param>
        public static LayerNorm LayerNorm(
            long normalized_shape, double eps = 1e-05, bool elementwise_affine = true, bool bias = true, Device? device = null, ScalarType? dtype = null)
            => new(normalized_shape, eps, elementwise_affine, bias, device, dtype);

        /// <summary>A table of vectors; see <see cref="Modules.Embedding"/>.</summary>
        /// <param name="num_embeddings">Number of rows.</param>
        /// <param name="embedding_dims">Width of a row.</param>
        /// <param name="padding_idx">A row that gets no gradient, or null.</param>
        /// <param name="device">Where the table lives; null for the CPU.</param>
        /// <param name="dtype">Its type; null for float32.</param>
        /// <param name="generator">What the initial values are drawn from; null for the global generator.</param>
        public static Embedding Embedding(
            long num_embeddings, long embedding_dims, long? padding_idx = null, Device? device = null, ScalarType? dtype = null, Generator? generator = null)
            => new(num_embeddings, embedding_dims, padding_idx, device, dtype, generator);

        /// <summary>Dropout; see <see cref="Modules.Dropout"/>.</summary>
        /// <param name="p">Probability of a zero, 0 to 1.</param>
        /// <param name="inplace">Whether the input itself is changed.</param>
        public static Dropout Dropout(double p = 0.5, bool inplace = false) => new(p, inplace);

        /// <summary>x · sigmoid(x).</summary>
        /// <param name="inplace">Whether the input itself is changed.</param>
        public static SiLU SiLU(bool inplace = false) => new(inplace);

        /// <summary>x · Φ(x).</summary>
        /// <param name="approximate">"none" for the exact form, "tanh" for the approximation.</param>
        public static GELU GELU(string approximate = "none") => new(approximate);

        /// <summary>Passes its input on.</summary>
        public static Identity Identity() => new();

        /// <summary>Modules applied one after another, with their numbers as keys.</summary>
        /// <param name="modules">The members, in order.</param>
        public static Sequential Sequential(params Module<Tensor, Tensor>[] modules) => new(modules);

        /// <summary>Modules applied one after another, with keys of their own.</summary>
        /// <param name="modules">Names and members, in order.</param>
        public static Sequential Sequential(params (string name, Module<Tensor, Tensor> submodule)[] modules) => new(modules);

        /// <summary>A list of modules.</summary>
        /// <typeparam name="T">What the members have in common.</typeparam>
        /// <param name="modules">The members, in order.</param>
        public static ModuleList<T> ModuleList<T>(params T[] modules) where T : Module => new(modules);

        /// <summary>Modules by key.</summary>
        /// <typeparam name="T">What the members have in common.</typeparam>
        /// <param name="modules">Keys and members, in order.</param>
        public static ModuleDict<T> ModuleDict<T>(params (string, T)[] modules) where T : Module => new(modules);

        /// <summary>A parameter whose values are still undefined.</summary>
        internal static Parameter Uninitialized(long[] shape, ScalarType? dtype, Device? device)
            => new(empty(shape, dtype: dtype ?? engine.InitType ?? ScalarType.Float32, device: device ?? engine.InitDevice));

        /// <summary>A parameter with one value everywhere, or undefined where initialisation is skipped.</summary>
        internal static Parameter Filled(long[] shape, Scalar value, ScalarType? dtype, Device? device)
        {
            var parameter = Uninitialized(shape, dtype, device);
            if (!engine.InitIsSkipped) init.constant_(parameter, value);
            return parameter;
        }

        /// <summary>
        /// PyTorch's default for linear and convolution layers: kaiming uniform with a = √5, which comes to ±1/√fanIn, for the
        /// weight, and the same range for the bias. Drawn in this order.
        /// </summary>
        internal static void InitialiseAffine(Tensor weight, Tensor? bias, Generator? generator)
        {
            if (engine.InitIsSkipped) return;
            init.kaiming_uniform_(weight, Math.Sqrt(5), generator: generator);
            if (bias is null) return;
            var (fanIn, _) = init.Fans(weight);
            var bound = fanIn > 0 ? 1 / Math.Sqrt(fanIn) : 0;
            init.uniform_(bias, -bound, bound, generator);
        }
    }
}
