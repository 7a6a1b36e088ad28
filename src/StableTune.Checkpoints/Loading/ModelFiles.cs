using Microsoft.Extensions.Logging;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Checkpoints;

/// <summary>
/// The files of a model, opened once: for what it is, what tells its encoders from others, and its weights, loaded in one go or part by
/// part. <see cref="ModelLoader.Load"/> is the short way.
/// </summary>
public sealed class ModelFiles : IDisposable
{
    private readonly string _path;
    private readonly ModelDescription _description;

    private ModelFiles(string path, ModelDescription description) => (_path, _description) = (path, description);

    /// <summary>Opens a model, and reads its configurations; no weights.</summary>
    /// <param name="path">As for <see cref="ModelLoader.Load"/>.</param>
    /// <param name="options">Where the parts come from, and which of them must be readable; null for the defaults.</param>
    /// <param name="cancellationToken">Ends downloads.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="InvalidFileException">It is no model, or cannot be found.</exception>
    public static ModelFiles Open(string path, ModelLoadOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        options ??= new ModelLoadOptions();
        InvalidOptionsException.ThrowIfAny(options.Validate());
        return new ModelFiles(
            path, ModelDescription.Read(ModelSource.Open(path, options, cancellationToken), options, cancellationToken));
    }

    /// <summary>What tells the model's encoders from those of another. Reads a little of every tensor of VAE and text encoders.</summary>
    /// <param name="cancellationToken">Ends the download of another VAE.</param>
    /// <exception cref="InvalidFileException">VAE or text encoder cannot be read.</exception>
    public ModelFingerprint Fingerprint(CancellationToken cancellationToken = default)
    {
        _description.Include(ModelParts.Vae | ModelParts.TextEncoder, cancellationToken);
        ModelLoader.ThrowIfAny(_path, _description.Faults);
        return ModelFingerprint.Of(_description);
    }

    /// <summary>What the model's configurations say.</summary>
    /// <returns>Null where the UNet's or the text encoder's cannot be read.</returns>
    public ModelConfiguration? Configuration()
    {
        _description.Include(ModelParts.TextEncoder);
        return ModelConfiguration.Of(_description);
    }

    /// <summary>What the tensors of parts of the model take in its files, bytes. Reads headers, no weights.</summary>
    /// <param name="parts">The parts.</param>
    /// <param name="cancellationToken">Ends the download of another VAE.</param>
    /// <exception cref="InvalidFileException">Files are missing, corrupt, or do not fit; the message lists everything.</exception>
    internal long ByteCount(ModelParts parts, CancellationToken cancellationToken = default) =>
        Included(parts, cancellationToken).Sum(part => part.ByteCount);

    /// <summary>Loads parts of the model, as <see cref="ModelLoader.Load"/> does.</summary>
    /// <param name="options">Parts, types, device, progress. What says where parts come from was decided when the files were
    /// opened.</param>
    /// <param name="cancellationToken">Looked at every few megabytes.</param>
    /// <returns>The model, frozen and in evaluation mode.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="InvalidFileException">Files are missing, corrupt, or do not fit; the message lists everything.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public StableDiffusionModel Load(ModelLoadOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new ModelLoadOptions();
        InvalidOptionsException.ThrowIfAny(options.Validate());
        NativeBackend.Load();
        // Before gigabytes are read in vain.
        var parts = Included(options.Parts, cancellationToken);
        var details = _description.Details!;     // without them there were faults
        options.Logger?.LogInformation("{Path}: {Details}", _path, details);
        foreach (var note in details.Notes) options.Logger?.LogInformation("{Path}: {Note}", _path, note);
        var progress = LoadProgress.Create(options.Progress, parts.Sum(part => part.ByteCount), details.ToString());
        var loaded = new Dictionary<string, nn.Module>(StringComparer.Ordinal);
        try
        {
            foreach (var part in parts) loaded[part.Name] = LoadPart(part, options, progress?.For(part.ByteCount), cancellationToken);
            return Together(loaded, details, options.Parts);
        }
        catch
        {
            foreach (var module in loaded.Values) module.Dispose();
            throw;
        }
    }

    /// <summary>Closes the files. Models that were loaded from them live on.</summary>
    public void Dispose() => _description.Dispose();

    /// <summary>Parts of the model whose headers are right.</summary>
    private ModelPart[] Included(ModelParts parts, CancellationToken cancellationToken)
    {
        _description.Include(parts, cancellationToken);
        _description.CheckHeaders(parts);
        ModelLoader.ThrowIfAny(_path, _description.Faults);
        return [.. _description.Parts.Where(part => parts.HasFlag(part.Flag))];
    }

    private StableDiffusionModel Together(Dictionary<string, nn.Module> loaded, ModelDetails details, ModelParts parts)
    {
        var hasText = parts.HasFlag(ModelParts.TextEncoder);
        return new StableDiffusionModel(new ModelComponents
        {
            UNet = (UNet2DConditionModel?)loaded.GetValueOrDefault(ModelPart.UNet),
            Vae = (AutoencoderKL?)loaded.GetValueOrDefault(ModelPart.Vae),
            TextEncoder = (TextModel?)loaded.GetValueOrDefault(ModelPart.TextEncoder),
            TextEncoder2 = (ClipTextModel?)loaded.GetValueOrDefault(ModelPart.TextEncoder2),
            Tokenizer = hasText ? _description.Tokenizer : null,
            Tokenizer2 = hasText ? _description.Tokenizer2 : null,
            Scheduler = _description.Scheduler,
        })
        {
            Path = _path,
            Details = details,
        };
    }

    private static nn.Module LoadPart(
        ModelPart part, ModelLoadOptions options, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        var type = options.TypeOf(part.Name);
        nn.Module module;
        // Built in its place and type at once, so that no copy of another kind ever exists beside it; on the CPU weights get their memory
        // one by one.
        using (options.Device is null or { type: DeviceType.CPU } ? LayerInitialization.WithoutMemory(type)
            : LayerInitialization.Skip(options.Device, type))
            module = part.Build();
        try
        {
            var how = new ModuleLoadOptions
            {
                Storage = options.Storage, KeepStoredTypes = options.KeepStoredTypes, CheckNumbers = options.CheckNumbers,
                Progress = progress, CancellationToken = cancellationToken,
            };
            var report = ModuleWeights.LoadInto(module, part.Weights, part.Rename, type, how).ThrowIfIncomplete();
            if (report.NotFinite is [var broken, ..]) throw Broken(part, module, broken, cancellationToken);
            module.SetRequiresGrad(false);
            module.eval();
            return module;
        }
        catch
        {
            module.Dispose();
            throw;
        }
    }

    /// <summary>The error of a tensor that holds NaN or infinities.</summary>
    private static InvalidFileException Broken(ModelPart part, nn.Module module, string name, CancellationToken cancellationToken)
    {
        var stored = part.Weights.Tensors.First(info => part.Rename(info.Name) == name);
        return FiniteNumbers.Broken(part.Weights, stored, part.NameInFile(name), ModuleTensors.Named(module)[name],
            "Load this part as Float32 or BFloat16: ModelLoadOptions.WeightType, UNetType, TextEncoderType, VaeType.", part.Name,
            cancellationToken);
    }
}
