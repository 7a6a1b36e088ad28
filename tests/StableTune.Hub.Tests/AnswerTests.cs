namespace StableTune.Hub.Tests;

/// <summary>Lists and other data from the server are checked before anything is done with them.</summary>
public sealed class AnswerTests : IDisposable
{
    private static readonly string Id = new('e', 40);

    private readonly HubBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Theory]
    [InlineData("../evil.json")]
    [InlineData("../../../../evil.json")]
    [InlineData("unet/../../evil.json")]
    [InlineData("unet/./config.json")]
    [InlineData("/etc/cron.d/evil")]
    [InlineData(@"..\\evil.json")]
    [InlineData(@"\\server\\share")]
    [InlineData(@"unet\\..\\..\\evil.json")]
    [InlineData("C:/evil.json")]
    [InlineData("c:evil.json")]
    [InlineData("a\\u0000b")]
    [InlineData("")]
    public void PathsThatLeadOut_AreRefused_WantedOrNot(string path)
    {
        _bed.Hub.WithModel();
        var tree = _bed.Hub.Tree()[..^1] + $$""","x"]""";
        _bed.Hub.Always(FakeHub.TreePath(), _ => Reply.Json(tree.Replace("\"x\"", Entry(path), StringComparison.Ordinal)));
        Assert.Contains("which leads out of the repository's folder", _bed.Fails(HubFault.BadAnswer).Message);
        NothingWasWritten();
    }

    [Theory]
    [InlineData("unet/con.json", "reserved")]
    [InlineData("unet/a?.json", "holds '?'")]
    [InlineData("unet/a:b.json", "holds ':'")]
    [InlineData("unet/a\\u0007.json", "U+0007")]
    [InlineData("unet/a /config.json", "ends with a space")]
    [InlineData("unet//config.json", "empty piece")]
    public void PathsThatAreNone_AreRefused_WhenTheyAreWanted(string path, string problem)
    {
        _bed.Hub.AddText("unet/config.json", "{}");
        _bed.Hub.Always(FakeHub.TreePath(), _ => Reply.Json($"[{Entry(path)}, {Entry("README.md")}]"));
        var all = Assert.Throws<HubException>(() => _bed.Client().Resolve(HubName.Parse(FakeHub.Name), HubSelection.All));
        Assert.Equal(HubFault.BadAnswer, all.Fault);
        Assert.Contains(problem, all.Message);
        NothingWasWritten();
    }

    [Fact]
    public void PathsThatAreTooLong_AreRefused()
    {
        foreach (var path in new[] { $"{new string('x', 241)}.json", string.Join('/', Enumerable.Repeat("xxxx", 300)) })
        {
            _bed.Hub.Always(FakeHub.TreePath(), _ => Reply.Json($"[{Entry(path)}]"));
            Assert.Contains("are possible",
                Assert.Throws<HubException>(() => _bed.Client().Resolve(HubName.Parse(FakeHub.Name), HubSelection.All)).Message);
        }
    }

    [Theory]
    [InlineData("""{"error": "x"}""", "is no list")]
    [InlineData("""[5]""", "entry without a type")]
    [InlineData("""[{"type": 5, "path": "a"}]""", "entry without a type")]
    [InlineData("""[{"type": "file", "path": "a", "oid": "abc", "size": 1}]""", "\"abc\" as the checksum")]
    [InlineData("""[{"type": "file", "path": "a", "oid": "../../../x/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "size": 1}]""", "as the checksum")]
    [InlineData("""[{"type": "file", "path": "a", "oid": 5, "size": 1}]""", "as the checksum")]
    [InlineData("""[{"type": "file", "path": "a", "oid": "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "size": -1}]""", "no length")]
    [InlineData("""[{"type": "file", "path": "a", "oid": "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "size": 1e30}]""", "no length")]
    [InlineData("""[{"type": "file", "path": "a", "oid": "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "size": "1"}]""", "no length")]
    [InlineData("""[{"type": "file", "path": "a", "oid": "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"}]""", "no length")]
    public void OddLists_AreRefused(string list, string said)
    {
        _bed.Hub.Always(FakeHub.TreePath(), _ => Reply.Json(list));
        Assert.Contains(said, _bed.Fails(HubFault.BadAnswer).Message);
    }

    [Fact]
    public void ListsThatNameAFileTwice_AreRefused()
    {
        _bed.Hub.Always(FakeHub.TreePath(), _ => Reply.Json($"[{Entry("a.json")}, {Entry("a.json")}]"));
        Assert.Contains("\"a.json\" twice", _bed.Fails(HubFault.BadAnswer).Message);
    }

    [Fact]
    public void ListsWithAFileBelowAFile_AreRefused()
    {
        _bed.Hub.Always(FakeHub.TreePath(), _ => Reply.Json($"[{Entry("a/b/c.json")}, {Entry("a")}]"));
        Assert.Contains("\"a/b/c.json\" below a file", _bed.Fails(HubFault.BadAnswer).Message);
    }

    [Theory]
    [InlineData("""{"sha": "../../x"}""")]
    [InlineData("""{"sha": 5}""")]
    [InlineData("""{}""")]
    [InlineData("[]")]
    [InlineData("5")]
    public void CommitsThatAreNone_AreRefused(string info)
    {
        _bed.Hub.Always(FakeHub.InfoPath(), _ => Reply.Json(info));
        Assert.Contains("which commit", _bed.Fails(HubFault.BadAnswer).Message);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("")]
    [InlineData("[{\"type\"")]
    public void TextThatIsNoData_IsAskedForAgain_ThenRefused(string text)
    {
        _bed.Hub.Always(FakeHub.TreePath(), _ => Reply.Json(text));
        Assert.Contains("no JSON", _bed.Fails(HubFault.BadAnswer).Message);
        Assert.Equal(6, _bed.Hub.Server.CountOf(FakeHub.TreePath()));
    }

    [Fact]
    public void DeepNesting_IsRefused()
    {
        _bed.Hub.Always(FakeHub.TreePath(), _ => Reply.Json(new string('[', 100_000)));
        _bed.Fails(HubFault.BadAnswer);
    }

    [Fact]
    public void AnswersWithoutEnd_AreCut()
    {
        var spaces = new byte[66 << 20];
        Array.Fill(spaces, (byte)' ');
        _bed.Hub.Always(FakeHub.TreePath(), _ => new Reply { Body = spaces });
        Assert.Contains("more than 64 MiB", _bed.Fails(HubFault.BadAnswer).Message);
    }

    [Fact]
    public void WebPages_AreNoData()
    {
        _bed.Hub.Always(FakeHub.InfoPath(), _ => new Reply { Body = "<html>"u8.ToArray(), Headers = [("Content-Type", "text/html")] });
        Assert.Contains("a web page where data was expected", _bed.Fails(HubFault.BadAnswer).Message);
        Assert.Single(_bed.Hub.Server.Requests);
    }

    [Fact]
    public void HugeHeaders_AreRefused()
    {
        _bed.Hub.Always(FakeHub.InfoPath(), _ => Reply.Json("{}", ("X-Repo-Commit", new string('a', 200_000))));
        Assert.Contains("too large", _bed.Fails(HubFault.BadAnswer).Message);
    }

    [Theory]
    [InlineData("<{0}>; rel=\"next\"", true)]
    [InlineData("<{1}>; rel=\"next\"", true)]
    [InlineData("<{1}>; rel=\"prev\"", false)]
    [InlineData("{1}; rel=\"next\"", false)]
    [InlineData("<file:///etc/passwd>; rel=\"next\"", false)]
    public async Task Pages_AreFollowed(string link, bool followed)
    {
        var second = FakeHub.TreePath() + "?recursive=true&cursor=abc%3D";
        _bed.Hub.Always(FakeHub.TreePath(), request => request.Target.Contains("cursor", StringComparison.Ordinal)
            ? Reply.Json($"[{Entry("b.json")}]")
            : Reply.Json($"[{Entry("a.json")}]", ("Link", string.Format(link, new Uri(_bed.Hub.Server.Address, second), second))));
        var files = await _bed.Client().ListAsync(HubName.Parse(FakeHub.Name));
        Assert.Equal(followed ? ["a.json", "b.json"] : ["a.json"], files.Select(f => f.Path));
        if (followed) Assert.Equal(second, _bed.Hub.Server.Requests.Last().Target);
    }

    [Fact]
    public void PagesWithoutEnd_AreCut()
    {
        var page = 0;
        _bed.Hub.Always(FakeHub.TreePath(), _ =>
            Reply.Json($"[{Entry($"{page}.json")}]", ("Link", $"<{FakeHub.TreePath()}?cursor={++page}>; rel=\"next\"")));
        Assert.Contains("does not end (501 pages", _bed.Fails(HubFault.BadAnswer).Message);
    }

    [Fact]
    public void PagesInACircle_AreSeen()
    {
        _bed.Hub.Always(FakeHub.TreePath(), _ => Reply.Json("[]", ("Link", $"<{FakeHub.TreePath()}?cursor=1>; rel=\"next\"")));
        Assert.Contains("does not end", _bed.Fails(HubFault.BadAnswer).Message);
        Assert.Equal(2, _bed.Hub.Server.CountOf(FakeHub.TreePath()));
    }

    [Fact]
    public void AnIndexThatIsNone_IsRefused()
    {
        _bed.Hub.WithModel();
        _bed.Hub.AddText("model_index.json", "[]");
        Assert.Contains("model_index.json is no JSON object", _bed.Fails(HubFault.BadAnswer).Message);
    }

    private static string Entry(string path) => $$"""{"type": "file", "oid": "{{Id}}", "size": 3, "path": "{{path}}"}""";

    private void NothingWasWritten()
    {
        Assert.Empty(Directory.Exists(_bed.Cache) ? Directory.GetFiles(_bed.Cache, "*", SearchOption.AllDirectories) : []);
        Assert.DoesNotContain(Directory.GetFiles(_bed.Folder.Path, "*", SearchOption.AllDirectories), path =>
            path.Contains("evil", StringComparison.Ordinal));
    }
}
