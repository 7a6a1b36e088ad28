using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>
/// NVIDIA's NCCL by its C interface: sums over the GPUs of several processes. Loaded by name where a host asks for it: nothing of it
/// belongs to this program, and libtorch's own copy is not reachable from outside.
/// </summary>
/// <remarks>Not tried yet on a machine with two GPUs.</remarks>
internal sealed unsafe class NcclLibrary
{
    private const int Float32 = 7, Float64 = 8, Sum = 0;

    private readonly nint _library, _createGuard, _deleteGuard, _currentStream;

    private NcclLibrary(nint library, nint torchCuda)
    {
        _library = library;
        (_createGuard, _deleteGuard, _currentStream) = (NativeLibrary.GetExport(torchCuda, "aoti_torch_create_cuda_guard"),
            NativeLibrary.GetExport(torchCuda, "aoti_torch_delete_cuda_guard"),
            NativeLibrary.GetExport(torchCuda, "aoti_torch_get_current_cuda_stream"));
    }

    private static string[] Names => OperatingSystem.IsWindows() ? ["nccl.dll"] : ["libnccl.so.2", "libnccl.so"];

    /// <summary>Loads the library.</summary>
    /// <param name="path">The library's file; null for the system's.</param>
    /// <exception cref="DllNotFoundException">There is none, or libtorch has no CUDA.</exception>
    public static NcclLibrary Load(string? path)
    {
        string[] names = path is null ? Names : [path];
        nint library = 0;
        if (!names.Any(name => NativeLibrary.TryLoad(name, out library)))
            throw new DllNotFoundException($"NCCL's library ({string.Join(", ", names)}) cannot be loaded.");
        var torchCuda = LoadedLibrary.Handle("torch_cuda");
        return torchCuda != 0 ? new NcclLibrary(library, torchCuda)
            : throw new DllNotFoundException("NCCL needs GPUs, and the native package of this program has none of CUDA.");
    }

    /// <summary>A name for a new group, which one process makes and tells the others.</summary>
    public byte[] NewId()
    {
        UniqueId id;
        Check(((delegate* unmanaged<UniqueId*, int>)Symbol("ncclGetUniqueId"))(&id), "ncclGetUniqueId");
        return new Span<byte>(&id, sizeof(UniqueId)).ToArray();
    }

    /// <summary>Joins a group; returns when all processes have.</summary>
    /// <param name="id">Its name.</param>
    /// <param name="rank">The number of this process.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="device">The number of this process's GPU.</param>
    /// <returns>The group's handle.</returns>
    public nint Join(byte[] id, int rank, int count, int device)
    {
        if (id.Length != sizeof(UniqueId)) throw new ExternalException($"a group's name has {sizeof(UniqueId)} bytes, and not {id.Length}");
        var name = Unsafe.ReadUnaligned<UniqueId>(ref MemoryMarshal.GetArrayDataReference(id));
        nint group = 0;
        On(device, () =>
        {
            nint joined;
            Check(((delegate* unmanaged<nint*, int, UniqueId, int, int>)Symbol("ncclCommInitRank"))(&joined, count, name, rank),
                "ncclCommInitRank");
            group = joined;
        });
        return group;
    }

    /// <summary>Adds up the numbers of all processes in place, on the device's current stream: it may not be done when this
    /// returns.</summary>
    /// <param name="group">The group's handle.</param>
    /// <param name="values">The memory of the numbers, on the device.</param>
    /// <param name="count">How many.</param>
    /// <param name="isDouble">Whether they are float64; float32 otherwise.</param>
    /// <param name="device">The device's number.</param>
    public void BeginSum(nint group, nint values, long count, bool isDouble, int device) => On(device, () =>
    {
        nint stream;
        if (((delegate* unmanaged<int, nint*, int>)_currentStream)(device, &stream) != 0)
            throw new ExternalException($"libtorch has no stream for cuda:{device}");
        Check(((delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int>)Symbol("ncclAllReduce"))(
            values, values, (nuint)count, isDouble ? Float64 : Float32, Sum, group, stream), "ncclAllReduce");
    });

    /// <summary>Ends a group whatever it waits for, from any thread.</summary>
    public void Abort(nint group) => _ = ((delegate* unmanaged<nint, int>)Symbol("ncclCommAbort"))(group);

    /// <summary>Leaves a group.</summary>
    public void Leave(nint group) => _ = ((delegate* unmanaged<nint, int>)Symbol("ncclCommDestroy"))(group);

    private void On(int device, Action action)
    {
        nint guard;
        if (((delegate* unmanaged<int, nint*, int>)_createGuard)(device, &guard) != 0)
            throw new ExternalException($"cuda:{device} cannot be chosen");
        try
        {
            action();
        }
        finally
        {
            _ = ((delegate* unmanaged<nint, int>)_deleteGuard)(guard);
        }
    }

    private nint Symbol(string name) => NativeLibrary.GetExport(_library, name);

    private void Check(int code, string function)
    {
        if (code == 0) return;
        var text = Marshal.PtrToStringUTF8(((delegate* unmanaged<int, nint>)Symbol("ncclGetErrorString"))(code));
        throw new ExternalException($"{function}: {text ?? "failed"}", code);
    }

    [StructLayout(LayoutKind.Sequential, Size = 128)]
    private struct UniqueId;
}
