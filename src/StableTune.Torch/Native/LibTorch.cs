using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>libtorch's C interface, as far as it is used here. A <c>Tensor.Handle</c> of TorchSharp is one of its tensor handles.</summary>
internal static unsafe partial class LibTorch
{
    /// <summary>As <see cref="LoadedLibrary"/> knows it; the file is named differently on each system.</summary>
    internal const string Library = "torch_cpu";

    /// <summary>The C interface that arguments are laid out for: 2.10, in the bits that libtorch reads.</summary>
    internal const ulong InterfaceVersion = (2UL << 56) | (10UL << 48);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int torch_call_dispatcher(string name, string overload, ulong* stack, ulong version);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int torch_new_string_handle(string data, nuint length, out nint handle);

    /// <summary>Whether the loaded libtorch was built with Intel's MKL, whose functions it then exports.</summary>
    /// <remarks>On Windows its functions are not exported; the packages for x64 have it there too.</remarks>
    internal static bool HasMkl => (OperatingSystem.IsWindows() && RuntimeInformation.ProcessArchitecture == Architecture.X64)
        || NativeLibrary.TryGetExport(LoadedLibrary.Handle(Library), "MKL_Get_Max_Threads", out _);

    [LibraryImport(Library)]
    internal static partial int torch_new_list_reserve_size(nuint size, out nint list);

    [LibraryImport(Library)]
    internal static partial int torch_list_push_back(nint list, ulong item);

    [LibraryImport(Library)]
    internal static partial int torch_list_size(nint list, out nuint size);

    [LibraryImport(Library)]
    internal static partial int torch_list_get_item(nint list, nuint index, out ulong item);

    [LibraryImport(Library)]
    internal static partial int torch_delete_list(nint list);

    [LibraryImport(Library)]
    internal static partial int aoti_torch_new_tensor_handle(nint original, out nint handle);

    [LibraryImport(Library)]
    internal static partial int aoti_torch_is_defined(nint handle, [MarshalAs(UnmanagedType.U1)] out bool isDefined);

    /// <summary>Takes no time worth a change of the collector's mode; nor do the two below.</summary>
    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial int aoti_torch_get_data_ptr(nint handle, out nint data);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial int aoti_torch_get_dtype(nint handle, out int type);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial int aoti_torch_is_contiguous(nint handle, [MarshalAs(UnmanagedType.U1)] out bool isContiguous);

    [LibraryImport(Library)]
    internal static partial int aoti_torch_delete_tensor_object(nint handle);
}
