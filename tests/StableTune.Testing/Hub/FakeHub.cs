using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace StableTune.Testing;

/// <summary>A hub with one repository, <c>frog/green</c>, that answers as the real one does, except where a test puts something else in
/// its place.</summary>
public sealed partial class FakeHub : IDisposable
{
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";
    public const string Name = "frog/green";

    private readonly Dictionary<string, Func<TestRequest, Reply>> _instead = [];
    private readonly ConcurrentDictionary<string, ConcurrentQueue<Func<TestRequest, Reply>>> _queues = new();

    public FakeHub() => (Server, Storage) = (new TestServer(Answer), new TestServer(Store));

    public TestServer Server { get; }

    public SortedDictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    /// <summary>Files that are known by their SHA-256, as large ones are.</summary>
    public HashSet<string> Large { get; } = [];

    public string Head { get; set; } = Commit;

    public static string FilePath(string file, string commit = Commit) => $"/{Name}/resolve/{commit}/{file}";

    public static string TreePath(string commit = Commit) => $"/api/models/{Name}/tree/{commit}";

    public static string InfoPath(string revision = "main") => $"/api/models/{Name}/revision/{revision}";

    /// <summary>Adds a file of random bytes, always the same for a name.</summary>
    public byte[] Add(string path, int bytes)
    {
        var content = new byte[bytes];
        new Random(path.Aggregate(7, (sum, letter) => (sum * 31) + letter)).NextBytes(content);
        Large.Add(path);
        return Files[path] = content;
    }

    public void AddText(string path, string text) => Files[path] = Encoding.UTF8.GetBytes(text);

    /// <summary>From now on a path is answered so.</summary>
    public void Always(string path, Func<TestRequest, Reply> answer) => _instead[path] = answer;

    /// <summary>The next requests for a path are answered so, one after the other; then as usual.</summary>
    public void Next(string path, params Func<TestRequest, Reply>[] answers)
    {
        var queue = _queues.GetOrAdd(path, _ => new());
        foreach (var answer in answers) queue.Enqueue(answer);
    }

    /// <summary>Adds all files of a folder of this disk, below the repository's top; files of weights are large.</summary>
    public FakeHub AddFolder(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
            AddFile(Path.GetRelativePath(folder, file).Replace(Path.DirectorySeparatorChar, '/'), file);
        return this;
    }

    /// <summary>Adds one file of this disk.</summary>
    public void AddFile(string path, string file)
    {
        Files[path] = System.IO.File.ReadAllBytes(file);
        if (Path.GetExtension(path) is ".safetensors" or ".bin" or ".ckpt") Large.Add(path);
    }

    public string Id(string path)
    {
        var content = Files[path];
        if (Large.Contains(path)) return Convert.ToHexStringLower(SHA256.HashData(content));
        return Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]));
    }

    /// <summary>The usual answer for a file.</summary>
    public Reply File(TestRequest request)
    {
        var path = request.Path[(FilePath("", Head).Length)..];
        if (!Files.TryGetValue(path, out var content)) return Reply.Of(404, ("X-Error-Code", "EntryNotFound"));
        var headers = new List<(string, string)>
        {
            ("ETag", $"\"{Id(path)}\""), ("X-Linked-ETag", $"\"{Id(path)}\""), ("X-Repo-Commit", Head),
            ("X-Linked-Size", content.Length.ToString(CultureInfo.InvariantCulture)), ("Content-Type", "application/octet-stream"),
        };
        if (request.From == 0) return new Reply { Body = content, Headers = headers };
        headers.Add(("Content-Range", $"bytes {request.From}-{content.Length - 1}/{content.Length}"));
        return new Reply { Status = 206, Body = content[(int)request.From..], Headers = headers };
    }

    public string Tree() => "[" + string.Join(",", Files.Select(f => Entry(f.Key, f.Value.Length))
        .Prepend("""{"type":"directory","oid":"","size":0,"path":"unet"}""")) + "]";

    private string Entry(string path, int length) => Large.Contains(path)
        ? $$"""
        {"type":"file","oid":"{{new string('a', 40)}}","size":130,"path":"{{path}}",
         "lfs":{"oid":"{{Id(path)}}","size":{{length}},"pointerSize":130} }
        """
        : $$"""{"type":"file","oid":"{{Id(path)}}","size":{{length}},"path":"{{path}}"}""";

    /// <summary>A small but whole diffusers model, with things beside it that nobody needs.</summary>
    public FakeHub WithModel()
    {
        AddText("model_index.json", """
            {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
             "tokenizer": ["transformers", "CLIPTokenizer"], "scheduler": ["diffusers", "PNDMScheduler"], "safety_checker": [null, null]}
            """);
        AddText("unet/config.json", "{\"a\": 1}");
        Add("unet/diffusion_pytorch_model.safetensors", 30_000);
        Add("unet/diffusion_pytorch_model.bin", 20_000);
        AddText("vae/config.json", "{\"b\": 2}");
        Add("vae/diffusion_pytorch_model.safetensors", 10_000);
        AddText("tokenizer/vocab.json", "{}");
        AddText("tokenizer/merges.txt", "#version");
        AddText("scheduler/scheduler_config.json", "{}");
        Add("v1-5-pruned.safetensors", 50_000);
        AddText("README.md", "a model");
        return this;
    }

    public void Dispose()
    {
        Server.Dispose();
        Storage.Dispose();
    }

    private Reply Answer(TestRequest request)
    {
        if (_queues.TryGetValue(request.Path, out var queue) && queue.TryDequeue(out var next)) return next(request);
        if (_instead.TryGetValue(request.Path, out var instead)) return instead(request);
        if (Taken(request) is { } taken) return taken;
        if (request.Path == InfoPath() || request.Path == InfoPath(Head)) return Reply.Json($$"""{"id": "{{Name}}", "sha": "{{Head}}"}""");
        if (request.Path == TreePath(Head)) return Reply.Json(Tree());
        if (request.Path.StartsWith(FilePath("", Head), StringComparison.Ordinal)) return File(request);
        if (request.Path == $"/api/models/{Name}/refs")
            return Reply.Json("""
                {"branches": [{"name": "main", "ref": "refs/heads/main"}, {"name": "fp16"}], "tags": [{"name": "v1.0"}]}
                """);
        if (request.Path.StartsWith($"/api/models/{Name}/revision/", StringComparison.Ordinal))
            return Reply.Of(404, ("X-Error-Code", "RevisionNotFound"));
        return request.Path == "/api/models" ? Reply.Json("""[{"id": "frog/green"}, {"id": "frog/blue"}]""")
            : Reply.Of(401, ("X-Error-Code", "RepoNotFound"));
    }
}
