using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace StableTune.Formats;

/// <summary>
/// Weights of Paddle (model_state.pdparams), open for reading: a pickle of NumPy arrays by name. It is read as data, as torch files are,
/// and runs nothing. Names and shapes are Paddle's: the weights of its linear layers are [in, out], the transpose of torch's; its bfloat16
/// is stored as U16.
/// </summary>
public sealed class PaddleFile : ITensorFile
{
    private readonly PlacedTensors _tensors;

    private PaddleFile(string path, FileStream file)
    {
        Path = path;
        var source = new PickleSource(file.SafeFileHandle, path, 0, file.Length, null);
        var root = new PickleMachine(source, NoStorages, largeBytesStay: true).Run();
        var arrays = new List<KeyValuePair<string, PickleTensor>>();
        if (root is PickleDictionary dictionary)
            foreach (var (key, value) in dictionary)
                if (key is PickleText name && value is PickleTensor array) arrays.Add(new(name.Value, array));
        if (arrays.Count == 0)
            throw new InvalidFileException(path,
                $"it is a Python pickle of {root}, and neither a torch file nor a dictionary of NumPy arrays, as Paddle writes them.",
                TorchFaults.Convert);
        _tensors = new PlacedTensors(path, file, arrays);
    }

    private static PickleValue NoStorages(PickleMachine machine, PickleValue id) =>
        throw machine.Fault("the pickle names a storage, which arrays of NumPy do not have");

    /// <summary>Opens the file, reads its pickle and checks where its arrays lie. Reads no array.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidFileException">The file is missing, of another kind, truncated, or holds more than arrays.</exception>
    public static PaddleFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = FileBytes.Open(path);
        try
        {
            return new PaddleFile(path, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The file, as the caller named it.</summary>
    public string Path { get; }

    /// <summary>Always empty: the format has no place for texts.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; } = new Dictionary<string, string>();

    /// <summary>The arrays, in the order of the file.</summary>
    public IReadOnlyList<TensorInfo> Tensors => _tensors.Infos;

    /// <inheritdoc/>
    public bool TryGet(string name, [MaybeNullWhen(false)] out TensorInfo info) => _tensors.TryGet(name, out info);

    /// <summary>The array of this name.</summary>
    /// <exception cref="InvalidFileException">The file has no such array; the message names similar ones.</exception>
    public TensorInfo this[string name] => TryGet(name, out var info) ? info : throw TensorFile.NoSuchTensor(this, name);

    /// <inheritdoc/>
    public void Read(TensorInfo info, Span<byte> destination, long offset = 0) => _tensors.Read(info, destination, offset);

    /// <summary>As <see cref="Read"/>, with rows and columns exchanged: what the weight of a linear layer, [in, out] here, is as [out, in].
    /// Holds nothing in memory where the array lies in the file in row-major order.</summary>
    /// <param name="info">One of this file's arrays, of two dimensions.</param>
    /// <param name="destination">Is filled completely.</param>
    /// <param name="offset">The first byte to copy, counted from the begin of the exchanged array.</param>
    /// <exception cref="ArgumentException">The array has not two dimensions, or more bytes than fit into memory at once.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The destination reaches beyond the array's end.</exception>
    /// <exception cref="InvalidFileException">The file became shorter since it was opened.</exception>
    public unsafe void ReadTransposed(TensorInfo info, Span<byte> destination, long offset = 0)
    {
        ArgumentNullException.ThrowIfNull(info);
        if (info.Shape.Count != 2 || info.ByteCount > Array.MaxLength)
            throw new ArgumentException(
                $"'{info.Name}' is {info}: only arrays of two dimensions that fit into memory are turned.", nameof(info));
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, info.ByteCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(destination.Length, info.ByteCount - offset, nameof(destination));
        using var lease = Lease(info);
        if (lease is not null)
        {
            Turn(new ReadOnlySpan<byte>((void*)lease.Pointer, (int)lease.ByteCount), destination, offset, info);
            return;
        }

        var whole = new byte[info.ByteCount];
        Read(info, whole);
        Turn(whole, destination, offset, info);
    }

    /// <inheritdoc/>
    public MappedTensor? Lease(TensorInfo info) => _tensors.Lease(info);

    /// <summary>Closes the file; the map goes as soon as no lease is left.</summary>
    public void Dispose() => _tensors.Dispose();

    /// <summary>Copies a part of the turned tensor, byte by byte of its elements; the part may begin anywhere.</summary>
    private static void Turn(ReadOnlySpan<byte> stored, Span<byte> destination, long offset, TensorInfo info)
    {
        var size = info.DType.Size();
        if (size == 4 && offset % 4 == 0 && destination.Length % 4 == 0)
            Turn(MemoryMarshal.Cast<byte, uint>(stored), MemoryMarshal.Cast<byte, uint>(destination), offset / 4, info.Shape);
        else if (size == 2 && offset % 2 == 0 && destination.Length % 2 == 0)
            Turn(MemoryMarshal.Cast<byte, ushort>(stored), MemoryMarshal.Cast<byte, ushort>(destination), offset / 2, info.Shape);
        else
        {
            var (rows, columns) = (info.Shape[1], info.Shape[0]);
            for (var i = 0; i < destination.Length; i++)
            {
                var (element, part) = Math.DivRem(offset + i, size);
                var (row, column) = Math.DivRem(element, columns);
                destination[i] = stored[(int)((((column * rows) + row) * size) + part)];
            }
        }
    }

    private static void Turn<T>(ReadOnlySpan<T> stored, Span<T> destination, long first, IReadOnlyList<long> shape)
    {
        var (rows, columns) = (shape[1], shape[0]);
        var (row, column) = Math.DivRem(first, columns);
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = stored[(int)((column * rows) + row)];
            if (++column < columns) continue;
            (row, column) = (row + 1, 0);
        }
    }
}
