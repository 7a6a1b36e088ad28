using StableTune.Adapters;
using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Two models of one architecture, of which the difference of one weight after the other is asked.</summary>
internal sealed class ModelDifference : IDisposable
{
    private readonly AdapterExtractOptions _options;
    private readonly OpenModel _original, _tuned;
    private readonly List<nn.Module> _modules = [];

    /// <summary>Opens both models.</summary>
    /// <exception cref="InvalidFileException">One cannot be read, or they are of different kinds.</exception>
    public ModelDifference(string original, string tuned, AdapterExtractOptions options, CancellationToken cancellationToken)
    {
        _options = options;
        var parts = (options.Parts.HasFlag(AdapterParts.UNet) ? ModelParts.UNet : 0)
            | ((options.Parts & AdapterParts.TextEncoder) != 0 ? ModelParts.TextEncoder : 0);
        var reading = options.Reading with { Parts = parts, VaePath = null };
        _original = OpenModel.Open(original, reading, cancellationToken);
        try
        {
            _tuned = OpenModel.Open(tuned, reading, cancellationToken);
            _original.CheckSameKind(_tuned);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What metadata call the models.</summary>
    public string BaseModel =>
        _original.Description.Details!.Version.BaseName(_original.Description.Details.Prediction);

    /// <summary>Whether they are SD 2.x.</summary>
    public bool IsSd2 => _original.Description.Details!.Version == ModelVersion.Sd2;

    /// <summary>The layers that get adapters, in the reference's order. Their modules have no memory.</summary>
    public IReadOnlyList<AdaptedLayer> Layers()
    {
        using var scope = NewDisposeScope();
        var parts = _original.Description.Parts;
        using (LayerInitialization.Skip(META))
            _modules.AddRange(parts.Select(part => part.Build()));
        var unet = parts.Zip(_modules).Where(pair => pair.First.Name == ModelPart.UNet).Select(pair => pair.Second).FirstOrDefault();
        var texts = parts.Zip(_modules).Where(pair => pair.First.Flag == ModelParts.TextEncoder).Select(pair => pair.Second).ToList();
        var hosts = ModelHosts.Of(unet, _original.Description.UNet, texts);
        return AdapterNetwork.Layers(hosts, new LoRAOptions
        {
            Parts = _options.Parts,
            Layers = _options.ConvolutionRank is null ? LayerSelection.SdScripts : LayerSelection.SdScriptsWithConvolutions,
        });
    }

    /// <summary>The tuned weight minus the original one, float32, of the weight's shape.</summary>
    /// <exception cref="InvalidFileException">A weight is missing or of another shape, or holds NaN or infinite numbers.</exception>
    public Tensor Of(AdaptedLayer layer)
    {
        using var scope = NewDisposeScope();
        var (before, after) = (Load(_original, layer), Load(_tuned, layer));
        if (!before.shape.SequenceEqual(after.shape))
            throw new InvalidFileException(_tuned.Name,
                $"'{layer.FullPath}' is [{string.Join(", ", after.shape)}], while in {_original.Name} it is "
                + $"[{string.Join(", ", before.shape)}].", "Give two models of one architecture.");
        return (after - before).MoveToOuterDisposeScope();
    }

    /// <summary>The largest absolute difference of a weight.</summary>
    public double Largest(AdaptedLayer layer)
    {
        using var scope = NewDisposeScope();
        return Of(layer).abs().max().item<float>();
    }

    /// <summary>Closes all files.</summary>
    public void Dispose()
    {
        _modules.ForEach(module => module.Dispose());
        _original.Dispose();
        _tuned?.Dispose();
    }

    private Tensor Load(OpenModel model, AdaptedLayer layer)
    {
        var name = layer.Part switch
        {
            AdapterParts.UNet => ModelPart.UNet,
            AdapterParts.TextEncoder2 => ModelPart.TextEncoder2,
            _ => ModelPart.TextEncoder,
        };
        return model.Tensors(name).TryGetValue(layer.Path + ".weight", out var info)
            ? model.Part(name)!.Weights.LoadFinite(info, ScalarType.Float32, _options.Device)
            : throw new InvalidFileException(model.Name, $"it lacks '{layer.FullPath}.weight', which the other model has.",
                "Give two models of one architecture.");
    }
}
