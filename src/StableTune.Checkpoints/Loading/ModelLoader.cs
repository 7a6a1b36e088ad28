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
        options ??= new ModelLoadOptions();
        using var files = ModelFiles.Open(path, options, cancellationToken);
        return files.Load(options, cancellationToken);
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
