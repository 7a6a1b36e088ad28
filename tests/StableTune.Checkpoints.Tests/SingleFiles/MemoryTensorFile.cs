using System.Diagnostics.CodeAnalysis;
using StableTune.Formats;

namespace StableTune.Checkpoints.Tests;

/// <summary>A file of names and shapes whose tensors are read from a function; by default all zeros.</summary>
internal sealed class MemoryTensorFile : ITensorFile
{
    private readonly Dictionary<string, TensorInfo> _tensors = new(StringComparer.Ordinal);

    private List<TensorInfo>? _list;

    public string Path { get; init; } = "/models/memory.safetensors";

    public Dictionary<string, string> Texts { get; } = [];

    public bool IsDisposed { get; private set; }

    public IReadOnlyDictionary<string, string> Metadata => Texts;

    public IReadOnlyList<TensorInfo> Tensors => _list ??= [.. _tensors.Values];

    /// <summary>The checkpoint of a published model.</summary>
    public static MemoryTensorFile Published(string model, params string[] parts)
    {
        var file = new MemoryTensorFile();
        foreach (var row in parts.SelectMany(part => RealModelKeys.Rows(model, part)).DistinctBy(row => row.FileName))
            file.Add(row.FileName, row.FileShape);
        return file;
    }

    public MemoryTensorFile Add(string name, params long[] shape)
    {
        _list = null;
        _tensors.Add(name, new TensorInfo(name, TensorDType.F16, shape, 0, 2 * shape.Aggregate(1L, (product, size) => product * size)));
        return this;
    }

    public MemoryTensorFile Replace(string name, params long[] shape)
    {
        Assert.True(_tensors.Remove(name), name);
        return Add(name, shape);
    }

    public MemoryTensorFile Remove(Func<string, bool> which)
    {
        _list = null;
        foreach (var name in _tensors.Keys.Where(which).ToList()) _tensors.Remove(name);
        return this;
    }

    public bool TryGet(string name, [MaybeNullWhen(false)] out TensorInfo info) => _tensors.TryGetValue(name, out info);

    public void Read(TensorInfo info, Span<byte> destination, long offset = 0) => destination.Clear();

    public MappedTensor? Lease(TensorInfo info) => null;

    public void Dispose() => IsDisposed = true;
}
