using System.Diagnostics.CodeAnalysis;
using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Where a tensor of a view comes from.</summary>
/// <param name="Stored">The tensor in the checkpoint.</param>
/// <param name="Form">How it becomes the module's.</param>
internal readonly record struct ViewSource(TensorInfo Stored, TensorForm Form);

/// <summary>One part of a checkpoint under diffusers' names and shapes, read straight from the file.</summary>
/// <remarks>Queries, keys and values are contiguous rows of a joint projection, so only a transposed tensor is ever held in memory as a
/// whole.</remarks>
internal sealed class CheckpointView : ITensorFile
{
    private readonly ITensorFile _file;
    private readonly OrderedDictionary<string, (TensorInfo Info, ViewSource Source)> _tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, byte[]> _transposed = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    private CheckpointView(ITensorFile file) => _file = file;

    /// <summary>Makes a view of the tensors that a part's layout knows.</summary>
    /// <param name="file">The checkpoint; stays the caller's.</param>
    /// <param name="layout">The part's names.</param>
    /// <param name="source">The tensor to read instead of one of the part, as its average; the same for none.</param>
    /// <param name="used">Gets the names that are read.</param>
    /// <exception cref="InvalidFileException">Two tensors become the same, or one has an impossible shape.</exception>
    public static CheckpointView Of(ITensorFile file, KeyMap layout, Func<TensorInfo, TensorInfo> source, ISet<string> used)
    {
        var view = new CheckpointView(file);
        foreach (var tensor in file.Tensors)
        {
            var names = layout.IsUnused(tensor.Name) ? [] : layout.FromFile(tensor.Name);
            foreach (var name in names) view.Add(name, tensor, source(tensor));
            if (names.Count > 0) used.Add(tensor.Name);
        }

        return view;
    }

    public string Path => _file.Path;

    public IReadOnlyDictionary<string, string> Metadata => _file.Metadata;

    public IReadOnlyList<TensorInfo> Tensors => field ??= [.. _tensors.Values.Select(tensor => tensor.Info)];

    /// <summary>What a file calls a tensor, which is its name unless the file is seen through a view.</summary>
    public static string NameIn(ITensorFile file, string name) => file is CheckpointView view ? view.NameInFile(name) : name;

    /// <summary>What the checkpoint calls a tensor of the view.</summary>
    public string NameInFile(string name) => _tensors[name].Source.Stored.Name;

    public bool TryGet(string name, [MaybeNullWhen(false)] out TensorInfo info)
    {
        info = _tensors.TryGetValue(name, out var found) ? found.Info : null;
        return info is not null;
    }

    public void Read(TensorInfo info, Span<byte> destination, long offset = 0)
    {
        var source = Source(info);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, info.ByteCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(destination.Length, info.ByteCount - offset, nameof(destination));
        if (source.Form == TensorForm.Transposed) Transposed(source.Stored).AsSpan((int)offset, destination.Length).CopyTo(destination);
        else _file.Read(source.Stored, destination, Begin(info, source) + offset);
    }

    public MappedTensor? Lease(TensorInfo info)
    {
        var source = Source(info);
        if (source.Form == TensorForm.Transposed || _file.Lease(source.Stored) is not { } whole) return null;
        if (info.ByteCount == whole.ByteCount) return whole;
        using (whole) return whole.Slice(Begin(info, source), info.ByteCount);
    }

    /// <summary>Nothing: the file belongs to the checkpoint.</summary>
    public void Dispose()
    {
    }

    private void Add(LayoutName name, TensorInfo tensor, TensorInfo stored)
    {
        var shape = name.Form.ModuleShape(stored.Shape) ?? throw new InvalidFileException(
            Path, $"the tensor '{stored.Name}' is {stored}, which '{name.Name}' cannot be made of.",
                "The file is damaged, or is a model of another kind.");
        if (name.Form == TensorForm.Transposed && stored.ByteCount > Array.MaxLength) throw new InvalidFileException(
            Path, $"the tensor '{stored.Name}' is {stored}, far too large.", "The file is damaged, or is a model of another kind.");
        var third = TensorForms.Thirds.IndexOf(name.Form);
        var (count, begin) = third < 0 ? (stored.ByteCount, stored.Begin)
            : (stored.ByteCount / 3, stored.Begin + (third * (stored.ByteCount / 3)));
        var info = new TensorInfo(name.Name, stored.DType, shape, begin, begin + count);
        if (!_tensors.TryAdd(name.Name, (info, new ViewSource(stored, name.Form)))) throw new InvalidFileException(
            Path, $"the tensors '{_tensors[name.Name].Source.Stored.Name}' and '{tensor.Name}' are both '{name.Name}' of the model.",
                "Remove one of them from the file.");
    }

    private static long Begin(TensorInfo info, ViewSource source) => Math.Max(0, TensorForms.Thirds.IndexOf(source.Form)) * info.ByteCount;

    private ViewSource Source(TensorInfo info)
    {
        ArgumentNullException.ThrowIfNull(info);
        return _tensors.TryGetValue(info.Name, out var own) && ReferenceEquals(own.Info, info) ? own.Source
            : throw new ArgumentException($"Tensor '{info.Name}' is not one of this part of {Path}.", nameof(info));
    }

    // Elements of a column lie apart in the file: the tensor, a text projection of a few megabytes, is read once and kept.
    private byte[] Transposed(TensorInfo stored)
    {
        lock (_lock)
        {
            if (_transposed.TryGetValue(stored.Name, out var kept)) return kept;
            var bytes = new byte[stored.ByteCount];
            _file.Read(stored, bytes);
            var transposed = new byte[bytes.Length];
            Transposition.Copy(bytes, transposed, stored.Shape[0], stored.Shape[1], stored.DType.Size());
            return _transposed[stored.Name] = transposed;
        }
    }
}
