using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>The tensors that a file holds for one layer, as an <see cref="AdapterFormat"/> sees them.</summary>
public sealed class AdapterModule
{
    private readonly WeightFile _file;

    internal AdapterModule(WeightFile file, string name, IReadOnlyDictionary<string, TensorInfo> tensors) =>
        (_file, Name, Tensors) = (file, name, tensors);

    /// <summary>The adapter's name in the file: <c>lora_unet_down_blocks_0_attentions_0_proj_in</c>.</summary>
    public string Name { get; }

    /// <summary>Types and shapes by the tensors' names within the adapter.</summary>
    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>A tensor's type and shape.</summary>
    /// <param name="tensor">Its name within the adapter.</param>
    /// <exception cref="InvalidFileException">The file has none of this name.</exception>
    public TensorInfo this[string tensor] => Tensors.TryGetValue(tensor, out var info) ? info
        : throw Fault($"has only {string.Join(", ", Tensors.Keys)}", $"It needs {tensor} too: the file is incomplete, save it again.");

    /// <summary>The alpha; null where the file has none, which means the rank, as 0 does.</summary>
    /// <exception cref="InvalidFileException">It is not one number, or negative, infinite or NaN.</exception>
    public float? Alpha => Number("alpha");

    /// <summary>A tensor of one number that must not be negative; null where the file has none of this name.</summary>
    /// <param name="tensor">Its name within the adapter.</param>
    /// <exception cref="InvalidFileException">It is not one number, or negative, infinite or NaN.</exception>
    internal float? Number(string tensor)
    {
        if (!Tensors.TryGetValue(tensor, out var info)) return null;
        if (info.ElementCount != 1) throw Fault($"has an {tensor} that is {info} instead of one number", "Save the file again.");
        using var number = _file.Load(info.Name, ScalarType.Float32);
        var value = number.item<float>();
        return float.IsFinite(value) && value >= 0 ? value
            : throw Fault($"has an {tensor} of {value}", "It must be at least 0: save the file again.");
    }

    /// <summary>
    /// Whether DoRA's magnitudes belong to outputs, [out, 1, ...], or to inputs, [1, in, ...]; null where the adapter has none.
    /// </summary>
    public bool? DecomposesOutputs => Tensors.TryGetValue("dora_scale", out var scale)
        ? scale.Shape.Count < 2 || scale.Shape[0] != 1 || scale.Shape.All(size => size == 1) : null;

    /// <summary>The error of an adapter that cannot be made.</summary>
    /// <param name="fault">What is wrong, going on after "adapter '...'": "has factors of different ranks".</param>
    /// <param name="remedy">What to do about it, a sentence.</param>
    public InvalidFileException Fault(string fault, string remedy) => new(_file.Path, $"adapter '{Name}' {fault}.", remedy);
}
