using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Torch;

namespace StableTune.Checkpoints;

/// <summary>A ControlNet's file or folder, open: its architecture and its tensors under diffusers' names. Opening reads headers
/// only.</summary>
internal sealed class ControlNetSource : IDisposable
{
    /// <summary>The entry that says that weights are differences from those of a UNet.</summary>
    public const string Difference = "difference";

    private readonly ITensorFile _file;

    private ControlNetSource(ITensorFile file) => _file = file;

    /// <summary>The architecture.</summary>
    public required ControlNetModelOptions Options { get; init; }

    /// <summary>The tensors under diffusers' names.</summary>
    public required WeightFile Weights { get; init; }

    /// <summary>Whether weights that the UNet has too are differences from them.</summary>
    public bool IsDifference { get; private init; }

    /// <summary>Opens it.</summary>
    /// <param name="path">A folder in diffusers' layout, or a single file.</param>
    /// <param name="unet">The UNet that it shall steer; null when it is not known.</param>
    /// <exception cref="InvalidFileException">It is missing, damaged, no ControlNet, or for another UNet.</exception>
    public static ControlNetSource Open(string path, UNetOptions? unet)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var isFolder = Directory.Exists(path);
        if (isFolder && File.Exists(Path.Combine(path, DiffusersFolder.IndexName)))
            throw new InvalidFileException(path, "it is the folder of a whole model, not of a ControlNet.",
                "Name the folder that holds the ControlNet's config.json.");
        var file = isFolder ? WeightLocation.Open(WeightLocation.Find(path, isText: false, variant: null)) : TensorFile.Open(path);
        try
        {
            return Of(path, file, isFolder, unet);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The ControlNet of an open file, which from now on is this object's to dispose, unless an exception is thrown.</summary>
    internal static ControlNetSource Of(string path, ITensorFile file, bool isFolder, UNetOptions? unet)
    {
        // Told first: of a UNet's folder the configuration would be blamed.
        var names = ControlNetNames.Of(file);
        var options = isFolder ? ControlNetConfig.Read(Path.Combine(path, ControlNetConfig.FileName))
            : Beside(path) ?? ControlNetShapes.Read(file, names, unet);
        if (options.Validate().ToArray() is { Length: > 0 } problems)
            throw new InvalidFileException(path,
                $"its shapes make no ControlNet that could work: {string.Join(" ", problems.Select(problem => problem.ToString()))}",
                "Take it from its source again.");
        if (unet is not null && options.Misfit(unet) is { } misfit)
            throw new InvalidFileException(path, $"the ControlNet does not fit the model: {misfit}.",
                "Use a ControlNet that was made for this kind of model, or leave it out to begin with a copy of the UNet.");
        var isDifference = file.TryGet(Difference, out _);
        return new ControlNetSource(file)
        {
            Options = options, IsDifference = isDifference,
            Weights = new WeightFile(names.IsLdm ? View(file, KeyMap.ControlNet(options, names.Prefix)) : file),
        };
    }

    /// <summary>A file out of a folder has its configuration beside it.</summary>
    private static ControlNetModelOptions? Beside(string path)
    {
        var config = Path.Combine(Path.GetDirectoryName(path) ?? "", ControlNetConfig.FileName);
        return File.Exists(config) && new ConfigFile(config).Text("_class_name") == ControlNetConfig.Class
            && path.EndsWith("diffusion_pytorch_model" + Path.GetExtension(path), StringComparison.Ordinal)
            ? ControlNetConfig.Read(config) : null;
    }

    private static CheckpointView View(ITensorFile file, KeyMap layout)
    {
        var used = new HashSet<string>(StringComparer.Ordinal) { Difference };
        var view = CheckpointView.Of(file, layout, tensor => tensor, used);
        // Files of the first ControlNets hold the whole model besides, under its own prefixes.
        var own = file.Tensors.Where(tensor => tensor.Name.StartsWith(layout.Prefix, StringComparison.Ordinal)
            && !used.Contains(tensor.Name)).Select(tensor => $"'{tensor.Name}'").Take(3).ToArray();
        return own.Length == 0 ? view : throw new InvalidFileException(file.Path,
            $"it holds tensors that a ControlNet of this kind does not have: {string.Join(", ", own)}.",
            "Check that it is for this kind of model.");
    }

    /// <summary>The module's name for a name of the file.</summary>
    public string? Rename(string name) => name == Difference ? null : name;

    /// <summary>Compares names and shapes, and takes no memory for weights.</summary>
    /// <exception cref="WeightsDoNotFitException">They differ.</exception>
    public void CheckHeader()
    {
        using var scope = NewDisposeScope();
        using var skip = LayerInitialization.Skip(META);
        using var module = new ControlNetModel(Options);
        ModuleWeights.Compare(module, Weights, Rename).ThrowIfIncomplete();
    }

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        Weights.Dispose();
        _file.Dispose();
    }
}
