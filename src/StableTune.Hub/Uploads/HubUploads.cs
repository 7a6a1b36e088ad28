using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;

namespace StableTune.Hub;

/// <summary>Writes to repositories: creates them, and brings files there in one commit.</summary>
internal sealed partial class HubUploads(HubWriting writing, HubApi api, HubSettings settings, TimeProvider clock, ILogger logger)
{
    private const int SampleBytes = 512, FilesPerQuestion = 256;

    /// <summary>Refuses what cannot succeed before anything is sent.</summary>
    public void Require(HubName name) => writing.Require(name);

    /// <summary>Creates the repository where there is none, and its branch, and checks that this token may write there.</summary>
    /// <returns>Whether it was created.</returns>
    public async Task<bool> EnsureAsync(HubName name, HubVisibility visibility, CancellationToken cancellationToken)
    {
        writing.Require(name);
        var created = await CreateAsync(name, visibility, cancellationToken).ConfigureAwait(false);
        using var probe = HubUploadFile.FromText("README.md", "#");
        try
        {
            await AskAsync(name, [(probe.Path, probe)], cancellationToken).ConfigureAwait(false);
        }
        catch (HubException e) when (e is { Fault: HubFault.NotFound, Code: "RevisionNotFound" } && name.Revision is not null)
        {
            await writing.PostAsync(name, api.Api(name, $"branch/{Uri.EscapeDataString(name.Revision)}"), new JsonObject(),
                cancellationToken, HttpStatusCode.Conflict).ConfigureAwait(false);
            LogBranch(logger, name, name.Revision);
        }

        return created;
    }

    /// <summary>Uploads files in one commit: all of them are there then, or none.</summary>
    public async Task<HubCommit> UploadAsync(HubName name, IReadOnlyList<HubUploadFile> files, string summary,
        IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        writing.Require(name);
        List<(string Path, HubUploadFile File)> all = [.. files.Select(file => (file.In(name), file))];
        var modes = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var some in all.Chunk(FilesPerQuestion))
            foreach (var (path, mode) in await AskAsync(name, some, cancellationToken).ConfigureAwait(false)) modes[path] = mode;
        foreach (var (path, _) in all.Where(file => modes[file.Path] == Ignored)) LogIgnored(logger, name, path);
        all.RemoveAll(file => modes[file.Path] == Ignored);
        if (all.Count == 0)
            throw new HubException(HubFault.Refused, name.ToString(), "The repository's .gitignore leaves out every file of the upload.",
                "Change it, or upload under other names.");

        // The hub keeps nothing by checksum that is empty.
        var large = new List<LargeFile>();
        foreach (var (path, file) in all.Where(file => modes[file.Path] == "lfs" && file.File.Size > 0))
            large.Add(new LargeFile(path, file, await file.Sha256Async(cancellationToken).ConfigureAwait(false)));
        var told = new DownloadProgress(progress, large.Sum(file => file.File.Size), clock, "uploading");
        var upload = new LfsUpload(writing, name, Revision(name), told);
        foreach (var file in large) await upload.RunAsync(file, cancellationToken).ConfigureAwait(false);
        var small = all.Where(file => large.TrueForAll(other => other.Path != file.Path)).ToList();
        var commit = await CommitAsync(name, summary, small, large, cancellationToken).ConfigureAwait(false);
        LogUploaded(logger, name, all.Count, commit);
        return new HubCommit(commit, [.. all.Select(file => file.Path)]);
    }

    private const string Ignored = "ignored";

    private string Revision(HubName name) => name.Revision ?? settings.Revision;

    private Uri Api(HubName name, string what) => api.Api(name, $"{what}/{Uri.EscapeDataString(Revision(name))}");

    private async Task<bool> CreateAsync(HubName name, HubVisibility visibility, CancellationToken cancellationToken)
    {
        var body = new JsonObject
        {
            ["name"] = name.Name, ["organization"] = name.Owner, ["type"] = HubNameParser.Word(name.Type),
            ["private"] = visibility == HubVisibility.Private,
        };
        if (name.Type == HubRepositoryType.Space) body["sdk"] = "static";
        var (status, _) = await writing.PostAsync(name, writing.Address("api/repos/create"), body, cancellationToken,
            HttpStatusCode.Conflict, HttpStatusCode.Forbidden).ConfigureAwait(false);
        if (status == HttpStatusCode.Forbidden)
        {
            // A token for one repository may write there, and create none.
            await api.CommitAsync(name.At(null), HubNameParser.DefaultRevision, cancellationToken).ConfigureAwait(false);
            return false;
        }

        if (status != HttpStatusCode.Conflict) LogCreated(logger, name, visibility);
        return status != HttpStatusCode.Conflict;
    }

    /// <summary>Asks how each file is to be uploaded: "regular", "lfs", or not at all.</summary>
    private async Task<IReadOnlyDictionary<string, string>> AskAsync(
        HubName name, IReadOnlyList<(string Path, HubUploadFile File)> files, CancellationToken cancellationToken)
    {
        var list = new JsonArray();
        foreach (var (path, file) in files)
            list.Add(new JsonObject
            {
                ["path"] = path, ["size"] = file.Size,
                ["sample"] = Convert.ToBase64String(await file.BeginningAsync(SampleBytes, cancellationToken).ConfigureAwait(false)),
            });
        var (_, answer) = await writing.PostAsync(name, Api(name, "preupload"), new JsonObject { ["files"] = list }, cancellationToken)
            .ConfigureAwait(false);
        var modes = new Dictionary<string, string>(StringComparer.Ordinal);
        if (answer.ValueKind == JsonValueKind.Object && answer.TryGetProperty("files", out var told)
            && told.ValueKind == JsonValueKind.Array)
            foreach (var entry in told.EnumerateArray())
                if (HubJson.Text(entry, "path") is { } path && HubJson.Text(entry, "uploadMode") is { } mode)
                    modes[path] = entry.TryGetProperty("shouldIgnore", out var ignore) && ignore.ValueKind == JsonValueKind.True ? Ignored
                        : mode;
        foreach (var (path, _) in files)
            if (modes.GetValueOrDefault(path) is not ("lfs" or "regular" or Ignored))
                throw HubJson.Odd(name, $"The hub does not say how {path} is to be uploaded");
        return modes;
    }

    private async Task<string> CommitAsync(HubName name, string summary, List<(string Path, HubUploadFile File)> small,
        List<LargeFile> large, CancellationToken cancellationToken)
    {
        var (_, answer) = await writing.SendAsync(name, new HubRequest(HttpMethod.Post, Api(name, "commit"))
        {
            Body = alive => new CommitContent(summary, small, large, alive),
        }, cancellationToken).ConfigureAwait(false);
        return HubJson.Text(answer, "commitOid") is { } commit && HubCache.IsCommit(commit) ? commit
            : throw HubJson.Odd(name, "The hub does not say which commit it has made");
    }

    [LoggerMessage(20, LogLevel.Information, "{Name}: the repository was created ({Visibility})")]
    private static partial void LogCreated(ILogger logger, HubName name, HubVisibility visibility);

    [LoggerMessage(21, LogLevel.Information, "{Name}: the branch {Branch} was created")]
    private static partial void LogBranch(ILogger logger, HubName name, string branch);

    [LoggerMessage(22, LogLevel.Information, "{Name}: {Count} file(s) were uploaded, commit {Commit}")]
    private static partial void LogUploaded(ILogger logger, HubName name, int count, string commit);

    [LoggerMessage(23, LogLevel.Warning, "{Name}: {Path} was not uploaded, because the repository's .gitignore leaves it out")]
    private static partial void LogIgnored(ILogger logger, HubName name, string path);
}
