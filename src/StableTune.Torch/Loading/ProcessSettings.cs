using System.Globalization;
using TorchSharp;

namespace StableTune.Torch.Loading;

/// <summary>Settings of the process that the user has not made: how many threads compute and what the idle ones do, and how memory is
/// fetched.</summary>
internal static class ProcessSettings
{
    private const string Threads = "OMP_NUM_THREADS", Spinning = "GOMP_SPINCOUNT", Waiting = "OMP_WAIT_POLICY";
    private const string Primitives = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", OldPrimitives = "DNNL_PRIMITIVE_CACHE_CAPACITY";
    private const int OurPrimitives = 4096, OneDnnsPrimitives = 1024;
    private static bool s_keepsMorePrimitives;

    /// <summary>So many ways to compute something does oneDNN keep; 0 where that cannot be told.</summary>
    internal static int KeptPrimitives => new[] { Primitives, OldPrimitives }.FirstOrDefault(IsSet) is { } name
        ? int.TryParse(Environment.GetEnvironmentVariable(name), out var said) ? Math.Max(0, said) : 0
        : s_keepsMorePrimitives ? OurPrimitives : OneDnnsPrimitives;

    /// <summary>
    /// Lets OpenMP's idle threads sleep soon, where the user has not said otherwise: they would spin for long, and so take a core from
    /// other threads. To be called before libtorch is loaded, whose OpenMP reads its environment then.
    /// </summary>
    /// <remarks>
    /// Linux alone, where libtorch brings GNU's OpenMP. On Windows and macOS it brings Intel's and LLVM's: threads sleep after 200 ms.
    /// </remarks>
    internal static void SleepSoon()
    {
        if (!IsSet(Waiting)) SystemCalls.SetVariableWhereUnset(Spinning, "10000");
    }

    /// <summary>
    /// Lets libtorch ask for huge pages for tensors of 2 MiB and more, where the user has not said otherwise: they are fetched in far
    /// fewer steps. To be called before
    /// libtorch is loaded.
    /// </summary>
    internal static void AskForHugePages() => SystemCalls.SetVariableWhereUnset("THP_MEM_ALLOC_ENABLE", "1");

    /// <summary>
    /// Lets MKL give its working memory back after each product, where the user has not said otherwise: it would keep some 40 MB for each
    /// thread, idle while anything else is computed. To be called before libtorch is loaded.
    /// </summary>
    internal static void GiveBackMemoryOfMkl() => SystemCalls.SetVariableWhereUnset("MKL_DISABLE_FAST_MM", "1");

    /// <summary>Lets oneDNN keep more ways to compute something, where the user has not said otherwise: a model has some hundreds for each
    /// size of image, and choosing one anew takes time. To be called before libtorch is loaded.</summary>
    internal static void KeepMorePrimitives()
    {
        // What is set to nothing is left, too.
        if (IsSet(OldPrimitives) || Environment.GetEnvironmentVariable(Primitives) is not null) return;
        SystemCalls.SetVariableWhereUnset(Primitives, OurPrimitives.ToString(CultureInfo.InvariantCulture));
        s_keepsMorePrimitives = true;
    }

    /// <summary>
    /// Lets MKL give the same bits for the same numbers, where the user has not said otherwise: on Intel's processors it else divides
    /// products among its threads as they
    /// happen to be free, and two runs of one seed differ. To be called before libtorch is loaded.
    /// </summary>
    /// <remarks>On other processors MKL has one way only, and this would choose a slow one.</remarks>
    internal static void MakeMklRepeatable()
    {
        if (Processor.IsIntel) SystemCalls.SetVariableWhereUnset("MKL_CBWR", "AUTO");
    }

    /// <summary>Lets cuBLAS give the same bits for the same numbers, where the user has not said otherwise.</summary>
    internal static void MakeCublasRepeatable()
    {
        const string name = "CUBLAS_WORKSPACE_CONFIG", value = ":4096:8";
        if (IsSet(name)) return;
        // Native code does not see what .NET sets on Unix; on Windows it does.
        if (OperatingSystem.IsWindows()) Environment.SetEnvironmentVariable(name, value);
        else SystemCalls.SetVariableWhereUnset(name, value);
    }

    /// <summary>Lets libtorch compute on all processors, where the user has not said otherwise.</summary>
    /// <remarks>It would use one thread for two processors that share a core.</remarks>
    internal static void UseAllProcessors()
    {
        if (!IsSet(Threads)) torch.set_num_threads(Environment.ProcessorCount);
    }

    /// <summary>Lets convolutions be computed without NNPACK where it cannot start, as it wants to know the processor's caches: it would
    /// write a warning at each convolution.</summary>
    internal static void LeaveOutNnpackWhereItCannotStart()
    {
        if (Processor.HidesCaches) GlobalContext.LeaveOutNnpack();
    }

    private static bool IsSet(string variable) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable));
}
