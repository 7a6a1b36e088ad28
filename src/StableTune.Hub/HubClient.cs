using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace StableTune.Hub;

/// <summary>
/// Turns names on the hub into files on this disk: from the cache that all programs for the hub share, and from the server what is
/// missing there. Uploads files.
/// Safe for use by several threads, and beside other processes.
/// </summary>
public sealed partial class HubClient : IDisposable
{
    private readonly HubSettings _settings;
    private readonly HubCache _cache;
    private readonly HubDownloads _downloads;
    private readonly HubApi _api;
    private readonly HubUploads _uploads;
    private readonly HttpClient? _own;
    private readonly ILogger _logger;

    /// <summary>Opens the hub with a connection of its own, which uses the system's proxy settings.</summary>
    /// <param name="options">How to reach it; what is null in them, or all of them, come from the environment.</param>
    /// <param name="logger">Told of downloads, retries and waits; never of the token.</param>
    /// <param name="clock">The clock of pauses and time limits; the system's when null.</param>
    /// <exception cref="InvalidOptionsException">Options, or variables of the environment, cannot work; the message lists every
    /// one.</exception>
    /// <exception cref="InvalidFileException">The token's file cannot be read.</exception>
    public HubClient(HubOptions? options = null, ILogger? logger = null, TimeProvider? clock = null)
        : this(null, options, logger, clock, Environment.GetEnvironmentVariable) { }

    /// <summary>Opens the hub through a host's connection, for instance one of <c>IHttpClientFactory</c>.</summary>
    /// <param name="http">The connection, which stays the caller's; its handler had best be <see cref="CreateHandler"/>'s, and its time
    /// limit infinite.</param>
    /// <param name="options">How to reach it; what is null in them, or all of them, come from the environment.</param>
    /// <param name="logger">Told of downloads, retries and waits; never of the token.</param>
    /// <param name="clock">The clock of pauses and time limits; the system's when null.</param>
    /// <exception cref="InvalidOptionsException">Options, or variables of the environment, cannot work; the message lists every
    /// one.</exception>
    /// <exception cref="InvalidFileException">The token's file cannot be read.</exception>
    public HubClient(HttpClient http, HubOptions? options = null, ILogger? logger = null, TimeProvider? clock = null)
        : this(http ?? throw new ArgumentNullException(nameof(http)), options, logger, clock, Environment.GetEnvironmentVariable) { }

    internal HubClient(
        HttpClient? http, HubOptions? options, ILogger? logger, TimeProvider? clock, Func<string, string?> environment,
        Func<string, long>? freeBytes = null, bool links = true)
    {
        _settings = HubSettings.Of(options ?? new HubOptions(), environment);
        _logger = logger ?? NullLogger.Instance;
        var time = clock ?? TimeProvider.System;
        if (_settings is { Token: not null, Offline: false, Endpoint: { Scheme: "http", IsLoopback: false } })
            LogOpenToken(_logger, _settings.Endpoint);
        if (http is null) http = _own = new HttpClient(CreateHandler()) { Timeout = Timeout.InfiniteTimeSpan };
        _cache = new HubCache(_settings.CacheFolder);
        var transport = new HubTransport(http, _settings, time);
        var retry = new HubRetry(_settings.Options, time, _logger);
        _api = new HubApi(transport, _settings, retry, time);
        _uploads = new HubUploads(new HubWriting(transport, _settings, retry, time), _api, _settings, time, _logger);
        var blobs = new BlobDownload(transport, _api, _cache, retry, _settings, time, _logger);
        _downloads = new HubDownloads(_api, blobs, _cache, _settings, time, _logger) { FreeBytes = freeBytes ?? DiskSpace.Free,
            Links = links };
    }

    /// <summary>The server's address, as options and environment decided.</summary>
    public Uri Endpoint => _settings.Endpoint;

    /// <summary>The folder of the cache, as options and environment decided.</summary>
    public string CacheFolder => _settings.CacheFolder;

    /// <summary>Whether only the cache is used, as options and environment decided.</summary>
    public bool IsOffline => _settings.Offline;

    /// <summary>Whether there is a token, as options and environment decided.</summary>
    public bool HasToken => _settings.Token is not null;

    /// <summary>
    /// A handler for connections to the hub: follows no redirections by itself (the client does, and keeps the token from other hosts),
    /// uses the
    /// system's proxy settings, and renews connections now and then.
    /// </summary>
    public static HttpMessageHandler CreateHandler() => new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        ConnectTimeout = TimeSpan.FromSeconds(15),
        PooledConnectionLifetime = TimeSpan.FromMinutes(10),
    };

    /// <summary>
    /// The folder or file that a name stands for. What the cache holds complete is taken from there without asking the server; what is
    /// missing is downloaded.
    /// </summary>
    /// <param name="name">The name. Of a file, its configuration beside it comes along (<c>.yaml</c>; <c>config.json</c> of a part's
    /// weights), of an index its shards.</param>
    /// <param name="selection">
    /// Which files of a repository or folder are wanted; when null, a diffusers model's, of data sets and programs all. Single files do
    /// not ask for it.
    /// </param>
    /// <param name="progress">Told of downloads: stage "downloading", megabytes (10^6 bytes) as steps, the file as item.</param>
    /// <param name="cancellationToken">Ends downloads; what came so far is kept and taken up next time.</param>
    /// <exception cref="HubException">The files cannot be had; <see cref="HubException.Fault"/> says of what kind the reason
    /// is.</exception>
    /// <exception cref="InvalidFileException">A file of the cache is damaged.</exception>
    /// <exception cref="IOException">The cache cannot be written to.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<HubSnapshot> ResolveAsync(
        HubName name, HubSelection? selection = null, IProgress<WorkProgress>? progress = null,
            CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        var wanted = selection ?? Usual(name);
        var revision = name.Revision ?? _settings.Revision;
        var (cached, state) = Look(name, revision, wanted);
        var mayHaveMoved = _settings.Options.CheckForUpdates && !HubCache.IsCommit(revision) && !_settings.Offline;
        if (cached is not null && state.IsComplete && !mayHaveMoved) return cached;
        if (_settings.Offline) return cached ?? throw NotInCache(name, revision, state);
        try
        {
            return await _downloads.FetchAsync(name, revision, wanted, progress, cancellationToken).ConfigureAwait(false);
        }
        catch (HubException e) when (e.Fault == HubFault.Unreachable && cached is not null)
        {
            LogUnreached(_logger, name, cached.Commit, e.Reason);
            return cached;
        }
    }

    /// <summary>As <see cref="ResolveAsync"/>; waits for it.</summary>
    /// <inheritdoc cref="ResolveAsync"/>
    public HubSnapshot Resolve(
        HubName name, HubSelection? selection = null, IProgress<WorkProgress>? progress = null,
            CancellationToken cancellationToken = default) =>
        Task.Run(() => ResolveAsync(name, selection, progress, cancellationToken), cancellationToken).GetAwaiter().GetResult();

    /// <summary>What the cache alone has for a name; null when it lacks something.</summary>
    /// <param name="name">The name.</param>
    /// <param name="selection">Which files of a repository or folder are wanted; when null, a diffusers model's, of data sets and
    /// programs all.</param>
    /// <exception cref="InvalidFileException">A file of the cache is damaged.</exception>
    public HubSnapshot? FindInCache(HubName name, HubSelection? selection = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Look(name, name.Revision ?? _settings.Revision, selection ?? Usual(name)).Snapshot;
    }

    /// <summary>The files of a repository, as the server lists them; always asks it.</summary>
    /// <param name="name">The repository; its path is not looked at.</param>
    /// <param name="cancellationToken">Ends the question.</param>
    /// <exception cref="HubException">The list cannot be had; <see cref="HubException.Fault"/> says of what kind the reason is.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<IReadOnlyList<HubFile>> ListAsync(HubName name, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (_settings.Offline)
            throw new HubException(HubFault.Offline, name.ToString(), "Listing asks the server, and only the cache may be used.",
            "Unset HF_HUB_OFFLINE, or set HubOptions.Offline to false.");
        var commit = await _downloads.CommitAsync(name, name.Revision ?? _settings.Revision, cancellationToken).ConfigureAwait(false);
        return await _api.FilesAsync(name, commit, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Closes the connection, if it is the client's own.</summary>
    public void Dispose() => _own?.Dispose();

    private static HubSelection Usual(HubName name) => name.Type == HubRepositoryType.Model ? HubSelection.Model() : HubSelection.All;

    private (HubSnapshot? Snapshot, CachedState State) Look(HubName name, string revision, HubSelection selection)
    {
        if (_cache.FindCommit(name, revision) is not { } commit) return (null, CachedState.Lacking([]));
        var files = _cache.Files(name, commit);
        var target = HubTarget.Of(name, files, selection, path => _cache.IsKnownAbsent(name, commit, path));
        if (target is null) return (null, CachedState.Lacking([name.Path ?? "all files"]));
        var root = _cache.Snapshot(name, commit);
        var index = target.FirstFile is { } first && files.Contains(first) ? HubPath.Below(root, first) : null;
        try
        {
            var state = target.Judge(files, index is null ? null : HubCache.ReadIndex(index));
            return (state.IsUsable ? new HubSnapshot(target.PlaceIn(root), commit, FromCache: true) : null, state);
        }
        catch (FormatException e)
        {
            throw new InvalidFileException(index!, e.Message, "Delete it, and resolve the name again.", e);
        }
    }

    private HubException NotInCache(HubName name, string revision, CachedState state)
    {
        var folder = _cache.Repository(name);
        var reason = !Directory.Exists(folder) ? $"it is not in the cache (there is no folder {folder})."
            : state.Missing.Count == 0 ? $"the cache does not hold its revision \"{revision}\" ({folder})."
            : $"the cache lacks parts of its revision \"{revision}\" in {folder}: {string.Join("; ", state.Missing.Take(8))}.";
        return new HubException(HubFault.Offline, name.ToString(), $"Only the cache may be used, and {reason}",
            "Unset HF_HUB_OFFLINE (or set HubOptions.Offline to false) to download it, "
            + "or name the cache that holds it (HF_HOME, HF_HUB_CACHE, HubOptions.CacheFolder).");
    }

    [LoggerMessage(2, LogLevel.Warning,
        "The token is sent to {Endpoint} over a connection that is not secure: use https, or set HubOptions.Token to \"\"")]
    private static partial void LogOpenToken(ILogger logger, Uri endpoint);

    [LoggerMessage(1, LogLevel.Warning,
        "{Name}: the cache's copy of commit {Commit} is used, because the server was not reached. {Reason}")]
    private static partial void LogUnreached(ILogger logger, HubName name, string commit, string reason);
}
