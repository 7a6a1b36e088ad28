using StableTune.Formats;

namespace StableTune.Tensors;

/// <summary>A weights file of any format, open for loading tensors from it. Opening reads and checks the header only.</summary>
public sealed class WeightFile : IDisposable
{
    /// <summary>Loads from a file that is open already.</summary>
    /// <param name="file">The file; from now on this object's to dispose.</param>
    public WeightFile(ITensorFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        Source = file;
    }

    /// <summary>Opens the file.</summary>
    /// <param name="path">The file; its content tells the format.</param>
    /// <exception cref="InvalidFileException">The file is missing, of another kind, truncated, or its header is wrong.</exception>
    public static WeightFile Open(string path) => new(TensorFile.Open(path));

    /// <summary>The file itself: types, places, raw bytes.</summary>
    public ITensorFile Source { get; }

    /// <summary>The file, as the caller named it.</summary>
    public string Path => Source.Path;

    /// <summary>The free texts of the header.</summary>
    public IReadOnlyDictionary<string, string> Metadata => Source.Metadata;

    /// <summary>Names, types and shapes, in the order of the file.</summary>
    public IReadOnlyList<TensorInfo> Tensors => Source.Tensors;

    /// <summary>The names, in the order of the file.</summary>
    public IEnumerable<string> Names => Tensors.Select(info => info.Name);

    /// <summary>Whether the file has a tensor of this name.</summary>
    public bool Contains(string name) => Source.TryGet(name, out _);

    /// <summary>Loads one tensor into memory of its own.</summary>
    /// <param name="name">Its name in the file.</param>
    /// <param name="dtype">The type wanted; null for the stored one.</param>
    /// <param name="device">Where it is wanted; null for the CPU.</param>
    /// <returns>A fresh tensor of the stored shape, which wants no gradient.</returns>
    /// <exception cref="InvalidFileException">There is no such tensor, or the file became shorter.</exception>
    public Tensor Load(string name, ScalarType? dtype = null, Device? device = null)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        return LoadOne(Source[name], dtype, device).MoveToOuterDisposeScope();
    }

    /// <summary>Loads all tensors, reading with several threads.</summary>
    /// <param name="dtype">The type wanted for floating-point tensors; null for the stored ones. Others keep theirs.</param>
    /// <param name="device">Where they are wanted; null for the CPU.</param>
    /// <returns>Fresh tensors by name, in the order of the file; they are the caller's to dispose.</returns>
    /// <exception cref="InvalidFileException">The file became shorter.</exception>
    public IReadOnlyDictionary<string, Tensor> LoadAll(ScalarType? dtype = null, Device? device = null)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var reader = new TensorReader(Source);
        var loaded = new OrderedDictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var info in Tensors)
        {
            var stored = info.DType.ToScalarType();
            var target = empty([.. info.Shape], dtype: ReadType(info, stored.IsFloat() ? dtype ?? stored : stored));
            reader.Add(info, target);
            loaded.Add(info.Name, target);
        }

        reader.Run(new ModuleLoadOptions());
        foreach (var name in loaded.Keys.ToList())
        {
            if (dtype is { } wanted && Source[name].DType.IsFloat()) loaded[name] = loaded[name].to(wanted);
            if (device is not null) loaded[name] = loaded[name].to(device);
            loaded[name].MoveToOuterDisposeScope();
        }

        return loaded;
    }

    /// <summary>Closes the file. Tensors that were loaded, also mapped ones, stay.</summary>
    public void Dispose() => Source.Dispose();

    /// <summary>Between floating-point types the reader converts; what else may be asked for, libtorch does afterwards.</summary>
    private static ScalarType ReadType(TensorInfo info, ScalarType wanted) =>
        info.DType.HasBitsOf(wanted) || FloatConversion.Handles(info.DType, wanted) ? wanted : info.DType.ToScalarType();

    /// <summary>Loads into a fresh tensor of the current scope.</summary>
    internal Tensor LoadOne(TensorInfo info, ScalarType? dtype, Device? device)
    {
        var stored = info.DType.ToScalarType();
        var wanted = dtype ?? stored;
        var read = ReadType(info, wanted);
        var target = empty([.. info.Shape], dtype: read);
        var reader = new TensorReader(Source);
        reader.Add(info, target);
        reader.Run(new ModuleLoadOptions());
        if (read != wanted) target = target.to(wanted);
        return device is null ? target : target.to(device);
    }
}
