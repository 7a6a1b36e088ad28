using System.Diagnostics.CodeAnalysis;

namespace StableTune.Formats;

/// <summary>
/// A file of torch.save (.ckpt, .pt, .bin), open for reading: the zip form of today and the older form of consecutive pickles. Nothing of
/// it is run: the pickle is read as data, and one that asks for more than weights need is refused by name.
/// </summary>
/// <remarks>
/// Every tensor's place was checked against the file when it was opened. <see cref="Read(TensorInfo, Span{byte}, long)"/> may be called
/// from several threads at once. Tensors that do not lie in the file row by row (transposed, expanded) are gathered from the mapped file. A
/// mapped file must not be shortened by another program while it is in use, the system ends the process then.
/// </remarks>
public sealed class TorchFile : ITensorFile
{
    private readonly PlacedTensors _tensors;
    private readonly HashSet<TensorStorage> _storages;

    private TorchFile(string path, FileStream file)
    {
        Path = path;
        var storages = new List<TensorStorage>();
        Span<byte> start = stackalloc byte[FileKind.BytesNeeded];
        start = start[..FileBytes.ReadUpTo(file.SafeFileHandle, start, 0)];
        Root = IsZip(start) ? TorchZip.Read(file.SafeFileHandle, path, storages)
            : IsPickle(start) ? TorchLegacy.Read(file.SafeFileHandle, path, storages)
            : throw NotTorch(path, file, start);
        _storages = [.. storages];
        StateDictionary = Wrapped(Root, "state_dict") ?? (TensorsOf(Root as PickleDictionary).Any() ? null : Wrapped(Root, "model"))
            ?? Root as PickleDictionary;
        _tensors = new PlacedTensors(path, file, TensorsOf(StateDictionary));
        Metadata = ReferenceEquals(Root, StateDictionary) ? Texts(null) : Texts(Root as PickleDictionary);
    }

    /// <summary>Opens the file, reads its pickle and checks where its tensors lie. Reads no tensor.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidFileException">The file is missing, of another kind, truncated, or holds more than weights.</exception>
    public static TorchFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = FileBytes.Open(path);
        try
        {
            return new TorchFile(path, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The file, as the caller named it.</summary>
    public string Path { get; }

    /// <summary>
    /// The value that was saved, whole: what is beside the tensors as well, and files that are no state dictionaries (embeddings,
    /// optimizers).
    /// Tensors in it are read with <see cref="Read(PickleTensor, Span{byte}, long)"/>.
    /// </summary>
    public PickleValue Root { get; }

    /// <summary>The dictionary that <see cref="Tensors"/> come from: the entry <c>state_dict</c> if there is one, the entry <c>model</c>
    /// (BLIP's files have it) where no tensor stands beside it, else the saved dictionary; null if something else than a dictionary was
    /// saved.</summary>
    public PickleDictionary? StateDictionary { get; }

    /// <summary>The texts, numbers and booleans beside <c>state_dict</c> or <c>model</c>, such as <c>epoch</c> and
    /// <c>global_step</c>; empty without such a wrapper.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The entry <c>epoch</c> of the saved dictionary; null without one.</summary>
    public long? Epoch => Number("epoch");

    /// <summary>The entry <c>global_step</c> of the saved dictionary; null without one.</summary>
    public long? GlobalStep => Number("global_step");

    /// <summary>
    /// The tensors that are directly in the <see cref="StateDictionary"/>, in its order. Tensors in dictionaries below it, as optimizers
    /// have them, are not weights of the file: they are found in <see cref="Root"/>.
    /// </summary>
    public IReadOnlyList<TensorInfo> Tensors => _tensors.Infos;

    /// <inheritdoc/>
    public bool TryGet(string name, [MaybeNullWhen(false)] out TensorInfo info) => _tensors.TryGet(name, out info);

    /// <summary>The tensor of this name.</summary>
    /// <exception cref="InvalidFileException">The file has no such tensor; the message names similar ones.</exception>
    public TensorInfo this[string name] => TryGet(name, out var info) ? info : throw TensorFile.NoSuchTensor(this, name);

    /// <inheritdoc/>
    public void Read(TensorInfo info, Span<byte> destination, long offset = 0) => _tensors.Read(info, destination, offset);

    /// <summary>Copies bytes of a tensor that is anywhere in <see cref="Root"/>, row by row. Safe to call from several threads at
    /// once.</summary>
    /// <param name="tensor">A tensor of this file.</param>
    /// <param name="destination">Is filled completely.</param>
    /// <param name="offset">The first byte to copy, counted from the tensor's begin.</param>
    /// <exception cref="ArgumentOutOfRangeException">The destination reaches beyond the tensor's end.</exception>
    /// <exception cref="InvalidFileException">The file became shorter since it was opened.</exception>
    public void Read(PickleTensor tensor, Span<byte> destination, long offset = 0)
    {
        CheckOwn(tensor);
        _tensors.Read(tensor.Place, destination, offset);
    }

    /// <summary>A tensor that is anywhere in <see cref="Root"/>, to be written somewhere else; it is read while it is written.</summary>
    /// <param name="tensor">A tensor of this file, which must stay open until it is written.</param>
    /// <param name="name">The name that it shall have.</param>
    public TensorPayload ToPayload(PickleTensor tensor, string name)
    {
        CheckOwn(tensor);
        return new TensorPayload(name, tensor.DType, tensor.Shape, target =>
        {
            var buffer = new byte[Math.Min(tensor.ByteCount, 1 << 20)];
            for (var at = 0L; at < tensor.ByteCount; at += buffer.Length)
            {
                var piece = buffer.AsSpan(0, (int)Math.Min(buffer.Length, tensor.ByteCount - at));
                _tensors.Read(tensor.Place, piece, at);
                target.Write(piece);
            }
        });
    }

    /// <inheritdoc/>
    public MappedTensor? Lease(TensorInfo info) => _tensors.Lease(info);

    /// <summary>Closes the file; the map goes as soon as no lease is left.</summary>
    public void Dispose() => _tensors.Dispose();

    /// <summary>Whether a file that begins so is best looked at here, if only to be refused with the right words.</summary>
    internal static bool IsTorch(ReadOnlySpan<byte> start) => IsZip(start) || (IsPickle(start) && start.IndexOf(TorchLegacy.Magic) > 0);

    /// <summary>Whether a file that begins so is a zip archive, an empty one included.</summary>
    private static bool IsZip(ReadOnlySpan<byte> start) => start.StartsWith("PK\u0003\u0004"u8) || start.StartsWith("PK\u0005\u0006"u8);

    /// <summary>Whether a file that begins so is a pickle of protocol 2 to 5.</summary>
    internal static bool IsPickle(ReadOnlySpan<byte> start) => start.Length > 2 && start[0] == 0x80 && start[1] is >= 2 and <= 5;

    private static InvalidFileException NotTorch(string path, FileStream file, ReadOnlySpan<byte> start)
    {
        Span<byte> tar = stackalloc byte[5];
        if (FileBytes.ReadUpTo(file.SafeFileHandle, tar, 257) == 5 && tar.SequenceEqual("ustar"u8))
            return new InvalidFileException(path, "it is a tar archive; torch wrote such files before release 0.2, and they are not read.",
                $"Open it with an old torch release. {TorchFaults.Convert}");
        return FileKind.Recognize(start) is { } kind
            ? new InvalidFileException(path, $"not a torch file: {kind.Description}.", kind.Remedy)
            : new InvalidFileException(path, "not a torch file: it is neither a zip archive nor a pickle.", TorchFaults.Damaged);
    }

    private static PickleDictionary? Wrapped(PickleValue root, string key) =>
        root is PickleDictionary dictionary && dictionary.TryGet(key, out var inner) ? inner as PickleDictionary : null;

    private static IEnumerable<KeyValuePair<string, PickleTensor>> TensorsOf(PickleDictionary? dictionary)
    {
        foreach (var (key, value) in dictionary ?? Enumerable.Empty<KeyValuePair<PickleValue, PickleValue>>())
            if (key is PickleText name && value is PickleTensor tensor) yield return new(name.Value, tensor);
    }

    private static OrderedDictionary<string, string> Texts(PickleDictionary? dictionary)
    {
        var texts = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in dictionary ?? Enumerable.Empty<KeyValuePair<PickleValue, PickleValue>>())
        {
            if (key is not PickleText name) continue;
            if (value is PickleText text) texts.Add(name.Value, text.Value);
            else if (value is PickleInteger or PickleFloat or PickleBoolean) texts.Add(name.Value, value.ToString());
        }

        return texts;
    }

    private void CheckOwn(PickleTensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.Payload is not null || (tensor.Place.Storage.Stored.InFile && !_storages.Contains(tensor.Place.Storage)))
            throw new ArgumentException($"The tensor {tensor} is not one of {Path}.", nameof(tensor));
    }

    private long? Number(string name) =>
        Root is PickleDictionary dictionary && dictionary.TryGet(name, out var value) && value is PickleInteger integer
            && integer.TryGetInt64(out var number)
            ? number : null;
}
