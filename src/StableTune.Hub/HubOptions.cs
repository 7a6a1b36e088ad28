using System.Text;
using System.Text.Json.Serialization;

namespace StableTune;

/// <summary>
/// How the hub is reached and where its files are kept. What is null is taken from the environment that other programs for the hub read too
/// (<c>HF_ENDPOINT</c>, <c>HF_TOKEN</c>, <c>HF_HOME</c>, <c>HF_HUB_CACHE</c>, <c>HF_HUB_OFFLINE</c>), then from their defaults.
/// </summary>
public sealed record HubOptions : OptionsBase
{
    /// <summary>The server's address; null: <c>HF_ENDPOINT</c>, or https://huggingface.co.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>
    /// The access token; null: <c>HF_TOKEN</c>, or the file <c>token</c> in <c>HF_HOME</c>; empty: none, whatever the environment says.
    /// It is sent
    /// to the endpoint alone, and shown nowhere: not by <see cref="ToString"/>, and not written as JSON.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWriting)]
    public string? Token { get; init; }

    /// <summary>The folder of the cache; null: <c>HF_HUB_CACHE</c>, or <c>hub</c> in <c>HF_HOME</c>, or
    /// <c>~/.cache/huggingface/hub</c>.</summary>
    public string? CacheFolder { get; init; }

    /// <summary>True: the cache only, no network; null: what <c>HF_HUB_OFFLINE</c> says.</summary>
    public bool? Offline { get; init; }

    /// <summary>The branch, tag or commit of names that have none of their own; null: <c>main</c>.</summary>
    public string? Revision { get; init; }

    /// <summary>
    /// True: the server is asked whether a branch or tag has moved on, although the cache holds it; when the server is not reached, the
    /// cache has to do.
    /// </summary>
    public bool CheckForUpdates { get; init; }

    /// <summary>How long the server may take to begin an answer: above zero, at most a day. Default 30 s.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an answer may pause in its middle before the connection is given up and taken up again: above zero, at most a
    /// day. Default 60 s.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How often in a row a request is tried again after a failure that may pass. Progress in a download starts the count anew.
    /// 0 to 20, default 5.</summary>
    public int Retries { get; init; } = 5;

    /// <summary>The pause before the first retry; it doubles with each, up to 30 s, and varies by chance. Above zero, at most 30 s;
    /// default 0.5 s.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>The longest pause that a server may ask for (<c>Retry-After</c>); one that asks for more is given up. 0 to 6 hours;
    /// default 5 minutes.</summary>
    public TimeSpan LongestRetryDelay { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How many files are downloaded at a time. 1 to 32, default 4.</summary>
    public int ParallelDownloads { get; init; } = 4;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Endpoint is { } address && !IsPlain(address))
            yield return Problem(Endpoint, "the address must be an absolute http or https address without user or query",
                "write for instance https://huggingface.co");
        if (Token is { } token && token.Any(letter => letter is <= ' ' or > '~'))
            yield return new OptionProblem($"{nameof(HubOptions)}.{nameof(Token)}", "(not shown)",
                "a token has no spaces, line breaks or letters beyond ASCII", "copy it again, without what stands around it");
        if (CacheFolder is { } folder && (string.IsNullOrWhiteSpace(folder) || folder.Contains('\0', StringComparison.Ordinal)))
            yield return Problem(CacheFolder, "this is no path of a folder", "name a folder, or leave it null for the shared cache");
        if (Revision is { } revision && Hub.HubNameParser.RevisionProblem(revision) is { } fault)
            yield return Problem(Revision, fault, "write a branch, a tag or a commit");
        if (RequestTimeout <= TimeSpan.Zero || RequestTimeout > TimeSpan.FromDays(1))
            yield return Problem(RequestTimeout, "the time must be above zero and at most a day", "30 s is customary");
        if (StallTimeout <= TimeSpan.Zero || StallTimeout > TimeSpan.FromDays(1))
            yield return Problem(StallTimeout, "the time must be above zero and at most a day", "60 s is customary");
        if (Retries is < 0 or > 20) yield return Problem(Retries, "the number must be 0 to 20", "5 is customary");
        if (RetryDelay <= TimeSpan.Zero || RetryDelay > TimeSpan.FromSeconds(30))
            yield return Problem(RetryDelay, "the pause must be above zero and at most 30 s", "0.5 s is customary");
        if (LongestRetryDelay < TimeSpan.Zero || LongestRetryDelay > TimeSpan.FromHours(6))
            yield return Problem(LongestRetryDelay, "the pause must be zero to 6 hours", "5 minutes are customary");
        if (ParallelDownloads is < 1 or > 32) yield return Problem(ParallelDownloads, "the number must be 1 to 32", "4 is customary");
    }

    private static bool IsPlain(Uri address) =>
        address.IsAbsoluteUri && address.Scheme is "http" or "https" && address.UserInfo.Length == 0 && address.Query.Length == 0;

    /// <summary>Text of the options, without the token.</summary>
    protected override bool PrintMembers(StringBuilder builder)
    {
        builder.Append(nameof(Endpoint)).Append(" = ").Append(Endpoint)
            .Append(", ").Append(nameof(Token)).Append(" = ").Append(Token switch { null => "", "" => "none", _ => "(not shown)" })
            .Append(", ").Append(nameof(CacheFolder)).Append(" = ").Append(CacheFolder)
            .Append(", ").Append(nameof(Offline)).Append(" = ").Append(Offline)
            .Append(", ").Append(nameof(Revision)).Append(" = ").Append(Revision);
        return true;
    }
}
