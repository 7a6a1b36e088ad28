using System.Net;
using Microsoft.Extensions.Logging;

namespace StableTune.Hub;

/// <summary>Brings one file into the cache's blobs: locked, resumed where it broke off, checked, and only then named.</summary>
internal sealed partial class BlobDownload(
    HubTransport transport, HubApi api, HubCache cache, HubRetry retry, HubSettings settings, TimeProvider clock, ILogger logger)
{
    /// <summary>An attempt that brought this much has earned a fresh set of retries, however it ended.</summary>
    private const long Worthwhile = 1 << 20;

    private const string Again = "Try again; if it stays so, check the endpoint.";

    /// <summary>Makes sure that a file's blob is there.</summary>
    /// <param name="name">The repository.</param>
    /// <param name="commit">The commit the file belongs to.</param>
    /// <param name="file">The file.</param>
    /// <param name="progress">Told of every byte.</param>
    /// <param name="place">Called with the blob's path, and whether it is new, while nobody else may touch it.</param>
    /// <param name="cancellationToken">Ends the download; what came so far is kept.</param>
    public async Task FetchAsync(
        HubName name, string commit, HubFile file, DownloadProgress progress, Action<string, bool> place,
            CancellationToken cancellationToken)
    {
        var blob = cache.Blob(name, file.Id);
        using var held = await BlobLock.AcquireAsync(cache.Lock(name, file.Id), clock, () =>
            LogWaiting(logger, file.Path), cancellationToken).ConfigureAwait(false);
        var isNew = !(File.Exists(blob) && new FileInfo(blob).Length == file.Size);
        if (isNew) await DownloadAsync(name, commit, file, blob, progress, cancellationToken).ConfigureAwait(false);
        else progress.Add(file, file.Size, fetched: false);
        place(blob, isNew);
    }

    private async Task DownloadAsync(
        HubName name, string commit, HubFile file, string blob, DownloadProgress progress, CancellationToken cancellationToken)
    {
        using var partial = await PartialFile.OpenAsync(file, blob, cancellationToken).ConfigureAwait(false);
        progress.Add(file, partial.Length, fetched: false);
        var run = new Run(name, api.FileAddress(name, commit, file.Path), commit, file, partial, progress);
        for (var wrong = 0; ; wrong++)
        {
            while (partial.Length < file.Size)
                await retry.RunAsync(name, token => AttemptAsync(run, token), cancellationToken).ConfigureAwait(false);
            var found = partial.Checksum();
            if (found == file.Id) break;
            run.Restart();
            LogWrongChecksum(logger, file.Path, found, file.Id);
            if (wrong > 0 || file.Size == 0)
                throw Bad(
                    run, $"What the server sends for it has the checksum {found}, and should have {file.Id}; it was downloaded twice.",
                    "Something on the way changes files (a proxy, a mirror), or the server's file is damaged: try another network or "
                        + "endpoint.");
        }

        partial.Complete();
        LogDownloaded(logger, file.Path, file.Size);
    }

    /// <summary>One request. Returns when the file is complete, or when the connection broke after a part worth having.</summary>
    private async Task<bool> AttemptAsync(Run run, CancellationToken cancellationToken)
    {
        using var answer = await transport.GetAsync(run.Subject, run.Address, run.Partial.Length, cancellationToken).ConfigureAwait(false);
        CheckStatus(run, answer);
        CheckHeaders(run, answer);
        try
        {
            await ReadAsync(run, answer, cancellationToken).ConfigureAwait(false);
        }
        catch (TransientFault e) when (run.HasGained(Worthwhile))
        {
            LogResumed(logger, run.File.Path, run.Partial.Length, e.Message);
        }

        return true;
    }

    private void CheckStatus(Run run, HubAnswer answer)
    {
        var (response, from) = (answer.Response, run.Partial.Length);
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            run.Restart();
            throw new TransientFault($"{answer.Address.Authority} has no byte {from:N0} of {run.File.Path} (416); starting again.",
                fault: HubFault.BadAnswer);
        }

        HubErrors.ThrowIfFailed(answer, run.Name, settings, clock);
        if (response.StatusCode == HttpStatusCode.PartialContent)
        {
            var range = response.Content.Headers.ContentRange;
            if (range is { Unit: "bytes" } && range.From == from && (range.Length ?? run.File.Size) == run.File.Size && !answer.IsEncoded)
                return;
            run.Restart();
            throw new TransientFault(
                $"{answer.Address.Authority} was asked for {run.File.Path} from byte {from:N0} on and sends \"{range}\"; starting again.",
                fault: HubFault.BadAnswer);
        }

        // The whole file, though a part was asked for: not every server knows ranges.
        if (from > 0) run.Restart();
    }

    private static void CheckHeaders(Run run, HubAnswer answer)
    {
        var (headers, file, host) = (answer.Headers, run.File, answer.Address.Authority);
        if (answer.IsWebPage && !file.Path.EndsWith(".html", StringComparison.OrdinalIgnoreCase)
            && !file.Path.EndsWith(".htm", StringComparison.OrdinalIgnoreCase))
            throw Bad(run, $"{host} sends a web page instead of the file.",
                "Perhaps a log-in or a proxy's notice: open the address in a browser, or check the endpoint.");
        if (headers.Commit is { } commit && commit != run.Commit)
            throw Bad(run, $"The server sends it from commit {commit}, and {run.Commit} was asked for.", Again);
        if (headers.LinkedId is { } id && id != file.Id)
            throw Bad(run, $"The server announces the checksum {id}, and its list says {file.Id}.", Again);
        if (headers.LinkedSize is { } size && size != file.Size)
            throw Bad(run, $"The server announces {size:N0} bytes, and its list says {file.Size:N0}.", Again);
        var length = answer.IsEncoded ? null : run.Partial.Length + answer.Response.Content.Headers.ContentLength;
        if (length > file.Size) throw TooLong(run, length);
    }

    private async Task ReadAsync(Run run, HubAnswer answer, CancellationToken cancellationToken)
    {
        var reader = new PatientStream(
            await answer.OpenAsync(cancellationToken).ConfigureAwait(false), settings.Options.StallTimeout, clock);
        var buffer = new byte[1 << 18];
        for (int count; (count = await reader.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0;)
        {
            if (run.Partial.Length + count > run.File.Size) throw TooLong(run, null);
            await run.Partial.AppendAsync(buffer.AsMemory(0, count), cancellationToken).ConfigureAwait(false);
            run.Progress.Add(run.File, count);
        }

        if (run.Partial.Length < run.File.Size)
            throw new TransientFault(
                $"{answer.Address.Authority} ended {run.File.Path} after {run.Partial.Length:N0} of {run.File.Size:N0} bytes.");
    }

    /// <summary>More than the list says: none of it can be trusted.</summary>
    private static TransientFault TooLong(Run run, long? length)
    {
        run.Restart();
        var sent = length is { } bytes ? $"{bytes:N0}" : "more";
        return new TransientFault($"The server sends {sent} bytes for {run.File.Path}, and its list says {run.File.Size:N0}.",
            fault: HubFault.BadAnswer);
    }

    private static HubException Bad(Run run, string reason, string remedy) => new(HubFault.BadAnswer, run.Subject, reason, remedy);

    [LoggerMessage(1, LogLevel.Information, "{File}: waiting, another thread or process is downloading it")]
    private static partial void LogWaiting(ILogger logger, string file);

    [LoggerMessage(2, LogLevel.Warning, "{File}: the checksum is {Found}, not {Expected}")]
    private static partial void LogWrongChecksum(ILogger logger, string file, string found, string expected);

    [LoggerMessage(3, LogLevel.Information, "{File}: {Bytes} bytes downloaded")]
    private static partial void LogDownloaded(ILogger logger, string file, long bytes);

    [LoggerMessage(4, LogLevel.Information, "{File}: going on from byte {Bytes}. {Fault}")]
    private static partial void LogResumed(ILogger logger, string file, long bytes, string fault);

    /// <summary>What stays the same through all attempts, and how far the best of them came.</summary>
    private sealed class Run(HubName name, Uri address, string commit, HubFile file, PartialFile partial, DownloadProgress progress)
    {
        private long _best = partial.Length;

        public HubName Name => name;

        public Uri Address => address;

        public string Commit => commit;

        public HubFile File => file;

        public PartialFile Partial => partial;

        public DownloadProgress Progress => progress;

        public string Subject => name.Path == file.Path ? name.ToString() : $"{name.Repository}/{file.Path}";

        public void Restart()
        {
            progress.Add(file, -partial.Length);
            partial.Restart();
        }

        /// <summary>Whether there is clearly more than ever before; a server that begins anew each time gains nothing.</summary>
        public bool HasGained(long bytes)
        {
            if (partial.Length < _best + bytes) return false;
            _best = partial.Length;
            return true;
        }
    }
}
