namespace StableTune.Torch;

/// <summary>
/// Lets libtorch compute with algorithms that give the same bits each time, on GPUs too, until disposed: what Python calls
/// <c>torch.use_deterministic_algorithms(True)</c> and <c>torch.backends.cudnn.deterministic</c>. It is slower. An operation that has no
/// such algorithm throws, and its message says so. The setting is the process's; the former one comes back at the end.
/// </summary>
/// <remarks>
/// cuBLAS repeats its products
/// only with <c>CUBLAS_WORKSPACE_CONFIG</c>, which is set where the user has not, and counts if no CUDA product was made before.
/// </remarks>
public sealed class DeterministicAlgorithms : IDisposable
{
    private readonly bool _algorithms, _convolutions, _fills;
    private bool _isDisposed;

    /// <summary>Switches to deterministic algorithms.</summary>
    /// <exception cref="NotSupportedException">The loaded libtorch does not export the functions.</exception>
    public DeterministicAlgorithms()
    {
        _algorithms = GlobalContext.Get(s_algorithms);
        _convolutions = GlobalContext.Get(s_convolutions);
        _fills = GlobalContext.Get(s_fills);
        Loading.ProcessSettings.MakeCublasRepeatable();
        Set(algorithms: true, convolutions: true, fills: false);                       // filling is for finding faults
    }

    /// <summary>Whether libtorch computes with deterministic algorithms now.</summary>
    /// <exception cref="NotSupportedException">The loaded libtorch does not export the function.</exception>
    public static bool AreOn => GlobalContext.Get(s_algorithms);

    /// <summary>Puts the former settings back.</summary>
    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        Set(_algorithms, _convolutions, _fills);
    }

    private static void Set(bool algorithms, bool convolutions, bool fills)
    {
        GlobalContext.Set(s_setAlgorithms, algorithms, second: false);                 // an error, not a warning, where there is none
        GlobalContext.Set(s_setConvolutions, convolutions);
        GlobalContext.Set(s_setFills, fills);
    }

    private static readonly GlobalContext.CppName
        s_algorithms = new("_ZNK2at7Context23deterministicAlgorithmsEv", "?deterministicAlgorithms@Context@at@@QEBA_NXZ"),
        s_convolutions = new("_ZNK2at7Context18deterministicCuDNNEv", "?deterministicCuDNN@Context@at@@QEBA_NXZ"),
        s_fills = new("_ZNK2at7Context36deterministicFillUninitializedMemoryEv",
            "?deterministicFillUninitializedMemory@Context@at@@QEBA_NXZ"),
        s_setAlgorithms = new("_ZN2at7Context26setDeterministicAlgorithmsEbb", "?setDeterministicAlgorithms@Context@at@@QEAAX_N0@Z"),
        s_setConvolutions = new("_ZN2at7Context21setDeterministicCuDNNEb", "?setDeterministicCuDNN@Context@at@@QEAAX_N@Z"),
        s_setFills = new("_ZN2at7Context39setDeterministicFillUninitializedMemoryEb",
            "?setDeterministicFillUninitializedMemory@Context@at@@QEAAX_N@Z");
}
