using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Finds out what a weights file or model folder is, and what its header, metadata and bytes tell about it. Loads
/// nothing.</summary>
public static class ModelInspector
{
    /// <summary>
    /// Inspects models, single files as well as folders in diffusers' layout or one of their parts, and adapters, embeddings, VAEs,
    /// ControlNets and other weights
    /// files. What is incomplete or of a family that cannot be loaded is described as far as it goes, with the reasons in
    /// <see cref="ModelInspection.Problems"/>.
    /// </summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="options">Whether hashes are computed; null for headers only.</param>
    /// <param name="cancellationToken">Looked at every few megabytes.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="InvalidFileException">There is no such file or folder, it holds no weights, or cannot be read.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static ModelInspection Inspect(string path, InspectOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new InspectOptions();
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var (found, files) = Directory.Exists(path) ? FolderInspection.Inspect(path, options) : FileInspection.Inspect(path, options);
        if (options.Numbers) found = found with { Problems = [.. found.Problems, .. NumberFaults.Of(files, options, cancellationToken)] };
        return found with { Files = FileHashing.Run(files, found.Kind, options, cancellationToken) };
    }
}
