using System.Globalization;

namespace StableTune.Torch;

/// <summary>Which libtorch a process computes with.</summary>
/// <param name="TorchSharpVersion">The version of TorchSharp, such as "0.107.0".</param>
/// <param name="LibTorchVersion">The version of libtorch that TorchSharp was built for, such as "2.10.0".</param>
/// <param name="LibTorchPath">The file that libtorch was loaded from; null when the system does not tell.</param>
/// <param name="Blas">The library that computes matrix products: <c>MKL</c>, <c>Accelerate</c> or <c>OpenBLAS</c>.</param>
/// <param name="UsesPatchedCopy">Whether a patched copy of TorchSharp's native library is in use, for an older libstdc++.</param>
/// <param name="IsCudaAvailable">Whether tensors can be put on an NVIDIA GPU.</param>
/// <param name="CudaDeviceCount">The number of GPUs that CUDA offers; 0 without CUDA.</param>
/// <param name="Threads">The number of threads that one operator computes with on the processor.</param>
public sealed record NativeBackendReport(
    string TorchSharpVersion,
    string LibTorchVersion,
    string? LibTorchPath,
    string Blas,
    bool UsesPatchedCopy,
    bool IsCudaAvailable,
    int CudaDeviceCount,
    int Threads)
{
    /// <summary>
    /// Whether numbers in tensor expressions live as long as the calls that read them. False where a program was built without the targets
    /// of StableTune's packages: then a garbage collection in the middle of a call can, seldom, make it fail.
    /// </summary>
    public bool KeepsNumbers { get; init; }

    /// <summary>
    /// Whether convolutions are computed in whole blocks of channels, filled up with zeros. So they are on virtual machines that do not
    /// tell the sizes of the processor's caches: there oneDNN, which libtorch convolves by, fills blocks up wrong, and results are wrong.
    /// </summary>
    public bool FillsUpChannels { get; init; }

    /// <summary>The report as one line for a log.</summary>
    public override string ToString()
    {
        var cuda = IsCudaAvailable ? string.Create(CultureInfo.InvariantCulture, $"CUDA with {CudaDeviceCount} device(s)") : "no CUDA";
        var numbers = KeepsNumbers ? "" : ", which may free numbers too early";
        var patched = UsesPatchedCopy ? ", patched for an older libstdc++" : "";
        var libtorch = $"libtorch {LibTorchVersion} with {Blas} from {LibTorchPath ?? "an unknown place"}";
        var torchSharp = $"TorchSharp {TorchSharpVersion}{patched}";
        var channels = FillsUpChannels ? ", filling up channels in place of oneDNN, which does it wrong here" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{torchSharp}{numbers}, {libtorch}, {cuda}, {Threads} thread(s){channels}");
    }
}
