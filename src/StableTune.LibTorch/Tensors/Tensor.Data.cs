using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StableTune.LibTorch;

public static partial class torch
{
    public unsafe partial class Tensor
    {
        private static readonly Operator s_item = new("item");

        /// <summary>The elements, for reading and writing in place. CPU only.</summary>
        /// <typeparam name="T">The .NET type of the dtype; <see cref="ushort"/> stands for the bits of 16-bit floats.</typeparam>
        /// <exception cref="InvalidOperationException">The type does not fit, or the tensor is not on the CPU.</exception>
        public TensorAccessor<T> data<T>() where T : unmanaged
        {
            CheckElement<T>();
            return new(this);
        }

        /// <summary>The memory as bytes, for reading and writing in place. CPU and contiguous only; valid while the tensor lives.</summary>
        /// <exception cref="InvalidOperationException">The tensor is on another device, or not contiguous.</exception>
        public Span<byte> bytes
        {
            get
            {
                var length = checked((int)(numel() * element_size()));
                return new Span<byte>((void*)ContiguousData(), length);
            }
            set
            {
                value.CopyTo(bytes);
                GC.KeepAlive(this);
            }
        }

        /// <summary>Address of the first element; on the tensor's device.</summary>
        public nint data_ptr()
        {
            Native.Check(Native.st_tensor_data(Handle, out var data), "Tensor.data_ptr");
            GC.KeepAlive(this);
            return data;
        }

        private nint ContiguousData()
        {
            if (!is_cpu()) throw new InvalidOperationException($"{this}: its memory is not the processor's. Call cpu() first.");
            if (!is_contiguous()) throw new InvalidOperationException($"{this} is not contiguous. Call contiguous() first.");
            return data_ptr();
        }

        private void CheckElement<T>() where T : unmanaged
        {
            if (!is_cpu()) throw new InvalidOperationException($"{this}: its memory is not the processor's. Call cpu() first.");
            if (!FitsElement<T>(dtype)) throw new InvalidOperationException($"{this} does not hold {typeof(T).Name} elements.");
        }

        private static bool FitsElement<T>(ScalarType type) where T : unmanaged => type switch
        {
            ScalarType.Float32 => typeof(T) == typeof(float),
            ScalarType.Float64 => typeof(T) == typeof(double),
            ScalarType.Float16 => typeof(T) == typeof(Half) || typeof(T) == typeof(ushort),
            ScalarType.BFloat16 => typeof(T) == typeof(ushort),
            ScalarType.Int64 => typeof(T) == typeof(long),
            ScalarType.Int32 => typeof(T) == typeof(int),
            ScalarType.Int16 => typeof(T) == typeof(short),
            ScalarType.Int8 => typeof(T) == typeof(sbyte),
            ScalarType.Byte => typeof(T) == typeof(byte),
            ScalarType.Bool => typeof(T) == typeof(bool) || typeof(T) == typeof(byte),
            _ => sizeof(T) == type.ElementSize(),
        };

        /// <summary>The only element, whatever the dtype. Waits for the device.</summary>
        /// <exception cref="TorchException">There is more than one element, or none.</exception>
        public Scalar ToScalar() => s_item.RunScalar(this);

        /// <summary>The only element, converted to <typeparamref name="T"/>. Waits for the device.</summary>
        /// <exception cref="TorchException">There is more than one element, or none.</exception>
        public T item<T>() where T : unmanaged
        {
            var value = ToScalar();
            if (typeof(T) == typeof(float)) return Cast(value.ToSingle());
            if (typeof(T) == typeof(double)) return Cast(value.ToDouble());
            if (typeof(T) == typeof(Half)) return Cast((Half)value.ToDouble());
            if (typeof(T) == typeof(long)) return Cast(value.ToInt64());
            if (typeof(T) == typeof(int)) return Cast(value.ToInt32());
            if (typeof(T) == typeof(short)) return Cast(checked((short)value.ToInt64()));
            if (typeof(T) == typeof(byte)) return Cast(checked((byte)value.ToInt64()));
            if (typeof(T) == typeof(sbyte)) return Cast(checked((sbyte)value.ToInt64()));
            if (typeof(T) == typeof(bool)) return Cast(value.ToBoolean());
            throw new NotSupportedException($"item<{typeof(T).Name}>: use a .NET number or bool");

            static T Cast<TValue>(TValue value) => Unsafe.As<TValue, T>(ref value);
        }

        /// <summary>The only element as a float.</summary>
        public float ToSingle() => ToScalar().ToSingle();

        /// <summary>The only element as a double.</summary>
        public double ToDouble() => ToScalar().ToDouble();

        /// <summary>The only element as a 64-bit integer.</summary>
        public long ToInt64() => ToScalar().ToInt64();

        /// <summary>The only element as a 32-bit integer.</summary>
        public int ToInt32() => ToScalar().ToInt32();

        /// <summary>True unless the only element is zero.</summary>
        public bool ToBoolean() => ToScalar().ToBoolean();

        /// <summary>A copy of memory of the CPU as an array, in the order of the indices.</summary>
        internal T[] CopyToArray<T>() where T : unmanaged
        {
            CheckElement<T>();
            using var scope = NewDisposeScope();
            var source = is_contiguous() ? this : contiguous();
            var array = new T[source.numel()];
            MemoryMarshal.AsBytes(array.AsSpan()).Clear();
            new ReadOnlySpan<T>((void*)source.data_ptr(), array.Length).CopyTo(array);
            GC.KeepAlive(source);
            return array;
        }
    }
}
