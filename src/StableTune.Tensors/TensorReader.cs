using System.Buffers.Binary;
using System.Runtime.InteropServices;
using StableTune.Formats;

namespace StableTune.Tensors;

/// <summary>
/// Reads stored tensors straight into the memory of tensors, with several threads, converting on the way where the types
/// differ, and looking at the numbers while they are at hand. Nothing is held twice: a thread's buffer has 1 MiB.
/// </summary>
internal sealed class TensorReader(ITensorFile file)
{
    /// <summary>What one thread takes at a time: large enough for the disk, small enough to share a model out evenly.</summary>
    private const long PieceBytes = 8 << 20;

    /// <summary>Read and converted at a time: fits into a core's cache together with its result.</summary>
    private const int BufferBytes = 1 << 20;

    /// <summary>More readers than this no disk rewards.</summary>
    private const int MaximumThreads = 8;

    private readonly List<Piece> _pieces = [];

    /// <summary>A range of elements of one tensor and the address of the first in memory, where they may lie already.</summary>
    private readonly record struct Piece(TensorInfo Info, long Begin, long Count, nint Address, ScalarType Type, bool IsThere);

    /// <summary>Plans the reading of one tensor.</summary>
    /// <param name="info">A tensor of the file.</param>
    /// <param name="target">Contiguous, on the CPU, of the same number of elements; must stay alive until <see cref="Run"/> is
    /// done.</param>
    public void Add(TensorInfo info, Tensor target) => Add(info, target, isThere: false);

    /// <summary>Plans that the numbers of a tensor which needs no reading, as in a mapped file, are looked at.</summary>
    /// <param name="info">A tensor of the file.</param>
    /// <param name="target">As for <see cref="Add(TensorInfo, Tensor)"/>.</param>
    public void AddToCheck(TensorInfo info, Tensor target) => Add(info, target, isThere: true);

    private void Add(TensorInfo info, Tensor target, bool isThere)
    {
        var (step, size) = (PieceBytes / info.DType.Size(), target.dtype.Size());
        var address = target.DataPointer();
        for (var begin = 0L; begin < info.ElementCount; begin += step)
            _pieces.Add(new Piece(
                info, begin, Math.Min(step, info.ElementCount - begin), address + (nint)(begin * size), target.dtype, isThere));
    }

    /// <summary>Reads all that was planned, in the order of the file.</summary>
    /// <returns>The tensors in which numbers are NaN or infinite, as far as <see cref="ModuleLoadOptions.CheckNumbers"/> asks for
    /// them.</returns>
    /// <exception cref="InvalidFileException">The file ended early, or a value does not fit.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public IReadOnlyCollection<TensorInfo> Run(ModuleLoadOptions options)
    {
        var pieces = _pieces.OrderBy(piece => piece.Info.Begin).ThenBy(piece => piece.Begin).ToArray();
        var total = Math.Max(1, pieces.Sum(piece => piece.Count * piece.Info.DType.Size()));
        var (next, done) = (-1, 0L);
        var faults = new List<Exception>();
        var broken = new HashSet<TensorInfo>();

        void Work()
        {
            var buffers = new Buffers();
            try
            {
                for (int i; faults.Count == 0 && (i = Interlocked.Increment(ref next)) < pieces.Length;)
                {
                    options.CancellationToken.ThrowIfCancellationRequested();
                    if (!Read(pieces[i], buffers, options.CheckNumbers)) lock (broken) broken.Add(pieces[i].Info);
                    var bytes = Interlocked.Add(ref done, pieces[i].Count * pieces[i].Info.DType.Size());
                    options.Progress?.Report((double)bytes / total);
                }
            }
            catch (Exception e)
            {
                lock (faults) faults.Add(e);
            }
        }

        var threads = Math.Min(pieces.Length, options.MaximumThreads ?? Math.Min(MaximumThreads, Environment.ProcessorCount));
        var others = Enumerable.Range(1, Math.Max(0, threads - 1))
            .Select(_ => new Thread(Work) { IsBackground = true, Name = "weights" }).ToList();
        others.ForEach(thread => thread.Start());
        Work();
        others.ForEach(thread => thread.Join());
        if (faults.Count > 0) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(faults[0]);
        return broken;
    }

    /// <summary>Reads a piece where it does not lie there, and looks at its numbers while they are in the core's cache.</summary>
    /// <returns>Whether they are finite; true where they are not looked at.</returns>
    private bool Read(Piece piece, Buffers buffers, bool checks)
    {
        var (stored, size, areFinite) = (piece.Info.DType.Size(), piece.Type.Size(), true);
        var step = BufferBytes / Math.Max(stored, size);
        for (var done = 0L; done < piece.Count; done += step)
        {
            var count = (int)Math.Min(step, piece.Count - done);
            var target = Addresses.Span(piece.Address + (nint)(done * size), count * size);
            if (!piece.IsThere) Read(piece, (piece.Begin + done) * stored, count * stored, target, buffers);
            areFinite = areFinite && (!checks || FiniteNumbers.AreAll(target, piece.Type));
        }

        return areFinite;
    }

    private void Read(Piece piece, long offset, int length, Span<byte> target, Buffers buffers)
    {
        if (piece.Info.DType.HasBitsOf(piece.Type))
        {
            file.Read(piece.Info, target, offset);
            return;
        }

        var bytes = buffers.Bytes.AsSpan(0, length);
        file.Read(piece.Info, bytes, offset);
        if (FloatConversion.Handles(piece.Info.DType, piece.Type))
            FloatConversion.Convert(bytes, piece.Info.DType, target, piece.Type, buffers.Floats);
        else WidenUnsigned(piece.Info, bytes, target);
    }

    /// <summary>The unsigned types that libtorch lacks, as the next signed type.</summary>
    private void WidenUnsigned(TensorInfo info, ReadOnlySpan<byte> from, Span<byte> to)
    {
        var integers = MemoryMarshal.Cast<byte, int>(to);
        var longs = MemoryMarshal.Cast<byte, long>(to);
        for (int i = 0, size = info.DType.Size(); i < from.Length / size; i++)
        {
            var element = from.Slice(i * size, size);
            switch (info.DType)
            {
                case TensorDType.U16: integers[i] = BinaryPrimitives.ReadUInt16LittleEndian(element); break;
                case TensorDType.U32: longs[i] = BinaryPrimitives.ReadUInt32LittleEndian(element); break;
                default: longs[i] = Signed(info, BinaryPrimitives.ReadUInt64LittleEndian(element)); break;
            }
        }
    }

    private long Signed(TensorInfo info, ulong value) => value <= long.MaxValue ? (long)value : throw new InvalidFileException(file.Path,
        $"tensor '{info.Name}' ({info}) holds {value}, which is more than a signed 64-bit number can be.", "Store it as I64 or F64.");

    private sealed class Buffers
    {
        private byte[]? _bytes;
        private float[]? _floats;

        public byte[] Bytes => _bytes ??= GC.AllocateUninitializedArray<byte>(BufferBytes);
        public float[] Floats => _floats ??= GC.AllocateUninitializedArray<float>(BufferBytes);
    }
}
