using System.Diagnostics.CodeAnalysis;

namespace StableTune.Formats;

/// <summary>
/// Weights of Paddle (model_state.pdparams), open for reading: a pickle of NumPy arrays by name. It is read as data, as torch files are,
/// and
/// runs nothing. Names and shapes are Paddle's: the weights of its linear layers are [in, out], the transpose of torch's; its bfloat16 is
/// stored as U16.
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

    /// <inheritdoc/>
    public MappedTensor? Lease(TensorInfo info) => _tensors.Lease(info);

    /// <summary>Closes the file; the map goes as soon as no lease is left.</summary>
    public void Dispose() => _tensors.Dispose();
}
