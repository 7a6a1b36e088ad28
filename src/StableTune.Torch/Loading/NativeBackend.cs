using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using StableTune.Torch.Loading;
using TorchSharp;

namespace StableTune.Torch;

/// <summary>The native part of TorchSharp: loads it, checks it, and describes it.</summary>
/// <remarks>
/// C# programs need not call anything here: the package adds a few lines to their compilation that prepare the process. Programs in F#
/// and Visual Basic call <see cref="Load"/> before they first use <c>torch</c>.
/// </remarks>
public static class NativeBackend
{
    private static readonly Lock _oneAtATime = new();
    private static bool _isLoaded;

    /// <summary>Checks that there is one native backend and that it fits, and loads it. Further calls do nothing.</summary>
    /// <remarks>
    /// On Linux systems whose libstdc++ is a little too old for TorchSharp (Debian 12, Ubuntu 22.04, RHEL 9) a patched copy is loaded;
    /// it is kept below <c>XDG_CACHE_HOME</c> or <c>~/.cache</c>. Unless <c>OMP_NUM_THREADS</c> is set, libtorch computes with all
    /// processors.
    /// </remarks>
    /// <exception cref="NativeBackendException">
    /// There is none, or two, or it does not fit, or cannot be loaded; the message says what to do.
    /// </exception>
    public static void Load()
    {
        lock (_oneAtATime)
        {
            if (_isLoaded) return;
            Check(NativeFiles.OfProcess());
            var isFirst = LoadedLibraries.Find(NativeFiles.FileName("LibTorchSharp")) is null && !TorchSharpResolver.UsesPatchedCopy;
            TorchSharpResolver.LoadNow();
            StartTorch();
            ProcessSettings.LeaveOutNnpackWhereItCannotStart();
            if (isFirst) ProcessSettings.UseAllProcessors();   // otherwise the program may have chosen a number itself
            _isLoaded = true;
        }
    }

    /// <summary>What is in use; loads it first.</summary>
    /// <exception cref="NativeBackendException">It cannot be loaded.</exception>
    public static NativeBackendReport Describe()
    {
        Load();
        var isCuda = torch.cuda.is_available();
        return new NativeBackendReport(
            typeof(torch).Assembly.GetName().Version!.ToString(3), Version.Parse(torch.__version__).ToString(3),
            LoadedLibraries.Find(NativeFiles.FileName("torch_cpu")), Blas(), TorchSharpResolver.UsesPatchedCopy,
            isCuda, isCuda ? torch.cuda.device_count() : 0, torch.get_num_threads())
        {
            KeepsNumbers = KeepsNumbers,
            FillsUpChannels = WholeBlocks.AreNeeded,
        };
    }

    /// <summary>Whether TorchSharp is compiled without optimization, where arguments live until the end of a method; see the targets of the
    /// package.</summary>
    internal static bool KeepsNumbers =>
        typeof(torch).Assembly.GetCustomAttribute<DebuggableAttribute>() is { IsJITOptimizerDisabled: true };

    /// <summary>Checks that a device is there, without loading libtorch.</summary>
    /// <param name="device">"cpu", "cuda", "cuda:1", "mps" or "meta".</param>
    /// <exception cref="NativeBackendException">The device is unknown or not there; the message says what to do.</exception>
    public static void CheckDevice(string device)
    {
        ArgumentNullException.ThrowIfNull(device);
        DeviceCheck.OfProcess().Check(device);
    }

    /// <summary>Checks that a device is there, without loading libtorch.</summary>
    /// <param name="device">The device; without an index the first of its kind.</param>
    /// <exception cref="NativeBackendException">The device is not there; the message says what to do.</exception>
    public static void CheckDevice(torch.Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        CheckDevice(device.ToString());
    }

    /// <summary>What an NVIDIA GPU can do, as its maker counts: 8.0 is Ampere, the first to compute in bfloat16.</summary>
    /// <param name="device">The device; without an index the first of its kind.</param>
    /// <returns>Major and minor number; null for other devices, and where the driver does not tell.</returns>
    public static Version? ComputeCapability(torch.Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return device.type == DeviceType.CUDA ? CudaDriver.ComputeCapability(Math.Max(0, device.index)) : null;
    }

    /// <summary>Whether a device is there, without loading libtorch.</summary>
    /// <param name="device">The device; without an index the first of its kind.</param>
    /// <param name="fault">What is wrong and what to do; null when it is there.</param>
    public static bool HasDevice(torch.Device device, [NotNullWhen(false)] out string? fault)
    {
        try
        {
            CheckDevice(device);
            fault = null;
            return true;
        }
        catch (NativeBackendException e)
        {
            fault = e.Message;
            return false;
        }
    }

    /// <summary>libtorch says this only in C++; its packages are built with MKL on x64, with Accelerate on macOS, and with OpenBLAS on
    /// arm64 elsewhere.</summary>
    private static string Blas() => LibTorch.HasMkl ? "MKL" : OperatingSystem.IsMacOS() ? "Accelerate" : "OpenBLAS";

    private static void Check(NativeFiles files)
    {
        BackendChecks.CheckPlatform(NativeFiles.Platform);
        BackendChecks.CheckTorchSharp(TorchSharpAssembly.Find()?.GetName().Version, TorchSharpAssembly.BuiltFor);
        BackendChecks.CheckPresence(files);
        BackendChecks.CheckOnlyOne(files, BuildPackages.OfProcess());
        BackendChecks.CheckInterface(LoadedLibraries.Find(NativeFiles.FileName("torch_cpu")) ?? files.Find("torch_cpu")!);
    }

    /// <summary>Runs TorchSharp's own initialization, which happens once in a process, whether it succeeds or not.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StartTorch()
    {
        try
        {
            torch.InitializeDeviceType(DeviceType.CPU);
        }
        catch (Exception e) when (e is TypeInitializationException or NotSupportedException or TypeLoadException)
        {
            throw LoadFailure.Other("TorchSharp", e.GetBaseException());
        }
    }
}
