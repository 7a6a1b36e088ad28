using System.Globalization;

namespace StableTune.Torch.Loading;

/// <summary>Whether a device that was asked for is there.</summary>
/// <param name="Platform">Operating system and architecture, such as <c>linux-x64</c>.</param>
/// <param name="HasCudaBackend">Whether the program's libtorch was built with CUDA.</param>
/// <param name="CountGpus">Counts the GPUs that the driver offers; null without a working driver. Called when CUDA is asked for.</param>
internal sealed record DeviceCheck(string Platform, bool HasCudaBackend, Func<int?> CountGpus)
{
    /// <summary>The check of this machine and program.</summary>
    internal static DeviceCheck OfProcess() => new(
        NativeFiles.Platform,
        NativeFiles.OfProcess().Find("torch_cuda") is not null || LoadedLibraries.Find(NativeFiles.FileName("torch_cuda")) is not null,
        CudaDriver.DeviceCount);

    /// <summary>Throws when the device is not there.</summary>
    /// <param name="device">"cpu", "cuda", "cuda:1", "mps" or "meta".</param>
    /// <exception cref="NativeBackendException">The device is unknown or not there.</exception>
    internal void Check(string device)
    {
        var parts = device.Split(':');
        var index = 0;
        var isIndexed = parts.Length == 2 && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out index);
        if (parts.Length > 1 && !isIndexed) throw Unknown(device);
        switch (parts[0].ToLowerInvariant())
        {
            case "cuda":
                CheckCuda(device, index);
                break;
            case "mps" when Platform != "osx-arm64":
                throw Missing(device, $"this system is {Platform}: only Macs with Apple's processors have it. "
                    + "Use \"cpu\", or \"cuda\" with an NVIDIA GPU.");
            case "cpu" or "mps" or "meta" when index == 0:
                break;
            default:
                throw Unknown(device);
        }
    }

    private void CheckCuda(string device, int index)
    {
        if (!HasCudaBackend) throw Missing(device, $"the program's libtorch has no CUDA. {BackendPackages.HowToGetCuda}");
        var count = CountGpus() ?? throw Missing(device, "there is no working NVIDIA driver on this machine. "
            + "Install it (`nvidia-smi` must list the GPU; in a container, start it with the GPU), or use the device \"cpu\".");
        if (count == 0)
        {
            throw Missing(device, "the NVIDIA driver offers no GPU. "
                + "Look at `nvidia-smi` and at the variable CUDA_VISIBLE_DEVICES, or use the device \"cpu\".");
        }
        if (index < count) return;
        var there = count == 1 ? "one GPU, \"cuda:0\"" : $"{count} GPUs, \"cuda:0\" to \"cuda:{count - 1}\"";
        throw Missing(device, $"this machine has {there}. Name one that is there, or look at the variable CUDA_VISIBLE_DEVICES.");
    }

    private static NativeBackendException Missing(string device, string why) => new($"The device \"{device}\" is asked for, and {why}");

    private static NativeBackendException Unknown(string device)
        => new($"The device \"{device}\" is unknown. Use \"cpu\", \"cuda\", \"cuda:1\" (the second GPU), \"mps\" or \"meta\".");
}
