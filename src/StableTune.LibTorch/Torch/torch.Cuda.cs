namespace StableTune.LibTorch;

public static partial class torch
{
    /// <summary>GPUs.</summary>
    public static class cuda
    {
        /// <summary>True when libtorch was built with CUDA and the machine has a GPU it can use.</summary>
        public static bool is_available() => device_count() > 0;

        /// <summary>Number of GPUs that can be used.</summary>
        public static int device_count() => Native.st_cuda_device_count();

        /// <summary>Free and total bytes of a GPU, as its driver counts them: of all processes together.</summary>
        /// <exception cref="TorchException">There is no such GPU.</exception>
        public static (long Free, long Total) mem_get_info(int device = 0)
        {
            Native.Check(Native.st_cuda_memory(device, out var free, out var total), $"cuda.mem_get_info({device})");
            return (free, total);
        }

        /// <summary>Waits until a GPU has done all it was given; -1 is the current one.</summary>
        /// <exception cref="TorchException">There is no such GPU.</exception>
        public static void synchronize(int device = -1) => Native.Check(Native.st_cuda_synchronize(device), "cuda.synchronize");
    }

    /// <summary>Threads that one operator may use.</summary>
    public static int get_num_threads() => Native.st_num_threads();

    /// <summary>Sets how many threads one operator may use.</summary>
    /// <exception cref="TorchException">The number is below 1.</exception>
    public static void set_num_threads(int num) => Native.Check(Native.st_set_num_threads(num), $"set_num_threads({num})");

    /// <summary>Threads that run independent operators side by side.</summary>
    public static int get_num_interop_threads() => Native.st_num_interop_threads();

    /// <summary>Sets how many threads run independent operators side by side; before the first of them runs.</summary>
    /// <exception cref="TorchException">It is too late, or the number is below 1.</exception>
    public static void set_num_interop_threads(int num) => Native.Check(Native.st_set_num_interop_threads(num), $"set_num_interop_threads({num})");
}
