using System.Security.Cryptography;
using System.Text;

namespace StableTune.Hub.Tests;

/// <summary>What is uploaded is what the hub holds then, however it asks for it.</summary>
public sealed class UploadTests : IDisposable
{
    private const string Batch = "/frog/green.git/info/lfs/objects/batch", Preupload = "/api/models/frog/green/preupload/main",
        Commit = "/api/models/frog/green/commit/main", Secret = "hf_verySecretToken";

    private readonly HubBed _bed = new();
    private readonly List<HubUploadFile> _files = [];

    private HubOptions Options => _bed.Options with { Token = Secret };

    public void Dispose()
    {
        _files.ForEach(file => file.Dispose());
        _bed.Dispose();
        // Whatever happened in a test: the token went to the hub alone, and into no log.
        Assert.DoesNotContain(_bed.Log.Lines, line => line.Contains(Secret, StringComparison.Ordinal));
        Assert.All(_bed.Hub.Storage.Requests, request => Assert.Null(request.Token));
    }

    [Fact]
    public async Task Files_SmallAndLarge_AreOneCommit()
    {
        var weights = Given("out/frog.safetensors", 5000);
        Add("frog.safetensors", weights);
        _files.Add(HubUploadFile.FromText("README.md", "a green frog, \u00e9 \"quoted\""));
        _files.Add(HubUploadFile.FromText("empty.txt", ""));
        var commit = await Upload();

        var taken = Assert.Single(_bed.Hub.Commits);
        Assert.Equal(("models/frog/green", "main", "a summary"), (taken.Repository, taken.Revision, taken.Summary));
        Assert.Equal(FakeHub.NextCommit, commit.Commit);
        Assert.Equal(["frog.safetensors", "README.md", "empty.txt"], commit.Files);
        Assert.Equal(File.ReadAllBytes(weights), taken.Files["frog.safetensors"]);
        Assert.Equal("a green frog, \u00e9 \"quoted\"", Encoding.UTF8.GetString(taken.Files["README.md"]));
        Assert.Empty(taken.Files["empty.txt"]);
    }

    [Theory]
    [InlineData("frog/green/loras/first", "models/frog/green", "main", "loras/first/a.bin")]
    [InlineData("frog/blue:v2:dataset", "datasets/frog/blue", "v2", "a.bin")]
    [InlineData("frog/page/x:main:space", "spaces/frog/page", "main", "x/a.bin")]
    public async Task Name_SaysFolderBranchAndType(string name, string repository, string branch, string path)
    {
        Add("a.bin", Given("a.bin", 10));
        using var client = _bed.Client(Options);
        await client.EnsureRepositoryAsync(HubName.Parse(name));
        await client.UploadAsync(HubName.Parse(name), _files, "s");
        var taken = Assert.Single(_bed.Hub.Commits);
        Assert.Equal((repository, branch), (taken.Repository, taken.Revision));
        Assert.Equal(path, Assert.Single(taken.Files).Key);
    }

    [Theory]
    [InlineData(HubVisibility.Private, true)]
    [InlineData(HubVisibility.Public, false)]
    public async Task MissingRepository_IsCreated(HubVisibility visibility, bool isPrivate)
    {
        using var client = _bed.Client(Options);
        Assert.True(await client.EnsureRepositoryAsync(HubName.Parse("frog/new"), visibility));
        Assert.False(await client.EnsureRepositoryAsync(HubName.Parse("frog/new"), visibility));
        var created = Assert.Single(_bed.Hub.Created);
        Assert.Equal(isPrivate, created.GetProperty("private").GetBoolean());
        Assert.Equal(("new", "frog", "model"), (created.GetProperty("name").GetString(), created.GetProperty("organization").GetString(),
            created.GetProperty("type").GetString()));
    }

    [Fact]
    public async Task TokenThatMayWriteAndNotCreate_IsEnough()
    {
        _bed.Hub.Always("/api/repos/create", _ => Reply.Of(403));
        using var client = _bed.Client(Options);
        Assert.False(await client.EnsureRepositoryAsync(HubName.Parse(FakeHub.Name)));
    }

    [Fact]
    public async Task TokenThatMayNotWrite_IsToldAtOnce()
    {
        _bed.Hub.WritingToken = "hf_another";
        var error = await Fails(HubFault.AccessDenied, () => _bed.Client(Options).EnsureRepositoryAsync(HubName.Parse(FakeHub.Name)));
        Assert.Contains("does not let this token write there (403, \"you may not write here\")", error.Message);
        Assert.DoesNotContain(Secret, error.ToString());
    }

    [Fact]
    public async Task NoToken_IsToldBeforeAnythingIsSent()
    {
        _files.Add(HubUploadFile.FromText("a.txt", "a"));
        var error = await Fails(HubFault.AccessDenied, () => Upload(_bed.Options));
        Assert.Contains("HF_TOKEN", error.Remedy);
        Assert.Empty(_bed.Hub.Server.Requests);
    }

    [Fact]
    public async Task Offline_IsToldBeforeAnythingIsSent()
    {
        _files.Add(HubUploadFile.FromText("a.txt", "a"));
        await Fails(HubFault.Offline, () => Upload(Options with { Offline = true }));
        Assert.Empty(_bed.Hub.Server.Requests);
    }

    [Theory]
    [InlineData(700)]
    [InlineData(5000)]
    [InlineData(4999)]
    public async Task HubThatAsksForParts_GetsThem(int part)
    {
        _bed.Hub.PartBytes = part;
        var weights = Given("a.safetensors", 5000);
        Add("a.safetensors", weights);
        await Upload();
        Assert.Equal(File.ReadAllBytes(weights), _bed.Hub.Committed["a.safetensors"]);
        Assert.Equal((5000 + part - 1) / part, _bed.Hub.Storage.Requests.Count);
        Assert.All(_bed.Hub.Storage.Requests, request => Assert.InRange(request.Body.Length, 1, part));
    }

    [Fact]
    public async Task WhatTheHubHas_IsNotSentAgain()
    {
        Add("a.safetensors", Given("a.safetensors", 5000));
        await Upload();
        await Upload();
        Assert.Equal(2, _bed.Hub.Commits.Count);
        Assert.Single(_bed.Hub.Storage.Requests);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(503)]
    public async Task BusyServers_AreAskedAgain(int status)
    {
        Add("a.safetensors", Given("a.safetensors", 5000));
        foreach (var path in new[] { Preupload, Batch, "/verify",
            Commit })
            _bed.Hub.Next(path, _ => Reply.Of(status), _ => Reply.Of(status));
        var failures = 2;
        _bed.Hub.BeforeStoring = _ => failures-- > 0 ? Reply.Of(status) : null;
        await Upload();
        Assert.Single(_bed.Hub.Commits);
        Assert.Equal(10, _bed.Clock.Pauses.Count);
    }

    [Fact]
    public async Task DroppedConnections_AreTakenUpAgain()
    {
        Add("a.safetensors", Given("a.safetensors", 5_000_000));
        var failures = 2;
        // A length that never comes: the connection ends in the middle of the answer's headers.
        _bed.Hub.BeforeStoring = _ => failures-- > 0 ? throw new IOException("dropped") : null;
        var progress = new NotingProgress();
        using (var client = _bed.Client(Options)) await client.UploadAsync(HubName.Parse(FakeHub.Name), _files, "s", progress);
        Assert.Equal(5_000_000, _bed.Hub.Committed["a.safetensors"].Length);
        var last = progress.Reports.Last();
        Assert.Equal(("uploading", 5, 5), (last.Stage, last.Done, last.Total));
    }

    [Fact]
    public async Task ServerThatStaysBusy_IsGivenUp_AndNothingIsCommitted()
    {
        Add("a.safetensors", Given("a.safetensors", 5000));
        _bed.Hub.BeforeStoring = _ => Reply.Of(503);
        var error = await Fails(HubFault.Unreachable, () => Upload());
        Assert.Contains("tried 6 times", error.Message);
        Assert.DoesNotContain("signature", error.ToString());
        Assert.Empty(_bed.Hub.Commits);
    }

    [Fact]
    public async Task StorageThatTakesNothing_IsGivenUpAfterAWhile()
    {
        Add("a.safetensors", Given("a.safetensors", 5000));
        _bed.Hub.BeforeStoring = _ => new Reply { Until = new TaskCompletionSource().Task };
        _ = _bed.TimeRuns();
        var error = await Fails(HubFault.Unreachable, () => Upload(Options with { Retries = 0 }));
        Assert.Contains("no answer within 60 s", error.Message);
    }

    [Fact]
    public async Task OtherUploadsToTheSameBranch_AreWaitedFor()
    {
        _files.Add(HubUploadFile.FromText("a.txt", "a"));
        _bed.Hub.Next(Commit,
            _ => Reply.Of(412, ("X-Error-Message", "A commit has happened since")));
        await Upload();
        Assert.Single(_bed.Hub.Commits);
    }

    [Fact]
    public async Task FileThatIsReplacedOrDeletedLater_IsUploadedAsItWas()
    {
        if (OperatingSystem.IsWindows()) return;
        var (first, second) = (Given("a.safetensors", 5000), Given("b.txt", 20));
        var before = File.ReadAllBytes(first);
        Add("a.safetensors", first);
        Add("b.txt", second);
        AtomicFile.Write(first, stream => stream.Write(new byte[7]));
        File.Delete(second);
        await Upload();
        Assert.Equal(before, _bed.Hub.Committed["a.safetensors"]);
        Assert.Equal(20, _bed.Hub.Committed["b.txt"].Length);
    }

    [Fact]
    public async Task FileThatShrinksMeanwhile_IsAnError()
    {
        var file = Given("a.safetensors", 5000);
        Add("a.safetensors", file);
        using (var stream = File.Open(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) stream.SetLength(10);
        var error = await Fails(HubFault.FileUnreadable, () => Upload());
        Assert.Contains("it became shorter", error.Message);
        Assert.Empty(_bed.Hub.Commits);
    }

    [Fact]
    public void FileThatIsMissing_IsToldByItsPath()
    {
        var error = Assert.Throws<HubException>(() => HubUploadFile.FromFile("a.bin", _bed.Folder.File("none.bin")));
        Assert.Equal(HubFault.FileUnreadable, error.Fault);
        Assert.Contains("none.bin", error.Message);
    }

    [Theory]
    [InlineData("../a")]
    [InlineData("/a")]
    [InlineData("a//b")]
    [InlineData("a\\b")]
    [InlineData("")]
    public void PathThatIsNone_IsRefused(string path) => Assert.Throws<ArgumentException>(() => HubUploadFile.FromText(path, "x"));

    [Fact]
    public async Task TwoFilesOfOnePath_AreRefused()
    {
        _files.AddRange([HubUploadFile.FromText("a", "1"), HubUploadFile.FromText("a", "2")]);
        await Assert.ThrowsAsync<ArgumentException>(() => Upload());
    }

    [Fact]
    public void Folder_IsTakenWithItsFolders()
    {
        Given("model/unet/w.bin", 10);
        Given("model/index.json", 5);
        _files.AddRange(HubUploadFile.FromFolder("first", _bed.Folder.File("model")));
        Assert.Equal(["first/index.json", "first/unet/w.bin"], _files.Select(file => file.Path));
    }

    [Fact]
    public async Task IgnoredFiles_AreLeftOut_AndTold()
    {
        _files.AddRange([HubUploadFile.FromText("a.txt", "1"), HubUploadFile.FromText("b.txt", "2")]);
        _bed.Hub.IgnoredFiles.Add("a.txt");
        Assert.Equal(["b.txt"], (await Upload()).Files);
        Assert.Contains(_bed.Log.Lines, line => line.Contains("a.txt was not uploaded", StringComparison.Ordinal)
            && line.Contains(".gitignore", StringComparison.Ordinal));
        _bed.Hub.IgnoredFiles.Add("b.txt");
        await Fails(HubFault.Refused, () => Upload());
    }

    [Theory]
    [InlineData(Preupload, "{}", "does not say how a.safetensors")]
    [InlineData(Preupload, """{"files": [{"path": "a.safetensors", "uploadMode": "by post"}]}""", "does not say how")]
    [InlineData(Preupload, "[1", "no JSON")]
    [InlineData(Batch, """{"objects": []}""", "does not say where")]
    [InlineData(Batch, """{"objects": [{"oid": "OID", "actions": {"upload": {"href": "file:///etc/passwd"}}}]}""", "no web address")]
    [InlineData(Batch, """{"objects": [{"oid": "OID", "actions": {"upload": {}}}]}""", "no web address")]
    [InlineData(Batch, """
        {"objects": [{"oid": "OID", "actions": {"upload": {"href": "http://h/", "header": {"chunk_size": "0", "1": "http://h"}}}}]}
        """, "in 1 parts of \"0\" bytes")]
    [InlineData(Batch, """
        {"objects": [{"oid": "OID", "actions": {"upload": {"href": "http://h/", "header": {"chunk_size": "100", "1": "http://h"}}}}]}
        """, "in 1 parts of \"100\" bytes")]
    [InlineData(Batch, """
        {"objects": [{"oid": "OID", "actions": {"upload": {"href": "http://h/", "header": {"X-A": "a\nHost: b"}}}}]}
        """, "is no text")]
    [InlineData(Commit, """{"success": true}""", "which commit")]
    [InlineData(Commit, """{"commitOid": "../../x"}""", "which commit")]
    public async Task AnswersThatCannotBeRight_AreTold(string path, string answer, string message)
    {
        Add("a.safetensors", Given("a.safetensors", 5000));
        var oid = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_bed.Folder.File("a.safetensors"))));
        _bed.Hub.Always(path, _ => Reply.Json(answer.Replace("OID", oid, StringComparison.Ordinal)));
        Assert.Contains(message, (await Fails(HubFault.BadAnswer, () => Upload())).Message);
    }

    [Fact]
    public async Task WebPageInThePlaceOfAnAnswer_IsTold()
    {
        _files.Add(HubUploadFile.FromText("a.txt", "a"));
        _bed.Hub.Always(Preupload, _ => new Reply { Headers = [("Content-Type", "text/html")], Body = "<html>"u8.ToArray() });
        Assert.Contains("web page", (await Fails(HubFault.BadAnswer, () => Upload())).Message);
    }

    [Fact]
    public async Task HubThatRefusesAFile_IsQuoted()
    {
        Add("a.safetensors", Given("a.safetensors", 5000));
        var oid = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_bed.Folder.File("a.safetensors"))));
        _bed.Hub.Always(Batch, _ => Reply.Json(
            $$$"""{"objects": [{"oid": "{{{oid}}}", "error": {"code": 422, "message": "too\u0007 large"}}]}"""));
        Assert.Contains("does not take a.safetensors, \"too large\".", (await Fails(HubFault.Refused, () => Upload())).Message);
    }

    [Fact]
    public async Task RefusalOfACommit_IsQuotedFromTheAnswer()
    {
        _files.Add(HubUploadFile.FromText("a.txt", "a"));
        _bed.Hub.Always(Commit, _ => Reply.Json("""{"error": "storage is full"}""") with { Status = 413 });
        Assert.Contains("413 Said, \"storage is full\"", (await Fails(HubFault.Refused, () => Upload())).Message);
    }

    [Fact]
    public async Task Cancelling_EndsTheUpload_AndNothingIsCommitted()
    {
        Add("a.safetensors", Given("a.safetensors", 5000));
        using var end = new CancellationTokenSource();
        _bed.Hub.BeforeStoring = _ =>
        {
            end.Cancel();
            return new Reply { Until = new TaskCompletionSource().Task };
        };
        using var client = _bed.Client(Options);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => client.UploadAsync(HubName.Parse(FakeHub.Name), _files, "s", cancellationToken: end.Token));
        Assert.Empty(_bed.Hub.Commits);
    }

    private async Task<HubCommit> Upload(HubOptions? options = null)
    {
        using var client = _bed.Client(options ?? Options);
        return await client.UploadAsync(HubName.Parse(FakeHub.Name), _files, "a summary");
    }

    private static async Task<HubException> Fails(HubFault fault, Func<Task> action)
    {
        var error = await Assert.ThrowsAsync<HubException>(action);
        Assert.Equal(fault, error.Fault);
        return error;
    }

    private void Add(string path, string file) => _files.Add(HubUploadFile.FromFile(path, file));

    private string Given(string name, int bytes)
    {
        var (file, content) = (_bed.Folder.File(name), new byte[bytes]);
        new Random(bytes).NextBytes(content);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllBytes(file, content);
        return file;
    }
}
