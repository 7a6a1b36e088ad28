using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>libtorch's settings of the process, <c>at::globalContext()</c>, that TorchSharp has no functions for: C++ functions, called by
/// their exported names.</summary>
internal static unsafe class GlobalContext
{
    private static readonly CppName s_context = new("_ZN2at13globalContextEv", "?globalContext@at@@YAAEAVContext@1@XZ");
    private static readonly CppName s_setNnpack =
        new("_ZN2at7Context20setUserEnabledNNPACKEb", "?setUserEnabledNNPACK@Context@at@@QEAAX_N@Z");

    /// <summary>A setting that is on or off.</summary>
    /// <exception cref="NotSupportedException">The loaded libtorch does not export the function.</exception>
    internal static bool Get(CppName getter) => ((delegate* unmanaged<nint, byte>)Required(getter))(Context) != 0;

    /// <summary>Sets what is on or off.</summary>
    /// <exception cref="NotSupportedException">The loaded libtorch does not export the function.</exception>
    internal static void Set(CppName setter, bool value) =>
        ((delegate* unmanaged<nint, byte, void>)Required(setter))(Context, Byte(value));

    /// <summary>Sets two of them by one function.</summary>
    /// <exception cref="NotSupportedException">The loaded libtorch does not export the function.</exception>
    internal static void Set(CppName setter, bool first, bool second) =>
        ((delegate* unmanaged<nint, byte, byte, void>)Required(setter))(Context, Byte(first), Byte(second));

    /// <summary>Lets convolutions be computed without NNPACK, where libtorch can be told so.</summary>
    internal static void LeaveOutNnpack()
    {
        if (Find(s_context) != 0 && Find(s_setNnpack) != 0) Set(s_setNnpack, false);
    }

    /// <summary>The methods take it as their first argument.</summary>
    private static nint Context => ((delegate* unmanaged<nint>)Required(s_context))();

    private static byte Byte(bool value) => value ? (byte)1 : (byte)0;

    private static nint Required(CppName name) => Find(name) is not 0 and var function ? function
        : throw new NotSupportedException($"The loaded libtorch does not export {name.Itanium}: leave deterministic algorithms off, or use "
            + "the libtorch that this version of StableTune was made for.");

    // macOS puts one more underscore before C++ names, which its loader adds itself.
    private static nint Find(CppName name) => NativeLibrary.TryGetExport(LoadedLibrary.Handle(LibTorch.Library),
        OperatingSystem.IsWindows() ? name.Microsoft : name.Itanium, out var function) ? function : 0;

    /// <summary>The exported name of a function, as GCC and Clang (Linux, macOS) and as Microsoft's compiler make it.</summary>
    internal readonly record struct CppName(string Itanium, string Microsoft);
}
