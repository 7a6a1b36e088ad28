using Microsoft.Extensions.Logging;
using StableTune.Formats;

namespace StableTune.Training;

/// <summary>
/// The hashes of the files that a run begins with, by which metadata name them: of the model and of a VAE of its own, where these are
/// single files. Computed once and
/// on a thread of their own, as gigabytes take their time, and from the beginning on, as hours later the files may be others.
/// </summary>
internal sealed class SourceHashes : IDisposable
{
    private readonly CancellationTokenSource _ended = new();
    private readonly ILogger? _logger;
    private readonly Task<FileHashes?> _model, _vae;

    /// <summary>Begins.</summary>
    /// <param name="model">The model's file; folders have no hash.</param>
    /// <param name="vae">The VAE's file; null for none.</param>
    /// <param name="logger">Told when a file cannot be read any more.</param>
    public SourceHashes(string? model, string? vae, ILogger? logger)
    {
        _logger = logger;
        _model = Begin(model);
        _vae = Begin(vae);
    }

    /// <summary>Of the model; null for a folder. Waits until they are known.</summary>
    public FileHashes? Model => _model.GetAwaiter().GetResult();

    /// <summary>Of the VAE; null for none and for a folder. Waits until they are known.</summary>
    public FileHashes? Vae => _vae.GetAwaiter().GetResult();

    /// <summary>Ends what is still going on; no file is open afterwards.</summary>
    public void Dispose()
    {
        _ended.Cancel();
        foreach (var task in new[] { _model, _vae }) ((IAsyncResult)task).AsyncWaitHandle.WaitOne();
        _ended.Dispose();
    }

    private Task<FileHashes?> Begin(string? path) =>
        path is null || !File.Exists(path) ? Task.FromResult<FileHashes?>(null) : Task.Run(() => Hash(path));

    private FileHashes? Hash(string path)
    {
        try
        {
            return WeightHashes.OfFile(path, cancellationToken: _ended.Token);
        }
        catch (OperationCanceledException)
        {
            return null;        // nobody will ask any more
        }
        catch (Exception fault) when (fault is InvalidFileException or IOException)
        {
            // Metadata without a hash are no reason to lose the training.
            _logger?.LogWarning("The hash of {Path} is left out of metadata, as the file could not be read: {Fault}", path, fault.Message);
            return null;
        }
    }
}
