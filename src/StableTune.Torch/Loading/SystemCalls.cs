using System.Runtime.InteropServices;

namespace StableTune.Torch.Loading;

/// <summary>Functions of the C library of Linux (glibc) that .NET has no words for.</summary>
internal static partial class SystemCalls
{
    private const int CurrentFolder = -100, DoNotFollow = 0x100, BasicStatus = 0x7ff;

    /// <summary>What the system knows of a file: its owner, kind and permissions.</summary>
    /// <param name="Owner">The number of the user who owns the file.</param>
    /// <param name="Mode">Kind and permission bits, as <c>st_mode</c>.</param>
    internal readonly record struct FileStatus(uint Owner, ushort Mode)
    {
        /// <summary>Whether the file is a folder.</summary>
        internal bool IsFolder => (Mode & 0xf000) == 0x4000;

        /// <summary>Whether the group or everybody may write.</summary>
        internal bool IsWritableByOthers => (Mode & 0x12) != 0;

        /// <summary>Whether only owners may rename or remove what lies in the folder, as in <c>/tmp</c>.</summary>
        internal bool IsSticky => (Mode & 0x200) != 0;
    }

    /// <summary>Settings of <c>malloc</c>, from which libtorch takes the memory of CPU tensors.</summary>
    internal const int TrimThreshold = -1, TopPad = -2, MapThreshold = -3, MostMaps = -4;

    /// <summary>Sets one of the above; gives 1 when it was accepted.</summary>
    [LibraryImport("libc", EntryPoint = "mallopt")]
    internal static partial int SetMalloc(int parameter, int value);

    /// <summary>Gives free memory of the heap back to the system, but for so many bytes at its end.</summary>
    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    internal static partial int TrimHeap(nuint pad);

    /// <summary>Memory whose content is not needed: pages of a file are read again when they are.</summary>
    internal const int NotNeeded = 4;

    /// <summary>Says what will be done with memory.</summary>
    [LibraryImport("libc", EntryPoint = "madvise")]
    internal static partial int Advise(nint address, nuint length, int advice);

    /// <summary>The number of the user on whose behalf the process acts.</summary>
    [LibraryImport("libc", EntryPoint = "geteuid")]
    internal static partial uint EffectiveUser();

    /// <summary>Sets a variable of the native environment, which .NET's own does not reach; keeps a value that is there.</summary>
    internal static void SetVariableWhereUnset(string name, string value) => _ = SetEnvironment(name, value, 0);

    /// <summary>The status of a file, or of the link itself where the path is a link; null when it cannot be read.</summary>
    internal static unsafe FileStatus? StatusOf(string path)
    {
        // struct statx is the same on all architectures: 256 bytes, stx_uid at 20, stx_mode at 28.
        var buffer = stackalloc byte[256];
        return ExtendedStatus(CurrentFolder, path, DoNotFollow, BasicStatus, buffer) == 0
            ? new FileStatus(*(uint*)(buffer + 20), *(ushort*)(buffer + 28))
            : null;
    }

    /// <summary>The path with all links followed; null when there is no such file.</summary>
    internal static unsafe string? RealPath(string path)
    {
        var resolved = ResolvePath(path, 0);
        try
        {
            return Marshal.PtrToStringUTF8(resolved);
        }
        finally
        {
            NativeMemory.Free((void*)resolved);
        }
    }

    /// <summary>The handle of a file without a name that exists in memory alone; negative when the system refuses it.</summary>
    internal static int CreateFileInMemory(string label) => CreateInMemory(label, 1);   // 1: closed when another program is started

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int ExtendedStatus(int folder, string path, int flags, uint mask, byte* status);

    [LibraryImport("libc", EntryPoint = "realpath", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint ResolvePath(string path, nint buffer);

    [LibraryImport("libc", EntryPoint = "memfd_create", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int CreateInMemory(string name, uint flags);
}
