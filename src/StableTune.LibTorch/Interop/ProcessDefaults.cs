using System.Runtime.InteropServices;

namespace StableTune.LibTorch;

/// <summary>Settings of the process that the user has not made: threads, and how tensor memory is fetched.</summary>
internal static partial class ProcessDefaults
{
    private const string Threads = "OMP_NUM_THREADS", Spinning = "GOMP_SPINCOUNT", Waiting = "OMP_WAIT_POLICY";

    /// <summary>
    /// To be called before libtorch is loaded: OpenMP reads its environment then. Its idle threads would spin for long and so take a core
    /// from the threads of OpenBLAS; they shall sleep soon.
    /// </summary>
    internal static void BeforeLoading()
    {
        // .NET's own environment does not reach native code.
        if (OperatingSystem.IsLinux() && !IsSet(Waiting)) _ = SetEnvironment(Spinning, "10000", 0);
    }

    /// <summary>
    /// To be called once libtorch is loaded: it would use one thread for two processors that share a core, and fetch large tensors in
    /// small pages.
    /// </summary>
    internal static unsafe void AfterLoading(nint library)
    {
        if (NativeLibrary.TryGetExport(library, "st_keep_freed_memory", out var keep)) _ = ((delegate* unmanaged[Cdecl]<long, int>)keep)(0);
        if (IsSet(Threads) || !NativeLibrary.TryGetExport(library, "st_set_num_threads", out var set)) return;
        _ = ((delegate* unmanaged[Cdecl]<int, int>)set)(Environment.ProcessorCount);
    }

    private static bool IsSet(string variable) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable));

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
