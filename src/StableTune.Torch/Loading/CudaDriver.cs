using System.Runtime.InteropServices;

namespace StableTune.Torch.Loading;

/// <summary>NVIDIA's driver, asked without libtorch.</summary>
internal static unsafe class CudaDriver
{
    /// <summary>The number of GPUs that the driver offers; null when there is no working driver.</summary>
    /// <remarks>The driver heeds <c>CUDA_VISIBLE_DEVICES</c>.</remarks>
    internal static int? DeviceCount()
    {
        if (!NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1", out var driver)) return null;
        if (!NativeLibrary.TryGetExport(driver, "cuInit", out var initialize)) return null;
        if (!NativeLibrary.TryGetExport(driver, "cuDeviceGetCount", out var getCount)) return null;
        const int noDevice = 100;   // CUDA_ERROR_NO_DEVICE
        var error = ((delegate* unmanaged<uint, int>)initialize)(0);
        if (error != 0) return error == noDevice ? 0 : null;
        var count = 0;
        return ((delegate* unmanaged<int*, int>)getCount)(&count) == 0 ? count : null;
    }

    /// <summary>Free and total memory of the GPU that this thread works on, bytes; null where there is no driver, or where the thread has
    /// not used a GPU yet.</summary>
    internal static (long Free, long Total)? Memory()
    {
        if (!NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1", out var driver)) return null;
        if (!NativeLibrary.TryGetExport(driver, "cuMemGetInfo_v2", out var getInfo)) return null;
        nuint free = 0, total = 0;
        return ((delegate* unmanaged<nuint*, nuint*, int>)getInfo)(&free, &total) == 0 ? ((long)free, (long)total) : null;
    }
}
