using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace StableTune.Torch;

/// <summary>
/// Open MPI's C interface, as far as processes that train together need it. Loaded by name where a host asks for it: nothing of it belongs
/// to this program.
/// </summary>
/// <remarks>
/// Handles and constants are Open MPI's: MPICH has the same functions and others of those, and is refused. Waiting is polling, so that a
/// process can notice meanwhile that another one has failed.
/// </remarks>
internal sealed unsafe class MpiLibrary
{
    private const int SerializedThreads = 2, MostText = 256, AnySource = -1;
    private const string World = "ompi_mpi_comm_world";

    private static readonly Lock s_loading = new();
    private static MpiLibrary? s_loaded;

    private readonly nint _library, _bytes, _floats, _doubles, _sum;
    private readonly nint _group;                                            // of its own: others' messages do not reach it
    // What an exchange that was given up was about: the library may still write there.
    private readonly List<object> _kept = [];
    private byte[] _numbers = [];
    private bool _hasFailed;

    private MpiLibrary(nint library)
    {
        _library = library;
        var world = Symbol(World);
        (_bytes, _floats, _doubles, _sum) = (Symbol("ompi_mpi_byte"), Symbol("ompi_mpi_float"), Symbol("ompi_mpi_double"),
            Symbol("ompi_mpi_op_sum"));
        int isRunning, provided = SerializedThreads;
        Check(((delegate* unmanaged<int*, int>)Symbol("MPI_Initialized"))(&isRunning), "MPI_Initialized");
        if (isRunning == 0)
        {
            Check(((delegate* unmanaged<nint, nint, int, int*, int>)Symbol("MPI_Init_thread"))(0, 0, SerializedThreads, &provided),
                "MPI_Init_thread");
            AppDomain.CurrentDomain.ProcessExit += (_, _) => End();
        }

        nint group;
        Check(((delegate* unmanaged<nint, nint*, int>)Symbol("MPI_Comm_dup"))(world, &group), "MPI_Comm_dup");
        _group = group;
        Check(((delegate* unmanaged<nint, nint, int>)Symbol("MPI_Comm_set_errhandler"))(group, Symbol("ompi_mpi_errors_return")),
            "MPI_Comm_set_errhandler");
        int rank, count;
        Check(((delegate* unmanaged<nint, int*, int>)Symbol("MPI_Comm_rank"))(group, &rank), "MPI_Comm_rank");
        Check(((delegate* unmanaged<nint, int*, int>)Symbol("MPI_Comm_size"))(group, &count), "MPI_Comm_size");
        (Rank, Count) = (rank, count);
    }

    /// <summary>The number of this process.</summary>
    public int Rank { get; }

    /// <summary>How many there are.</summary>
    public int Count { get; }

    private static string[] Names => OperatingSystem.IsMacOS() ? ["libmpi.40.dylib", "libmpi.dylib"]
        : OperatingSystem.IsWindows() ? ["msmpi.dll"] : ["libmpi.so.40", "libmpi.so"];

    /// <summary>Loads the library and joins the processes that mpirun started, once in a process: MPI cannot begin again.</summary>
    /// <param name="path">The library's file; null for the system's.</param>
    /// <exception cref="DllNotFoundException">There is none, or it is not Open MPI's.</exception>
    public static MpiLibrary Load(string? path)
    {
        lock (s_loading)
        {
            if (s_loaded is not null) return s_loaded;
            string[] names = path is null ? Names : [path];
            nint library = 0;
            if (!names.Any(name => NativeLibrary.TryLoad(name, out library)))
                throw new DllNotFoundException($"Open MPI's library ({string.Join(", ", names)}) cannot be loaded.");
            if (!NativeLibrary.TryGetExport(library, World, out _))
                throw new DllNotFoundException(
                    $"{string.Join(", ", names)} is no library of Open MPI: MPICH's and Microsoft's cannot be used.");
            return s_loaded = new MpiLibrary(library);
        }
    }

    /// <summary>Adds up numbers of all processes in place: in the first, which tells the sums to the others, so that all have the same
    /// bits.</summary>
    /// <param name="values">The memory of the numbers.</param>
    /// <param name="count">How many.</param>
    /// <param name="isDouble">Whether they are float64; float32 otherwise.</param>
    /// <param name="wait">Waits for a request, see <see cref="IsDone"/>.</param>
    public void Sum(nint values, int count, bool isDouble, Action<nint> wait)
    {
        const nint inPlace = 1;
        var (type, bytes) = isDouble ? (_doubles, sizeof(double)) : (_floats, sizeof(float));
        // Memory of its own: the caller's may be gone before the library has let go of an exchange that failed.
        ThrowIfFailed();
        var length = checked((nuint)count * (nuint)bytes);
        if ((nuint)_numbers.Length < length) _numbers = Buffer((long)length);
        var (memory, numbers) = (_numbers, Address(_numbers));
        NativeMemory.Copy((void*)values, (void*)numbers, length);
        nint request;
        Check(((delegate* unmanaged<nint, nint, int, nint, nint, int, nint, nint*, int>)Symbol("MPI_Ireduce"))(
            Rank == 0 ? inPlace : numbers, numbers, count, type, _sum, 0, _group, &request), "MPI_Ireduce");
        Wait(request, wait, memory);
        Broadcast(memory, count, type, wait);
        NativeMemory.Copy((void*)numbers, (void*)values, length);
    }

    /// <summary>Gives all processes what each has.</summary>
    public byte[][] Gather(byte[] mine, Action<nint> wait)
    {
        ThrowIfFailed();
        // The lengths of all, and this one's behind them.
        var lengths = GC.AllocateArray<int>(Count + 1, pinned: true);
        lengths[Count] = mine.Length;
        var all = (int*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(lengths));
        nint request;
        Check(((delegate* unmanaged<void*, int, nint, void*, int, nint, nint, nint*, int>)Symbol("MPI_Iallgather"))(
            all + Count, sizeof(int), _bytes, all, sizeof(int), _bytes, _group, &request), "MPI_Iallgather");
        Wait(request, wait, lengths);

        var result = new byte[Count][];
        for (var rank = 0; rank < Count; rank++)
        {
            var data = result[rank] = Buffer(lengths[rank]);
            if (rank == Rank) mine.CopyTo(data, 0);
            if (data.Length > 0) Broadcast(data, data.Length, _bytes, wait, rank);
        }

        return result;
    }

    /// <summary>Whether a request is done.</summary>
    public bool IsDone(ref nint request)
    {
        int done;
        fixed (nint* asked = &request)
            Check(((delegate* unmanaged<nint*, int*, nint, int>)Symbol("MPI_Test"))(asked, &done, 0), "MPI_Test");
        return done != 0;
    }

    /// <summary>Sends a text to all other processes, without waiting for any to read it.</summary>
    public void Tell(string text, int tag)
    {
        _hasFailed = true;
        var bytes = Encoding.UTF8.GetBytes(text);
        // Not freed: who reads it may come later, and this process ends.
        var memory = (byte*)NativeMemory.Alloc((nuint)Math.Max(1, bytes.Length));
        bytes.CopyTo(new Span<byte>(memory, bytes.Length));
        for (var rank = 0; rank < Count; rank++)
        {
            if (rank == Rank) continue;
            nint request;
            Check(((delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int>)Symbol("MPI_Isend"))(
                memory, bytes.Length, _bytes, rank, tag, _group, &request), "MPI_Isend");
            // Small messages leave when they are looked at.
            for (var look = 0; look < 100 && !IsDone(ref request); look++) Thread.Sleep(1);
        }
    }

    /// <summary>A text that another process has sent; null where none has.</summary>
    public (int Rank, string Text)? Heard(int tag)
    {
        int isThere;
        Status status;
        Check(((delegate* unmanaged<int, int, nint, int*, Status*, int>)Symbol("MPI_Iprobe"))(AnySource, tag, _group, &isThere, &status),
            "MPI_Iprobe");
        if (isThere == 0) return null;
        int length;
        Check(((delegate* unmanaged<Status*, nint, int*, int>)Symbol("MPI_Get_count"))(&status, _bytes, &length), "MPI_Get_count");
        var text = new byte[length];
        fixed (byte* memory = text)
            Check(((delegate* unmanaged<void*, int, nint, int, int, nint, nint, int>)Symbol("MPI_Recv"))(
                memory, length, _bytes, status.Source, tag, _group, 0), "MPI_Recv");
        return (status.Source, Encoding.UTF8.GetString(text));
    }

    private void Broadcast(byte[] memory, int count, nint type, Action<nint> wait, int root = 0)
    {
        nint request;
        Check(((delegate* unmanaged<nint, int, nint, int, nint, nint*, int>)Symbol("MPI_Ibcast"))(
            Address(memory), count, type, root, _group, &request), "MPI_Ibcast");
        Wait(request, wait, memory);
    }

    /// <summary>Waits for a request. One that is given up stays open in the library: its memory stays too, and nothing is exchanged after
    /// it, as the others would take it for something else.</summary>
    private void Wait(nint request, Action<nint> wait, object memory)
    {
        try
        {
            wait(request);
        }
        catch
        {
            _hasFailed = true;
            _kept.Add(memory);
            throw;
        }
    }

    private void ThrowIfFailed()
    {
        if (_hasFailed) throw new ExternalException("an earlier exchange of this process was given up");
    }

    private static byte[] Buffer(long length) => GC.AllocateUninitializedArray<byte>(checked((int)length), pinned: true);

    private static nint Address(byte[] pinned) => (nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinned));

    /// <summary>A process that failed leaves without a word: then mpirun ends the others, which would wait for it.</summary>
    private void End()
    {
        int isOver;
        if (_hasFailed || ((delegate* unmanaged<int*, int>)Symbol("MPI_Finalized"))(&isOver) != 0 || isOver != 0) return;
        _ = ((delegate* unmanaged<int>)Symbol("MPI_Finalize"))();
    }

    private nint Symbol(string name) => NativeLibrary.GetExport(_library, name);

    private void Check(int code, string function)
    {
        if (code == 0) return;
        var text = stackalloc byte[MostText];
        int length;
        var known = ((delegate* unmanaged<int, byte*, int*, int>)Symbol("MPI_Error_string"))(code, text, &length) == 0;
        throw new ExternalException($"{function}: {(known ? Encoding.UTF8.GetString(text, length) : "failed")}", code);
    }

    /// <summary>Open MPI's status.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Status
    {
        public int Source, Tag, Error, Cancelled;
        public nuint Count;
    }
}
