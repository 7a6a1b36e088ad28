using Microsoft.Extensions.Logging;

namespace StableTune.Hub;

/// <summary>Brings what a name stands for from the server into the cache: which commit, which files, all of them, and then the note where
/// they are.</summary>
internal sealed partial class HubDownloads(
    HubApi api, BlobDownload blobs, HubCache cache, HubSettings settings, TimeProvider clock, ILogger logger)
{
    /// <summary>Left free on the disk, so that others can go on.</summary>
    private const long Reserve = 64 << 20;

    /// <summary>The bytes free on the disk of a folder.</summary>
    public Func<string, long> FreeBytes { get; init; } = DiskSpace.Free;

    /// <summary>Whether files of snapshots may be links.</summary>
    public bool Links { get; init; } = true;

    /// <summary>The commit of a revision; of unknown names the near ones are told.</summary>
    public async Task<string> CommitAsync(HubName name, string revision, CancellationToken cancellationToken)
    {
        try
        {
            return await api.CommitAsync(name, revision, cancellationToken).ConfigureAwait(false);
        }
        catch (HubException e) when (e.Fault is HubFault.NotFound or HubFault.AccessDenied && e.Code != "GatedRepo")
        {
            var near = await NearAsync(name, revision, e.Code == "RevisionNotFound", cancellationToken).ConfigureAwait(false);
            if (near.Length == 0) throw;
            throw new HubException(e.Fault, e.Name, e.Reason + near, e.Remedy, e) { Code = e.Code };
        }
    }

    /// <summary>Downloads what is wanted, and is not there yet, of the commit that a revision stands for now.</summary>
    public async Task<HubSnapshot> FetchAsync(
        HubName name, string revision, HubSelection selection, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        var commit = await CommitAsync(name, revision, cancellationToken).ConfigureAwait(false);
        var files = (await api.FilesAsync(name, commit, cancellationToken).ConfigureAwait(false))
            .ToDictionary(file => file.Path, StringComparer.Ordinal);
        var paths = files.Keys.ToArray();
        var target = HubTarget.Of(name, paths, selection, path => !files.ContainsKey(path)) ?? throw NoSuchFile(name, revision, paths);
        var index = await IndexAsync(name, commit, target, files, cancellationToken).ConfigureAwait(false);
        var chosen = Chosen(name, target, paths, index).Select(path => files[path]).ToArray();
        CheckRoom(name, chosen.Where(file => !IsPlaced(name, commit, file)));
        await FetchAllAsync(name, commit, chosen, progress, cancellationToken).ConfigureAwait(false);
        if (target.Selection is SingleFile single)
            foreach (var sidecar in single.Sidecars.Where(sidecar => !files.ContainsKey(sidecar))) NoteAbsent(name, commit, sidecar);
        cache.WriteRef(name, revision, commit);   // last: an interrupted download leaves the branch where it was
        return new HubSnapshot(target.PlaceIn(cache.Snapshot(name, commit)), commit, FromCache: false);
    }

    /// <summary>Spares the question next time. A cache that may only be read does without.</summary>
    private void NoteAbsent(HubName name, string commit, string path)
    {
        try
        {
            cache.MarkAbsent(name, commit, path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNoNote(logger, cache.Folder, e.Message);
        }
    }

    private async Task<string> NearAsync(HubName name, string revision, bool isRevision, CancellationToken cancellationToken)
    {
        try
        {
            return isRevision
                ? Near("There are", revision, await api.RevisionsAsync(name, cancellationToken).ConfigureAwait(false))
                : Near("Near it are", name.Repository, await api.RepositoriesAsync(name, cancellationToken).ConfigureAwait(false));
        }
        catch (HubException)
        {
            return "";   // a help for spelling; that the first question failed is what matters, and is told
        }
    }

    private async Task<string?> IndexAsync(
        HubName name, string commit, HubTarget target, Dictionary<string, HubFile> files, CancellationToken cancellationToken)
    {
        if (target.FirstFile is not { } first || !files.TryGetValue(first, out var file)) return null;
        await FetchAllAsync(name, commit, [file], null, cancellationToken).ConfigureAwait(false);
        return HubCache.ReadIndex(HubPath.Below(cache.Snapshot(name, commit), first));
    }

    private IReadOnlyList<string> Chosen(HubName name, HubTarget target, IReadOnlyList<string> paths, string? index)
    {
        try
        {
            var chosen = target.Choose(paths, index);
            if (chosen.FirstOrDefault(path => HubPath.Problem(path) is not null) is { } odd) throw Unwritable(name, odd);
            var state = target.Judge(chosen, index);
            return state.IsUsable ? chosen : throw Nothing(name, paths, state);
        }
        catch (FormatException e)
        {
            throw new HubException(HubFault.BadAnswer, name.ToString(), e.Message, "The repository is damaged: try another revision.", e);
        }
    }

    private void CheckRoom(HubName name, IEnumerable<HubFile> files)
    {
        var needed = files.DistinctBy(file => file.Id).Sum(file => file.Size - Present(name, file));
        if (needed <= 0) return;
        var free = FreeBytes(cache.Folder);
        if (free == long.MaxValue || free - Reserve >= needed) return;
        throw new HubException(HubFault.DiskFull, name.ToString(),
            $"{needed / 1e6:N0} MB are to be downloaded, and the disk of {cache.Folder} has {free / 1e6:N0} MB left.",
            "Make room, or name a cache on another disk (HF_HOME, HF_HUB_CACHE, HubOptions.CacheFolder).");
    }

    /// <summary>How much of a file is on the disk already, as a blob or as the beginning of one.</summary>
    private long Present(HubName name, HubFile file)
    {
        var blob = cache.Blob(name, file.Id);
        return new[] { blob, PartialFile.PathFor(blob) }.Where(File.Exists).Select(path => Math.Min(file.Size, new FileInfo(path).Length))
            .FirstOrDefault();
    }

    private async Task FetchAllAsync(
        HubName name, string commit, IReadOnlyList<HubFile> files, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        var missing = files.Where(file => !IsPlaced(name, commit, file)).OrderBy(file => file.Size).ToArray();
        var told = new DownloadProgress(progress, missing.Sum(file => file.Size), clock);
        var options = new ParallelOptions { MaxDegreeOfParallelism = settings.Options.ParallelDownloads,
            CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(missing, options, (file, token) => new ValueTask(FetchOneAsync(name, commit, file, told, token)))
            .ConfigureAwait(false);
    }

    private async Task FetchOneAsync(
        HubName name, string commit, HubFile file, DownloadProgress progress, CancellationToken cancellationToken)
    {
        var path = HubPath.Below(cache.Snapshot(name, commit), file.Path);
        try
        {
            void Place(string blob, bool isNew) => SnapshotFile.Place(blob, path, isNew, Links);
            await blobs.FetchAsync(name, commit, file, progress, Place, cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e) when (e is not HubException && DiskSpace.IsFull(e))
        {
            throw new HubException(HubFault.DiskFull, name.ToString(),
                $"The disk of {cache.Folder} is full; {file.Path} could not be written.",
                "Make room and start again: what was downloaded so far is kept.", e);
        }
    }

    /// <summary>Whether a file is in its place. One of another length is not it: links are made last, but copies of other programs may be
    /// torn.</summary>
    private bool IsPlaced(HubName name, string commit, HubFile file) =>
        SnapshotFile.Length(HubPath.Below(cache.Snapshot(name, commit), file.Path)) == file.Size;

    private static HubException NoSuchFile(HubName name, string revision, IReadOnlyList<string> paths) => name.Path is { } path
        ? new HubException(HubFault.NotFound, name.ToString(),
            $"{name.Repository} has no file or folder \"{path}\" in its revision "
                + $"\"{revision}\".{Near("Near it", path, paths.Concat(Folders(paths)))}", "Check the spelling.")
        : new HubException(HubFault.NothingToSelect, name.ToString(), $"The repository holds no files in its revision \"{revision}\".",
            "Check the revision.");

    /// <summary>A sentence with the names that may have been meant, with a space before it; empty when none is near.</summary>
    private static string Near(string lead, string wrong, IEnumerable<string> names)
    {
        var near = NearName.OfFiles(wrong, names);
        return near.Count == 0 ? "" : $" {lead}: {string.Join(", ", near)}.";
    }

    private static IEnumerable<string> Folders(IReadOnlyList<string> paths) =>
        paths.Where(path => path.Contains('/', StringComparison.Ordinal)).Select(path => path[..path.LastIndexOf('/')]).Distinct();

    private static HubException Nothing(HubName name, IReadOnlyList<string> paths, CachedState state)
    {
        var checkpoints = paths.Where(path =>
            !path.Contains('/', StringComparison.Ordinal) && Path.GetExtension(path) is ".safetensors" or ".ckpt").Take(6).ToArray();
        var remedy = checkpoints.Length == 0 ? "Name another repository, or a file in this one: owner/name/file.safetensors."
            : $"Name one of its files: {string.Join(", ", checkpoints.Select(file => $"{name.Repository}/{file}"))}.";
        var reason = $"The repository holds nothing of the kind that was asked for; it lacks {string.Join("; ", state.Missing.Take(8))}.";
        return new HubException(HubFault.NothingToSelect, name.ToString(), reason, remedy);
    }

    private static HubException Unwritable(HubName name, string path) => new(HubFault.BadAnswer, name.ToString(),
        $"The repository holds a file that cannot be written here, \"{Printable(path)}\": {HubPath.Problem(path)}.",
            "Leave it out with another selection.");

    private static string Printable(string text) => new(text.Take(120).Select(letter => char.IsControl(letter) ? '?' : letter).ToArray());

    [LoggerMessage(1, LogLevel.Debug, "Nothing can be noted in the cache {Folder}: {Fault}")]
    private static partial void LogNoNote(ILogger logger, string folder, string fault);
}
