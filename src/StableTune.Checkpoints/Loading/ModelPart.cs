using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Checkpoints;

/// <summary>
/// One part of a model, as a source has it: its architecture, its tensors under the names of diffusers, and how to build the module for
/// them.
/// Nothing is read before <see cref="Weights"/> is asked for, and then the header only.
/// </summary>
/// <param name="name">See <see cref="Name"/>.</param>
/// <param name="architecture">See <see cref="Architecture"/>.</param>
/// <param name="build">Makes the module.</param>
/// <param name="open">Opens the tensors.</param>
/// <param name="rename">See <see cref="Rename"/>.</param>
/// <param name="owned">What is closed with the part beside its tensors; null for nothing.</param>
internal sealed class ModelPart(
    string name, object architecture, Func<nn.Module> build, Func<ITensorFile> open, Func<string, string?> rename,
        IDisposable? owned = null) : IDisposable
{
    /// <summary>The names of the parts, which are their folders in diffusers' layout.</summary>
    public const string UNet = "unet", Vae = "vae", TextEncoder = "text_encoder", TextEncoder2 = "text_encoder_2";

    private WeightFile? _weights;
    private bool _fits;

    /// <summary>One of <see cref="UNet"/>, <see cref="Vae"/>, <see cref="TextEncoder"/>, <see cref="TextEncoder2"/>.</summary>
    public string Name => name;

    /// <summary>The flag under which the part is asked for.</summary>
    public ModelParts Flag => name switch { UNet => ModelParts.UNet, Vae => ModelParts.Vae, _ => ModelParts.TextEncoder };

    /// <summary><see cref="UNetOptions"/>, <see cref="VaeOptions"/> or <see cref="TextArchitecture"/>.</summary>
    public object Architecture => architecture;

    /// <summary>The tensors; opened on first use, and owned by this part.</summary>
    /// <exception cref="InvalidFileException">The file is missing, of another kind, truncated, or its header is wrong.</exception>
    public WeightFile Weights => _weights ??= new WeightFile(open());

    /// <summary>The module's name for a name of <see cref="Weights"/>; null for what the module has no use for.</summary>
    public string? Rename(string tensor) => rename(tensor);

    /// <summary>What the file calls a tensor of the module.</summary>
    /// <param name="tensor">The module's name.</param>
    public string NameInFile(string tensor)
    {
        var name = Weights.Names.FirstOrDefault(name => rename(name) == tensor) ?? tensor;
        return CheckpointView.NameIn(Weights.Source, name);
    }

    /// <summary>Makes the module; the caller owns it.</summary>
    public nn.Module Build() => build();

    /// <summary>Bytes of the tensors that the module takes.</summary>
    public long ByteCount => Weights.Tensors.Where(tensor => rename(tensor.Name) is not null).Sum(tensor => tensor.ByteCount);

    /// <summary>The types in which its tensors are stored, that of most bytes first.</summary>
    public IReadOnlyList<TensorDType> StoredTypes =>
    [
        .. Weights.Tensors.Where(tensor => rename(tensor.Name) is not null).GroupBy(tensor => tensor.DType)
            .OrderByDescending(group => group.Sum(tensor => tensor.ByteCount)).Select(group => group.Key),
    ];

    /// <summary>Compares names and shapes with the module's, once. Neither reads weights nor takes memory for them, however large the
    /// architecture is.</summary>
    /// <exception cref="InvalidFileException">The file cannot be read, or does not fit.</exception>
    public void CheckHeader()
    {
        if (_fits) return;
        var weights = Weights;
        using var scope = NewDisposeScope();
        using var skip = LayerInitialization.Skip(META);
        using var module = build();
        ModuleWeights.Compare(module, weights, rename).ThrowIfIncomplete();
        _fits = true;
    }

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        _weights?.Dispose();
        owned?.Dispose();
    }
}
