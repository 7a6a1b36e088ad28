using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>
/// An adapter file under the names and shapes that the adapters of some layers have here, whoever wrote it. What no layer has a place
/// for is not in it.
/// </summary>
internal sealed class AdapterFileView : ITensorFile
{
    private readonly ITensorFile _file;
    private readonly OrderedDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly PeftConfig _alphas;

    /// <summary>A tensor: that of the file, or a single number that the file's metadata says.</summary>
    private sealed record Entry(TensorInfo Info, TensorInfo? Stored, float Value);

    /// <summary>Creates a view without tensors.</summary>
    /// <param name="file">The file; stays the caller's.</param>
    /// <exception cref="InvalidFileException">Its metadata holds settings of PEFT that cannot be read.</exception>
    public AdapterFileView(WeightFile file) => (_file, _alphas) = (file.Source, PeftConfig.Read(file));

    public string Path => _file.Path;

    public IReadOnlyDictionary<string, string> Metadata => _file.Metadata;

    public IReadOnlyList<TensorInfo> Tensors => [.. _entries.Values.Select(entry => entry.Info)];

    /// <summary>Adds the tensors of an adapter.</summary>
    /// <param name="module">What the file has.</param>
    /// <param name="layer">The layer that it belongs to.</param>
    /// <returns>The tensors by their names within the adapter.</returns>
    /// <exception cref="InvalidFileException">The layer has an adapter already.</exception>
    public IReadOnlyDictionary<string, TensorInfo> Add(AdapterFileModule module, AdaptedLayer layer)
    {
        var own = new Dictionary<string, TensorInfo>(StringComparer.Ordinal);
        foreach (var (tensor, stored) in module.Tensors)
        {
            var shape = AdapterShapes.Fit(tensor, stored.Shape, layer.Shape, module);
            var info = stored with { Name = $"{layer.Name}.{tensor}", Shape = shape };
            if (!_entries.TryAdd(info.Name, new Entry(info, stored, 0)))
                throw new InvalidFileException(Path,
                    $"the tensors '{_entries[info.Name].Stored!.Name}' and '{stored.Name}' are both for the layer '{layer.FullPath}'.",
                    "Remove one of the two adapters from the file.");
            own.Add(tensor, info);
        }

        if (!own.ContainsKey("alpha") && module.Naming is PeftNaming && own.TryGetValue("lora_down.weight", out var down)
            && _alphas.AlphaOf(layer.Part, module.Name.Path, down.Shape.FirstOrDefault()) is { } alpha)
        {
            var info = new TensorInfo($"{layer.Name}.alpha", TensorDType.F32, [], 0, sizeof(float));
            _entries.Add(info.Name, new Entry(info, null, (float)alpha));
            own.Add("alpha", info);
        }

        return own;
    }

    /// <summary>What the file calls a tensor of the view.</summary>
    public string NameInFile(string name) => _entries[name].Stored?.Name ?? $"{name}, by {PeftConfig.MetadataKey} of the metadata,";

    /// <summary>Whether the file holds the tensor; otherwise its metadata says the number.</summary>
    public bool IsStored(TensorInfo info) => _entries[info.Name].Stored is not null;

    public bool TryGet(string name, [MaybeNullWhen(false)] out TensorInfo info)
    {
        info = _entries.TryGetValue(name, out var entry) ? entry.Info : null;
        return info is not null;
    }

    public void Read(TensorInfo info, Span<byte> destination, long offset = 0)
    {
        ArgumentNullException.ThrowIfNull(info);
        var entry = _entries[info.Name];
        if (entry.Stored is { } stored)
        {
            _file.Read(stored, destination, offset);
            return;
        }

        Span<byte> value = stackalloc byte[sizeof(float)];
        BinaryPrimitives.WriteSingleLittleEndian(value, entry.Value);
        value.Slice((int)offset, destination.Length).CopyTo(destination);
    }

    public MappedTensor? Lease(TensorInfo info)
    {
        ArgumentNullException.ThrowIfNull(info);
        return _entries[info.Name].Stored is { } stored ? _file.Lease(stored) : null;
    }

    /// <summary>Nothing: the file is the caller's.</summary>
    public void Dispose()
    {
    }
}
