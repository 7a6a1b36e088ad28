using System.Text.Json;

namespace StableTune.Hub;

/// <summary>The questions put to the hub: which commit, which files, which names. Repeats them where that may help.</summary>
internal sealed class HubApi(HubTransport transport, HubSettings settings, HubRetry retry, TimeProvider clock)
{
    private const int MaxPages = 500;                   // a page has 1,000 entries

    /// <summary>What stands before a repository's name in its address: nothing for models.</summary>
    public static string Prefix(HubName name) => name.Type == HubRepositoryType.Model ? "" : HubNameParser.Word(name.Type) + "s/";

    public Uri FileAddress(HubName name, string commit, string path) =>
        transport.Address($"{Prefix(name)}{name.Repository}/resolve/{commit}/{HubPath.Escape(path)}");

    /// <summary>The commit that a revision stands for now.</summary>
    public async Task<string> CommitAsync(HubName name, string revision, CancellationToken cancellationToken)
    {
        using var info = (await JsonAsync(name, Api(name, $"revision/{Uri.EscapeDataString(revision)}"), cancellationToken)
            .ConfigureAwait(false)).Document;
        return Read(name, () => Text(info.RootElement, "sha")) is { } commit && HubCache.IsCommit(commit)
            ? commit
            : throw Odd(name, "The hub does not say which commit the revision is");
    }

    /// <summary>All files of a commit, in order.</summary>
    public async Task<IReadOnlyList<HubFile>> FilesAsync(HubName name, string commit, CancellationToken cancellationToken)
    {
        List<HubFile> files = [];
        HashSet<string> pages = [];
        for (var page = Api(name, $"tree/{commit}?recursive=true"); page is not null;)
        {
            if (!pages.Add(page.AbsoluteUri) || pages.Count > MaxPages)
                throw Odd(name, $"The list of files does not end ({pages.Count} pages, {files.Count} files)");
            var (document, next) = await JsonAsync(name, page, cancellationToken).ConfigureAwait(false);
            using (document) files.AddRange(Read(name, () => Entries(name, document.RootElement).ToArray()));
            page = next;
        }

        HashSet<string> seen = new(StringComparer.Ordinal);
        if (files.Find(file => !seen.Add(file.Path)) is { } twice) throw Odd(name, $"The list of files names \"{twice.Path}\" twice");
        if (files.Find(file => Folders(file.Path).Any(seen.Contains)) is { } below)
            throw Odd(name, $"The list of files has \"{below.Path}\" below a file");
        return files.OrderBy(file => file.Path, StringComparer.Ordinal).ToArray();
    }

    /// <summary>The branches and tags of a repository.</summary>
    public async Task<IReadOnlyList<string>> RevisionsAsync(HubName name, CancellationToken cancellationToken)
    {
        using var document = (await JsonAsync(name, Api(name, "refs"), cancellationToken).ConfigureAwait(false)).Document;
        return Read(name, () => document.RootElement.ValueKind != JsonValueKind.Object ? [] : new[] { "branches", "tags" }
            .Where(kind => document.RootElement.TryGetProperty(kind, out var list) && list.ValueKind == JsonValueKind.Array)
            .SelectMany(kind => Texts(document.RootElement.GetProperty(kind), "name")).ToArray());
    }

    /// <summary>Whom the token belongs to.</summary>
    /// <param name="name">For messages.</param>
    /// <param name="cancellationToken">Ends the question.</param>
    public async Task<string> UserAsync(HubName name, CancellationToken cancellationToken)
    {
        using var document = (await JsonAsync(name, transport.Address("api/whoami-v2"), cancellationToken).ConfigureAwait(false)).Document;
        return Read(name, () => Text(document.RootElement, "name")) is { Length: > 0 } user ? user
            : throw Odd(name, "The hub does not say whom the token belongs to");
    }

    /// <summary>Repositories of the same owner.</summary>
    public async Task<IReadOnlyList<string>> RepositoriesAsync(HubName name, CancellationToken cancellationToken)
    {
        var address = transport.Address($"api/{HubNameParser.Word(name.Type)}s?author={Uri.EscapeDataString(name.Owner)}&limit=200");
        using var document = (await JsonAsync(name, address, cancellationToken).ConfigureAwait(false)).Document;
        return Read(name, () => document.RootElement.ValueKind == JsonValueKind.Array ? Texts(document.RootElement, "id").ToArray() : []);
    }

    private static IEnumerable<string> Folders(string path)
    {
        for (var end = path.LastIndexOf('/'); end > 0; end = path.LastIndexOf('/', end - 1)) yield return path[..end];
    }

    public Uri Api(HubName name, string what) => transport.Address($"api/{HubNameParser.Word(name.Type)}s/{name.Repository}/{what}");

    /// <summary>Takes something out of an answer. Text with half a surrogate pair passes the parser, and is refused only when it is
    /// read.</summary>
    private static T Read<T>(HubName name, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException e)
        {
            throw Odd(name, $"The answer holds text that is none ({e.Message.TrimEnd('.')})");
        }
    }

    private static IEnumerable<string> Texts(JsonElement list, string property) => list.EnumerateArray()
        .Select(item => Text(item, property)).OfType<string>().Where(text => text.Length is > 0 and < 200);

    private static string? Text(JsonElement item, string property) =>
        item.ValueKind == JsonValueKind.Object && item.TryGetProperty(property, out var value)
            && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static IEnumerable<HubFile> Entries(HubName name, JsonElement list)
    {
        if (list.ValueKind != JsonValueKind.Array) throw Odd(name, "The list of files is no list");
        foreach (var entry in list.EnumerateArray())
        {
            var type = Text(entry, "type") ?? throw Odd(name, "The list of files holds an entry without a type");
            if (type == "file") yield return Entry(name, entry);
        }
    }

    private static HubFile Entry(HubName name, JsonElement entry)
    {
        var path = Text(entry, "path") ?? "";
        if (HubPath.Escapes(path))
            throw Odd(name, $"The list of files holds the path \"{Printable(path)}\", which leads out of the repository's folder");
        var source = entry.TryGetProperty("lfs", out var lfs) && lfs.ValueKind == JsonValueKind.Object ? lfs : entry;
        var id = Text(source, "oid")?.ToLowerInvariant() ?? "";
        if (id.StartsWith("sha256:", StringComparison.Ordinal)) id = id[7..];
        if (id.Length is not (40 or 64) || !id.All(char.IsAsciiHexDigitLower))
            throw Odd(name, $"The list of files has \"{Printable(id)}\" as the checksum of \"{Printable(path)}\"");
        return source.TryGetProperty("size", out var size) && size.ValueKind == JsonValueKind.Number && size.TryGetInt64(out var bytes)
            && bytes >= 0
            ? new HubFile(path, bytes, id)
            : throw Odd(name, $"The list of files gives no length for \"{Printable(path)}\"");
    }

    private Task<(JsonDocument Document, Uri? Next)> JsonAsync(HubName name, Uri address, CancellationToken cancellationToken) =>
        retry.RunAsync(name, token => AskAsync(name, address, token), cancellationToken);

    private async Task<(JsonDocument Document, Uri? Next)> AskAsync(HubName name, Uri address, CancellationToken cancellationToken)
    {
        using var answer = await transport.GetAsync(name.ToString(), address, 0, cancellationToken).ConfigureAwait(false);
        HubErrors.ThrowIfFailed(answer, name, settings, clock);
        return (await HubJson.ReadAsync(answer, name, settings, clock, cancellationToken).ConfigureAwait(false), NextPage(answer));
    }

    /// <summary>The address in <c>Link: &lt;address&gt;; rel="next"</c>.</summary>
    private static Uri? NextPage(HubAnswer answer)
    {
        if (HubHeaders.First(answer.Response, "Link") is not { } link) return null;
        var (open, close) = (link.IndexOf('<', StringComparison.Ordinal), link.IndexOf('>', StringComparison.Ordinal));
        if (open < 0 || close < open || !link[close..].Contains("next", StringComparison.Ordinal)) return null;
        return Uri.TryCreate(answer.Address, link[(open + 1)..close], out var next) && next.Scheme is "http" or "https" ? next : null;
    }

    private static string Printable(string text) => new(text.Take(120).Select(letter => char.IsControl(letter) ? '?' : letter).ToArray());

    private static HubException Odd(HubName name, string reason) => HubJson.Odd(name, reason);
}
