using Microsoft.Extensions.Logging;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Checkpoints;

/// <summary>Loads models: Stable Diffusion 1.x, 2.x and XL, from folders in diffusers' layout and single files, from this disk and the
/// hub. See <c>docs/models.md</c>.</summary>
public static class ModelLoader
{
    /// <summary>Loads a model. Weights are views of the mapped file, or its bytes go straight into their memory; nothing is held
    /// twice.</summary>
    /// <param name="path">
    /// A folder with <c>model_index.json</c>, a single file (<c>.safetensors</c>, <c>.ckpt</c>, <c>.pt</c>; the content decides), or
    /// where there is neither, a name on the
    /// hub such as "owner/name", downloaded when it is not in the cache.
    /// </param>
    /// <param name="options">Type, device, parts, progress; null for the defaults: all parts, float32, mapped where the file has that
    /// type (copied on Windows).</param>
    /// <param name="cancellationToken">Looked at every few megabytes.</param>
    /// <returns>The model, frozen and in evaluation mode.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="InvalidFileException">Files are missing, corrupt, or do not fit; the message lists everything that was
    /// found.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static StableDiffusionModel Load(string path, ModelLoadOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        options ??= new ModelLoadOptions();
        InvalidOptionsException.ThrowIfAny(options.Validate());
        NativeBackend.Load();
        using var description = ModelDescription.Read(ModelSource.Open(path, options, cancellationToken), options, cancellationToken);
        // Before gigabytes are read in vain.
        description.CheckHeaders();
        ThrowIfAny(path, description.Faults);

        var details = description.Details!;     // without them there were faults
        options.Logger?.LogInformation("{Path}: {Details}", path, details);
        foreach (var note in details.Notes) options.Logger?.LogInformation("{Path}: {Note}", path, note);
        var progress = LoadProgress.Create(options.Progress, description.Parts.Sum(part => part.ByteCount), details.ToString());
        var loaded = new Dictionary<string, nn.Module>(StringComparer.Ordinal);
        try
        {
            foreach (var part in description.Parts)
                loaded[part.Name] = LoadPart(part, options, progress?.For(part.ByteCount), cancellationToken);
            return new StableDiffusionModel(new ModelComponents
            {
                UNet = (UNet2DConditionModel?)loaded.GetValueOrDefault(ModelPart.UNet),
                Vae = (AutoencoderKL?)loaded.GetValueOrDefault(ModelPart.Vae),
                TextEncoder = (TextModel?)loaded.GetValueOrDefault(ModelPart.TextEncoder),
                TextEncoder2 = (ClipTextModel?)loaded.GetValueOrDefault(ModelPart.TextEncoder2),
                Tokenizer = description.Tokenizer,
                Tokenizer2 = description.Tokenizer2,
                Scheduler = description.Scheduler,
            })
            {
                Path = path,
                Details = details,
            };
        }
        catch
        {
            foreach (var module in loaded.Values) module.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Everything about a model that can be wrong and be known from configurations and file headers: missing, truncated and corrupt
    /// files, classes that are
    /// not supported, tensors that are missing or of another shape. Reads no weights, and downloads nothing: of a model on the hub that
    /// is not in the cache nothing is
    /// known yet, which is no problem unless the hub may not be used.
    /// </summary>
    /// <param name="path">As for <see cref="Load"/>.</param>
    /// <param name="options">As for <see cref="Load"/>.</param>
    /// <param name="option">The option that holds the path, as messages shall name it.</param>
    /// <returns>The problems; empty when the model can be loaded.</returns>
    public static IReadOnlyList<OptionProblem> Check(string? path, ModelLoadOptions? options = null, string option = "ModelPath") =>
        Inspect(path, options, option).Problems;

    /// <summary>What <see cref="Check"/> and <see cref="ModelConfiguration.Find"/> find, with the files opened once.</summary>
    /// <param name="path">As for <see cref="Load"/>.</param>
    /// <param name="options">As for <see cref="Load"/>.</param>
    /// <param name="option">The option that holds the path, as messages shall name it.</param>
    /// <returns>The problems, and what the model's configurations say; null where they cannot be read or have yet to be
    /// downloaded.</returns>
    public static (IReadOnlyList<OptionProblem> Problems, ModelConfiguration? Configuration) Inspect(
        string? path, ModelLoadOptions? options = null, string option = "ModelPath")
    {
        options ??= new ModelLoadOptions();
        if (string.IsNullOrWhiteSpace(path))
            return ([new OptionProblem(option, path, "a base model is required", "give a file, a folder, or a name on the hub")], null);
        var problems = options.Validate().ToList();
        if (problems.Count > 0) return (problems, null);
        try
        {
            options = options with { MayDownload = false };
            using var description = ModelDescription.Read(ModelSource.Open(path, options), options);
            description.CheckHeaders();
            problems = [.. description.Faults.Where(fault => fault is not NotDownloadedException).Select(fault => fault.AsProblem(option))];
            return (problems, ModelConfiguration.Of(description));
        }
        catch (NotDownloadedException)
        {
            return ([], null);
        }
        catch (InvalidFileException e)
        {
            return ([e.AsProblem(option)], null);
        }
        catch (InvalidOptionsException e)
        {
            return (e.Problems, null);
        }
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
                Storage = options.Storage, KeepStoredTypes = options.KeepStoredTypes, Progress = progress,
                CancellationToken = cancellationToken,
            };
            ModuleWeights.LoadInto(module, part.Weights, part.Rename, type, how).ThrowIfIncomplete();
            if (options.CheckNumbers) CheckNumbers(part, module, cancellationToken);
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

    private static void CheckNumbers(ModelPart part, nn.Module module, CancellationToken cancellationToken)
    {
        foreach (var (name, tensor) in ModuleTensors.Named(module))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (FiniteNumbers.Fault(tensor) is not { } fault) continue;
            var stored = part.Weights.Tensors.FirstOrDefault(info => part.Rename(info.Name) == name);
            // A number that is finite in the file may be too large for the type it is loaded in.
            if (stored is not null && FiniteNumbers.Fault(part.Weights.Source, stored, cancellationToken) is null)
                throw new InvalidFileException(part.Weights.Path,
                    $"'{name}' of the {part.Name} does not fit into {tensor.dtype}: {fault}; the file has it as {stored}.",
                    "Load this part as Float32 or BFloat16: ModelLoadOptions.WeightType, UNetType, TextEncoderType, VaeType.");
            throw FiniteNumbers.Broken(part.Weights.Path, part.NameInFile(name), fault);
        }
    }

    /// <summary>Throws all faults as one.</summary>
    internal static void ThrowIfAny(string path, IReadOnlyList<InvalidFileException> faults)
    {
        if (faults.Count == 0) return;
        if (faults.Count == 1) throw faults[0];
        throw new InvalidFileException(
            path, $"{faults.Count} faults:{string.Concat(faults.Select(fault => $"\n  - {fault.Message}"))}\n",
            "Mend them, or take the model from its repository again.", faults[0]);
    }
}
