namespace StableTune.LibTorch;

public static partial class torch
{
    public unsafe partial class Tensor
    {
        /// <summary>Sizes of all dimensions; a fresh array.</summary>
        public long[] shape
        {
            get
            {
                var sizes = new long[Native.st_tensor_dim(Handle)];
                fixed (long* first = sizes) Native.st_tensor_sizes(_handle, first);
                return sizes;
            }
        }

        /// <summary>Sizes of all dimensions; a fresh array.</summary>
        public long[] size() => shape;

        /// <summary>Size of one dimension; negative counts from the end.</summary>
        /// <exception cref="ArgumentOutOfRangeException">There is no such dimension.</exception>
        public long size(int dim)
        {
            var sizes = stackalloc long[Rank(dim, out var index)];
            Native.st_tensor_sizes(_handle, sizes);
            return sizes[index];
        }

        private int Rank(int dim, out int index)
        {
            var rank = (int)Native.st_tensor_dim(Handle);
            index = dim < 0 ? dim + rank : dim;
            return (uint)index < (uint)rank
                ? rank
                : throw new ArgumentOutOfRangeException(nameof(dim), dim, $"the tensor has {rank} dimension(s)");
        }

        /// <summary>How many elements lie between neighbours of each dimension; a fresh array.</summary>
        public long[] stride()
        {
            var strides = new long[Native.st_tensor_dim(Handle)];
            fixed (long* first = strides) Native.st_tensor_strides(_handle, first);
            return strides;
        }

        /// <summary>How many elements lie between neighbours of one dimension; negative counts from the end.</summary>
        public long stride(int dim)
        {
            var strides = stackalloc long[Rank(dim, out var index)];
            Native.st_tensor_strides(_handle, strides);
            return strides[index];
        }

        /// <summary>Number of dimensions.</summary>
        public long dim() => Native.st_tensor_dim(Handle);

        /// <summary>Number of dimensions.</summary>
        public long ndim => dim();

        /// <summary>Number of dimensions.</summary>
        public long Dimensions => dim();

        /// <summary>Number of elements.</summary>
        public long numel() => Native.st_tensor_numel(Handle);

        /// <summary>Number of elements.</summary>
        public long NumberOfElements => numel();

        /// <summary>Type of the elements.</summary>
        public ScalarType dtype => (ScalarType)Native.st_tensor_dtype(Handle);

        /// <summary>Bytes that one element takes.</summary>
        public long element_size() => dtype.ElementSize();

        /// <summary>Where the tensor lives.</summary>
        public Device device => Device.FromCode(Native.st_tensor_device(Handle));

        /// <summary>Kind of device on which the tensor lives.</summary>
        public DeviceType device_type => device.type;

        /// <summary>True when the tensor lives in the processor's memory.</summary>
        public bool is_cpu() => Native.st_tensor_device(Handle) >> 8 == (long)DeviceType.CPU;

        /// <summary>True when the tensor lives on a GPU.</summary>
        public bool is_cuda => device_type == DeviceType.CUDA;

        /// <summary>True when the elements lie in memory in the order of the indices.</summary>
        public bool is_contiguous() => Native.st_tensor_is_contiguous(Handle) != 0;

        /// <summary>True for floating-point elements.</summary>
        public bool is_floating_point() => dtype.IsFloatingPoint();

        /// <summary>Elements between the start of the storage and the first element.</summary>
        public long storage_offset() => Native.st_tensor_offset(Handle);

        /// <summary>How often the memory was changed in place.</summary>
        internal long Version
        {
            get
            {
                Native.Check(Native.st_tensor_version(Handle, out var version), "Tensor._version");
                GC.KeepAlive(this);
                return version;
            }
        }

        /// <summary>True when both are views of one memory.</summary>
        internal bool SharesStorageWith(Tensor other) => Native.st_tensor_same_storage(Handle, other.Handle) != 0;

        /// <summary>Bytes of the whole memory behind the tensor, which views share.</summary>
        internal long StorageBytes => Native.st_tensor_storage_bytes(Handle);
    }
}
