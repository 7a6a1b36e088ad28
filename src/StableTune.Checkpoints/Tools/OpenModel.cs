using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>A model whose files are open, for tools that work tensor by tensor: its parts, their tensors by diffusers' names.</summary>
internal sealed class OpenModel : IDisposable
{
    private readonly Dictionary<string, Dictionary<string, TensorInfo>> _tensors = new(StringComparer.Ordinal);

    private OpenModel(string name, ModelDescription description) => (Name, Description) = (name, description);

    /// <summary>The model, as the caller named it.</summary>
    public string Name { get; }

    /// <summary>What the model is, without faults.</summary>
    public ModelDescription Description { get; }

    /// <summary>Opens a model, and compares its headers with its configuration.</summary>
    /// <exception cref="InvalidFileException">It is missing, damaged or incomplete; the message lists everything that was
    /// found.</exception>
    public static OpenModel Open(string path, ModelLoadOptions options, CancellationToken cancellationToken)
    {
        var description = ModelDescription.Read(ModelSource.Open(path, options, cancellationToken), options, cancellationToken);
        try
        {
            description.CheckHeaders();
            ModelLoader.ThrowIfAny(path, description.Faults);
            return new OpenModel(path, description);
        }
        catch
        {
            description.Dispose();
            throw;
        }
    }

    /// <summary>The part of this name; null when the model has none, or it was not asked for.</summary>
    public ModelPart? Part(string name) => Description.Parts.FirstOrDefault(part => part.Name == name);

    /// <summary>A part's tensors by the names that its module has for them; empty for a part that is not there.</summary>
    public IReadOnlyDictionary<string, TensorInfo> Tensors(string part)
    {
        if (_tensors.TryGetValue(part, out var known)) return known;
        var found = new Dictionary<string, TensorInfo>(StringComparer.Ordinal);
        if (Part(part) is { } there)
            foreach (var info in there.Weights.Tensors)
                if (there.Rename(info.Name) is { } name) found.TryAdd(name, info);
        return _tensors[part] = found;
    }

    /// <summary>Fails when another model is of another generation: SD 1.x, SD 2.x, SDXL.</summary>
    /// <exception cref="InvalidFileException">It is.</exception>
    public void CheckSameKind(OpenModel other)
    {
        var (own, others) = (Description.Details!.Version, other.Description.Details!.Version);
        if (own != others)
            throw new InvalidFileException(other.Name, $"it is {others.Words()}, while {Name} is {own.Words()}.",
                "Use models of one kind.");
    }

    /// <summary>Closes all files.</summary>
    public void Dispose() => Description.Dispose();
}
