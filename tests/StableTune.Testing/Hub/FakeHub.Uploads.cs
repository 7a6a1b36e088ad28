using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace StableTune.Testing;

/// <summary>A commit that the fake hub was given.</summary>
/// <param name="Repository">"models/frog/green".</param>
/// <param name="Revision">The branch.</param>
/// <param name="Summary">Its message.</param>
/// <param name="Files">What it holds, by path.</param>
public sealed record TakenCommit(string Repository, string Revision, string Summary, IReadOnlyDictionary<string, byte[]> Files);

/// <content>Uploads, as the real hub takes them: only what was announced, uploaded and verified is committed.</content>
public sealed partial class FakeHub
{
    public const string NextCommit = "89abcdef0123456789abcdef0123456789abcdef";

    private readonly ConcurrentDictionary<string, byte[]> _stored = new();
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<int, byte[]>> _parts = new();
    private readonly ConcurrentDictionary<string, byte> _verified = new();

    /// <summary>Where large files go: another host, which must never see the token.</summary>
    public TestServer Storage { get; }

    /// <summary>The repositories that exist: "models/frog/green".</summary>
    public HashSet<string> Repositories { get; } = ["models/" + Name];

    /// <summary>Branches that exist in all repositories.</summary>
    public HashSet<string> Branches { get; } = ["main"];

    /// <summary>The JSON of the repositories that were created.</summary>
    public ConcurrentQueue<JsonElement> Created { get; } = new();

    public ConcurrentQueue<TakenCommit> Commits { get; } = new();

    /// <summary>The token that may write; null: any.</summary>
    public string? WritingToken { get; set; }

    /// <summary>Whom every token belongs to.</summary>
    public string User { get; set; } = "frog";

    /// <summary>Files of this length and above are large, and all with the endings of weights.</summary>
    public int LargeFrom { get; set; } = 1000;

    /// <summary>The parts in which large files are taken; null: in one piece.</summary>
    public int? PartBytes { get; set; }

    /// <summary>Files that a .gitignore leaves out.</summary>
    public HashSet<string> IgnoredFiles { get; } = [];

    /// <summary>Called before a request for the storage is answered; an answer takes the place of the usual one.</summary>
    public Func<TestRequest, Reply?> BeforeStoring { get; set; } = _ => null;

    /// <summary>All files of all commits, the newest of each path.</summary>
    public IReadOnlyDictionary<string, byte[]> Committed => Commits.SelectMany(commit => commit.Files)
        .GroupBy(file => file.Key).ToDictionary(file => file.Key, file => file.Last().Value);

    private static string Oid(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private Reply? Taken(TestRequest request)
    {
        if (request.Method != "POST") return Asked(request);
        if (request.Token is null || (WritingToken is { } token && request.Token != $"Bearer {token}"))
            return Reply.Of(403, ("X-Error-Message", "you may not write here"));
        if (request.Path == "/api/repos/create") return Create(JsonDocument.Parse(request.Body).RootElement);
        var pieces = request.Path.Trim('/').Split('/');
        if (request.Path.EndsWith(".git/info/lfs/objects/batch", StringComparison.Ordinal)) return Batch(request);
        if (request.Path == "/verify") return Verify(request);
        if (request.Path == "/complete") return Complete(request);
        if (pieces is not ["api", var kind, var owner, var name, var what, ..]) return null;
        var repository = $"{kind}/{owner}/{name}";
        if (!Repositories.Contains(repository)) return Reply.Of(404, ("X-Error-Code", "RepoNotFound"));
        var revision = string.Join('/', pieces[5..]);
        if (what == "branch") return Branches.Add(revision) ? Reply.Json("{}") : Reply.Of(409);
        if (!Branches.Contains(revision)) return Reply.Of(404, ("X-Error-Code", "RevisionNotFound"));
        return what switch
        {
            "preupload" => Preupload(request),
            "commit" => Take(request, repository, revision),
            _ => null,
        };
    }

    /// <summary>What other repositories than the usual one say: that they are there, and empty.</summary>
    private Reply? Asked(TestRequest request)
    {
        if (request.Path == "/api/whoami-v2")
            return request.Token is null ? Reply.Of(401) : Reply.Json($$"""{"type": "user", "name": "{{User}}"}""");
        if (request.Path.Trim('/').Split('/') is not ["api", var kind, var owner, var name, var what, ..]
            || $"{owner}/{name}" == Name || !Repositories.Contains($"{kind}/{owner}/{name}")) return null;
        return what == "revision" ? Reply.Json($$"""{"sha": "{{NextCommit}}"}""") : what == "tree" ? Reply.Json("[]") : null;
    }

    private Reply Create(JsonElement wanted)
    {
        var repository = $"{wanted.GetProperty("type").GetString()}s/{wanted.GetProperty("organization").GetString()}/"
            + wanted.GetProperty("name").GetString();
        if (!Repositories.Add(repository)) return Reply.Of(409, ("X-Error-Message", "You already created this repo"));
        Created.Enqueue(wanted.Clone());
        return Reply.Json($$"""{"url": "https://example/{{repository}}"}""");
    }

    private Reply Preupload(TestRequest request) => Reply.Json(JsonSerializer.Serialize(new
    {
        files = JsonDocument.Parse(request.Body).RootElement.GetProperty("files").EnumerateArray().Select(file => new
        {
            path = file.GetProperty("path").GetString(),
            uploadMode = file.GetProperty("size").GetInt64() >= LargeFrom
                || file.GetProperty("path").GetString()!.EndsWith(".safetensors", StringComparison.Ordinal) ? "lfs" : "regular",
            shouldIgnore = IgnoredFiles.Contains(file.GetProperty("path").GetString()!),
        }),
    }));

    private Reply Batch(TestRequest request)
    {
        var asked = JsonDocument.Parse(request.Body).RootElement.GetProperty("objects")[0];
        var (oid, size) = (asked.GetProperty("oid").GetString()!, asked.GetProperty("size").GetInt64());
        if (_verified.ContainsKey(oid)) return Reply.Json($$"""{"objects": [{"oid": "{{oid}}", "size": {{size}}}]}""");
        var header = new Dictionary<string, string>();
        var href = $"{Storage.Address}{oid}?signature=secret";
        if (PartBytes is { } part)
        {
            header["chunk_size"] = part.ToString(CultureInfo.InvariantCulture);
            for (var i = 0; i * (long)part < size; i++) header[$"{i + 1:D5}"] = $"{Storage.Address}{oid}?part={i}";
            href = $"{Server.Address}complete";
        }

        var actions = new { upload = new { href, header }, verify = new { href = $"{Server.Address}verify" } };
        return Reply.Json(JsonSerializer.Serialize(new
        {
            transfer = PartBytes is null ? "basic" : "multipart", objects = new[] { new { oid, size, actions } },
        }));
    }

    private Reply Store(TestRequest request)
    {
        if (BeforeStoring(request) is { } instead) return instead;
        var oid = request.Path.Trim('/');
        if (request.Method != "PUT" || request.Token is not null || !request.Headers.ContainsKey("content-length")) return Reply.Of(400);
        if (request.Target.Split("?part=") is not [_, var number])
        {
            _stored[oid] = request.Body;
            return Reply.Of(200);
        }

        _parts.GetOrAdd(oid, _ => new())[int.Parse(number, CultureInfo.InvariantCulture)] = request.Body;
        return Reply.Of(200, ("ETag", $"\"{Oid(request.Body)[..32]}\""));
    }

    private Reply Complete(TestRequest request)
    {
        var sent = JsonDocument.Parse(request.Body).RootElement;
        var oid = sent.GetProperty("oid").GetString()!;
        var parts = _parts[oid].OrderBy(part => part.Key).Select(part => part.Value).ToList();
        var tags = sent.GetProperty("parts").EnumerateArray().Select(part => part.GetProperty("etag").GetString()).ToList();
        if (!tags.SequenceEqual(parts.Select(part => $"\"{Oid(part)[..32]}\""))) return Reply.Of(400, ("X-Error-Message", "other parts"));
        _stored[oid] = [.. parts.SelectMany(part => part)];
        return Reply.Json("{}");
    }

    private Reply Verify(TestRequest request)
    {
        var sent = JsonDocument.Parse(request.Body).RootElement;
        var oid = sent.GetProperty("oid").GetString()!;
        if (!_stored.TryGetValue(oid, out var bytes) || Oid(bytes) != oid || bytes.Length != sent.GetProperty("size").GetInt64())
            return Reply.Of(422, ("X-Error-Message", "the file is another one"));
        _verified[oid] = 0;
        return Reply.Of(200);
    }

    private Reply Take(TestRequest request, string repository, string revision)
    {
        var (summary, files) = ("", new Dictionary<string, byte[]>());
        foreach (var text in request.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var line = JsonDocument.Parse(text).RootElement;
            var value = line.GetProperty("value");
            switch (line.GetProperty("key").GetString())
            {
                case "header": summary = value.GetProperty("summary").GetString()!; break;
                case "file": files[value.GetProperty("path").GetString()!] = value.GetProperty("content").GetBytesFromBase64(); break;
                case "lfsFile":
                    var oid = value.GetProperty("oid").GetString()!;
                    if (!_verified.ContainsKey(oid)) return Reply.Of(400, ("X-Error-Message", "the file was not uploaded"));
                    files[value.GetProperty("path").GetString()!] = _stored[oid];
                    break;
                default: return Reply.Of(400);
            }
        }

        Commits.Enqueue(new TakenCommit(repository, revision, summary, files));
        foreach (var (path, content) in repository == "models/" + Name ? files : [])
        {
            if (content.Length >= LargeFrom) Large.Add(path);
            lock (Files) Files[path] = content;
        }

        return Reply.Json($$"""{"success": true, "commitOid": "{{NextCommit}}", "commitUrl": "https://example/commit"}""");
    }
}
