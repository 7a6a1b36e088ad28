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

    /// <summary>The compute capability of a GPU; null where the driver does not tell.</summary>
    /// <param name="index">The number of the GPU.</param>
    internal static Version? ComputeCapability(int index)
    {
        if (DeviceCount() is not { } count || index >= count
            || !NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1", out var driver)
            || !NativeLibrary.TryGetExport(driver, "cuDeviceGet", out var getDevice)
            || !NativeLibrary.TryGetExport(driver, "cuDeviceGetAttribute", out var getAttribute)) return null;
        // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
        const int majorNumber = 75, minorNumber = 76;
        int device, major, minor;
        if (((delegate* unmanaged<int*, int, int>)getDevice)(&device, index) != 0) return null;
        var ask = (delegate* unmanaged<int*, int, int, int>)getAttribute;
        return ask(&major, majorNumber, device) == 0 && ask(&minor, minorNumber, device) == 0 ? new Version(major, minor) : null;
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
