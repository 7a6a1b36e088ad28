using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>Functions of TorchSharp's native part that its managed part gives no way to.</summary>
internal static unsafe partial class LibTorchSharp
{
    internal const string Library = "LibTorchSharp";

    /// <summary>A flat tensor over memory; the deleter is called with the address when nothing refers to it any more.</summary>
    [LibraryImport(Library)]
    internal static partial nint THSTensor_frombuffer(
        nint data, delegate* unmanaged[Cdecl]<nint, void> deleter, long count, nint offset, sbyte type, sbyte dtype, int deviceType,
            int deviceIndex, byte requiresGrad);

    /// <summary>A new handle of a tensor's gradient; 0 where it has none.</summary>
    [LibraryImport(Library)]
    internal static partial nint THSTensor_grad(nint tensor);
}
