using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>
/// A model in one file under the original names (LDM, CompVis, Stability), <c>.safetensors</c> or <c>.ckpt</c>: what it is, found out
/// from names and shapes, and its parts under diffusers' names. Opening reads headers only. See <c>docs/checkpoints.md</c>.
/// </summary>
public sealed class SingleFileCheckpoint : IDisposable
{
    private SingleFileCheckpoint(ITensorFile file) => File = file;

    /// <summary>The file itself.</summary>
    public ITensorFile File { get; }

    /// <summary>What was found out, and from what.</summary>
    public required ModelDetails Details { get; init; }

    /// <summary>The family.</summary>
    public ModelVersion Version => Details.Version;

    /// <summary>Noise schedule and prediction.</summary>
    public required SchedulerOptions Scheduler { get; init; }

    /// <summary>The denoiser.</summary>
    public required CheckpointPart<UNetOptions> UNet { get; init; }

    /// <summary>The autoencoder between images and latents; null where the file has none.</summary>
    public CheckpointPart<VaeOptions>? Vae { get; init; }

    /// <summary>The text encoder, of SDXL the first; null where the file has none.</summary>
    public CheckpointPart<ClipTextOptions>? TextEncoder { get; init; }

    /// <summary>SDXL's second text encoder; null where the file has none.</summary>
    public CheckpointPart<ClipTextOptions>? TextEncoder2 { get; init; }

    /// <summary>
    /// The tensors of the file that belong to no part, as buffers of the noise schedule and the layer that SD 2.x's text encoder does not
    /// use: a file that
    /// is saved from this one carries them along. Averaged weights are not among them, they would be out of date.
    /// </summary>
    public required IReadOnlyList<TensorInfo> Carried { get; init; }

    /// <summary>Opens a checkpoint and finds out what it is. Reads no weights.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">What is known beforehand; null for nothing.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="InvalidFileException">The file is missing, damaged, of another kind (the message says which), incomplete, or does
    /// not tell what it is.</exception>
    public static SingleFileCheckpoint Open(string path, SingleFileOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = TensorFile.Open(path);
        try
        {
            return Open(file, options);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Finds out what an open file is.</summary>
    /// <param name="file">The file; from now on the checkpoint's to dispose, unless an exception is thrown.</param>
    /// <param name="options">What is known beforehand; null for nothing.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="InvalidFileException">As for <see cref="Open(string, SingleFileOptions?)"/>.</exception>
    public static SingleFileCheckpoint Open(ITensorFile file, SingleFileOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        options ??= new SingleFileOptions();
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var found = new CheckpointReader(file, options);
        found.Read();
        return new SingleFileCheckpoint(file)
        {
            Details = found.Details(),
            Scheduler = found.Scheduler,
            UNet = found.UNet,
            Vae = found.Vae,
            TextEncoder = found.TextEncoder,
            TextEncoder2 = found.TextEncoder2,
            Carried = found.Carried(),
        };
    }

    /// <summary>Closes the file; the parts' weights can no longer be read.</summary>
    public void Dispose() => File.Dispose();
}
