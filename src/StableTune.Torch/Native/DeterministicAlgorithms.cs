using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>
/// Lets libtorch compute with algorithms that give the same bits each time, on GPUs too, until disposed: what Python calls
/// <c>torch.use_deterministic_algorithms(True)</c> and <c>torch.backends.cudnn.deterministic</c>. It is slower. An operation that has no
/// such algorithm throws, and its message says so. The setting is the process's; the former one comes back at the end.
/// </summary>
/// <remarks>
/// TorchSharp has no function for it, so libtorch's own C++ functions are called by their exported names. cuBLAS repeats its products
/// only with <c>CUBLAS_WORKSPACE_CONFIG</c>, which is set where the user has not, and counts if no CUDA product was made before.
/// </remarks>
public sealed unsafe class DeterministicAlgorithms : IDisposable
{
    private readonly bool _algorithms, _convolutions, _fills;
    private bool _isDisposed;

    /// <summary>Switches to deterministic algorithms.</summary>
    /// <exception cref="NotSupportedException">The loaded libtorch does not export the functions.</exception>
    public DeterministicAlgorithms()
    {
        (_algorithms, _convolutions, _fills) = (Get(Name.Algorithms), Get(Name.Convolutions), Get(Name.Fills));
        Loading.ProcessSettings.MakeCublasRepeatable();
        Set(algorithms: true, convolutions: true, fills: false);                       // filling is for finding faults
    }

    /// <summary>Whether libtorch computes with deterministic algorithms now.</summary>
    /// <exception cref="NotSupportedException">The loaded libtorch does not export the function.</exception>
    public static bool AreOn => Get(Name.Algorithms);

    /// <summary>Puts the former settings back.</summary>
    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        Set(_algorithms, _convolutions, _fills);
    }

    private static void Set(bool algorithms, bool convolutions, bool fills)
    {
        var context = Context();
        ((delegate* unmanaged<nint, byte, byte, void>)Function(Name.SetAlgorithms))(context, Byte(algorithms), 0);
        ((delegate* unmanaged<nint, byte, void>)Function(Name.SetConvolutions))(context, Byte(convolutions));
        ((delegate* unmanaged<nint, byte, void>)Function(Name.SetFills))(context, Byte(fills));
    }

    private static bool Get(Name name) => ((delegate* unmanaged<nint, byte>)Function(name))(Context()) != 0;

    /// <summary>The settings of the process, <c>at::globalContext()</c>. Its methods take it as their first argument.</summary>
    private static nint Context() => ((delegate* unmanaged<nint>)Function(Name.Context))();

    private static byte Byte(bool value) => value ? (byte)1 : (byte)0;

    private static nint Function(Name name)
    {
        var (itanium, microsoft) = s_exports[name];
        // macOS puts one more underscore before C++ names, which its loader adds itself.
        return NativeLibrary.TryGetExport(
            LoadedLibrary.Handle(LibTorch.Library), OperatingSystem.IsWindows() ? microsoft : itanium, out var function)
            ? function
            : throw new NotSupportedException(
                "The loaded libtorch does not export its settings of deterministic algorithms: leave them off, or use the libtorch " +
                "that this version of StableTune was made for.");
    }

    private enum Name { Context, Algorithms, Convolutions, Fills, SetAlgorithms, SetConvolutions, SetFills }

    /// <summary>The exported names, as GCC and Clang (Linux, macOS) and as Microsoft's compiler make them.</summary>
    private static readonly Dictionary<Name, (string Itanium, string Microsoft)> s_exports = new()
    {
        [Name.Context] = ("_ZN2at13globalContextEv", "?globalContext@at@@YAAEAVContext@1@XZ"),
        [Name.Algorithms] = ("_ZNK2at7Context23deterministicAlgorithmsEv", "?deterministicAlgorithms@Context@at@@QEBA_NXZ"),
        [Name.Convolutions] = ("_ZNK2at7Context18deterministicCuDNNEv", "?deterministicCuDNN@Context@at@@QEBA_NXZ"),
        [Name.Fills] = ("_ZNK2at7Context36deterministicFillUninitializedMemoryEv",
            "?deterministicFillUninitializedMemory@Context@at@@QEBA_NXZ"),
        [Name.SetAlgorithms] = ("_ZN2at7Context26setDeterministicAlgorithmsEbb",
            "?setDeterministicAlgorithms@Context@at@@QEAAX_N0@Z"),
        [Name.SetConvolutions] = ("_ZN2at7Context21setDeterministicCuDNNEb", "?setDeterministicCuDNN@Context@at@@QEAAX_N@Z"),
        [Name.SetFills] = ("_ZN2at7Context39setDeterministicFillUninitializedMemoryEb",
            "?setDeterministicFillUninitializedMemory@Context@at@@QEAAX_N@Z"),
    };
}
