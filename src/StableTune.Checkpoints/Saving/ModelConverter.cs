namespace StableTune.Checkpoints;

/// <summary>
/// Converts models from file to file: between single files (safetensors, ckpt) and folders in diffusers' layout, in any direction, to
/// another precision, with another VAE. Tensors are read and written piece by piece: neither modules nor weights are held in memory.
/// </summary>
public static class ModelConverter
{
    /// <summary>Converts a model.</summary>
    /// <param name="source">The file or folder.</param>
    /// <param name="destination">The file or folder to write; may be the source.</param>
    /// <param name="options">Format, precision, metadata; null for the defaults. Without a precision all numbers stay bit for bit as they
    /// are.</param>
    /// <param name="reading">How the source is read: version, prediction, variant, replacement VAE; types, device and storage count for
    /// nothing. Null for the
    /// defaults.</param>
    /// <param name="cancellationToken">Looked at every megabyte or so; nothing is left behind.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or the destination is taken.</exception>
    /// <exception cref="InvalidFileException">The source is missing, damaged or incomplete; the message lists everything that was
    /// found.</exception>
    /// <exception cref="InvalidOperationException">The model has parts that have no form in the destination.</exception>
    /// <exception cref="IOException">Something cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static SavedModel Convert(
        string source, string destination, ModelSaveOptions? options = null, ModelLoadOptions? reading = null,
            CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        ArgumentException.ThrowIfNullOrEmpty(destination);
        reading ??= new ModelLoadOptions();
        InvalidOptionsException.ThrowIfAny(reading.Validate());
        using var description = ModelDescription.Read(ModelSource.Open(source, reading, cancellationToken), reading, cancellationToken);
        description.CheckHeaders();
        ModelLoader.ThrowIfAny(source, description.Faults);
        using var contents = ModelContents.Of(description);
        contents.Notes.AddRange(description.Details!.Notes);
        return ModelSaver.Write(contents, destination, options ?? new ModelSaveOptions(), cancellationToken);
    }
}
