namespace StableTune.LibTorch;

public static partial class torch
{
    public partial class Tensor
    {
        private static readonly Operator s_to_dtype = new("to", "dtype");
        private static readonly Operator s_to_device = new("to", "device");
        private static readonly Operator s_copy_ = new("copy_");
        private static readonly Operator s_zero_ = new("zero_");
        private static readonly Operator s_fill__Scalar = new("fill_", "Scalar");
        private static readonly Operator s_fill__Tensor = new("fill_", "Tensor");
        private static readonly Operator s_normal_ = new("normal_");
        private static readonly Operator s_uniform_ = new("uniform_");
        private static readonly Operator s_bernoulli__float = new("bernoulli_", "float");
        private static readonly Operator s_random__from = new("random_", "from");

        /// <summary>In another dtype; the same memory when nothing changes, unless a copy is asked for.</summary>
        public Tensor to(ScalarType type, bool copy = false, bool non_blocking = false)
            => s_to_dtype.Run(this, type, non_blocking, copy);

        /// <summary>On another device; the same memory when nothing changes, unless a copy is asked for.</summary>
        public Tensor to(Device device, bool copy = false, bool non_blocking = false)
            => s_to_device.Run(this, device, dtype, non_blocking, copy);

        /// <summary>On another device and in another dtype.</summary>
        public Tensor to(Device device, ScalarType type, bool copy = false, bool non_blocking = false)
            => s_to_device.Run(this, device, type, non_blocking, copy);

        /// <summary>In another dtype and on another device.</summary>
        public Tensor to(ScalarType type, Device device, bool copy = false, bool non_blocking = false)
            => s_to_device.Run(this, device, type, non_blocking, copy);

        /// <summary>On another device.</summary>
        public Tensor to(DeviceType deviceType, int index = -1) => to(new Device(deviceType, index));

        /// <summary>With the dtype and on the device of another tensor.</summary>
        public Tensor to(Tensor other) => to(other.device, other.dtype);

        /// <summary>In another dtype.</summary>
        public Tensor to_type(ScalarType type) => to(type);

        /// <summary>In another dtype.</summary>
        public Tensor type(ScalarType type) => to(type);

        /// <summary>In the dtype of another tensor.</summary>
        public Tensor type_as(Tensor other) => to(other.dtype);

        /// <summary>In single precision.</summary>
        public Tensor @float() => to(ScalarType.Float32);

        /// <summary>In double precision.</summary>
        public Tensor @double() => to(ScalarType.Float64);

        /// <summary>In half precision.</summary>
        public Tensor half() => to(ScalarType.Float16);

        /// <summary>In bfloat16.</summary>
        public Tensor bfloat16() => to(ScalarType.BFloat16);

        /// <summary>As 64-bit integers, fractions cut off.</summary>
        public Tensor @long() => to(ScalarType.Int64);

        /// <summary>As 32-bit integers, fractions cut off.</summary>
        public Tensor @int() => to(ScalarType.Int32);

        /// <summary>As bytes, fractions cut off.</summary>
        public Tensor @byte() => to(ScalarType.Byte);

        /// <summary>True where an element is not zero.</summary>
        public Tensor @bool() => to(ScalarType.Bool);

        /// <summary>In the processor's memory.</summary>
        public Tensor cpu() => to(CPU);

        /// <summary>On the current GPU.</summary>
        public Tensor cuda() => to(CUDA);

        /// <summary>Takes over the elements of another tensor, converted and broadcast.</summary>
        /// <returns>This tensor.</returns>
        public Tensor copy_(Tensor source, bool non_blocking = false) => s_copy_.Apply(this, source, non_blocking);

        /// <summary>Sets every element to 0.</summary>
        /// <returns>This tensor.</returns>
        public Tensor zero_() => s_zero_.Apply(this);

        /// <summary>Sets every element to a number.</summary>
        /// <returns>This tensor.</returns>
        public Tensor fill_(Scalar value) => s_fill__Scalar.Apply(this, value);

        /// <summary>Sets every element to the value of a scalar tensor.</summary>
        /// <returns>This tensor.</returns>
        public Tensor fill_(Tensor value) => s_fill__Tensor.Apply(this, value);

        /// <summary>Draws every element from a normal distribution.</summary>
        /// <returns>This tensor.</returns>
        public Tensor normal_(double mean = 0, double std = 1, Generator? generator = null)
            => s_normal_.Apply(this, mean, std, generator);

        /// <summary>Draws every element uniformly from [from, to).</summary>
        /// <returns>This tensor.</returns>
        public Tensor uniform_(double from = 0, double to = 1, Generator? generator = null)
            => s_uniform_.Apply(this, from, to, generator);

        /// <summary>Sets every element to 1 with probability p, else 0.</summary>
        /// <returns>This tensor.</returns>
        public Tensor bernoulli_(double p = 0.5, Generator? generator = null) => s_bernoulli__float.Apply(this, p, generator);

        /// <summary>Draws every element from the integers of [from, to).</summary>
        /// <returns>This tensor.</returns>
        public Tensor random_(long from, long to, Generator? generator = null) => s_random__from.Apply(this, from, to, generator);

        /// <summary>Zeros with this dtype and device.</summary>
        public Tensor new_zeros(params long[] size) => zeros(size, dtype, device);

        /// <summary>Ones with this dtype and device.</summary>
        public Tensor new_ones(params long[] size) => ones(size, dtype, device);

        /// <summary>One number everywhere, with this dtype and device.</summary>
        public Tensor new_full(long[] size, Scalar value) => full(size, value, dtype, device);

        /// <summary>Uninitialised memory with this dtype and device.</summary>
        public Tensor new_empty(params long[] size) => empty(size, dtype, device);

        /// <summary>An array's elements with this dtype and device.</summary>
        public Tensor new_tensor(Array data) => from_array(data, dtype, device);
    }
}
