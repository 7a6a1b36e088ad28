using Microsoft.Extensions.DependencyInjection;

namespace StableTune.Hub.Tests;

/// <summary>Redirections are followed as far as they are sane, and the token stays at home.</summary>
public sealed class RedirectTests : IDisposable
{
    private const string Secret = "hf_secretsecretsecret";
    private static readonly string Path1 = FakeHub.FilePath("a.bin");

    private readonly HubBed _bed = new();
    private readonly TestServer _other;

    public RedirectTests()
    {
        var content = _bed.Hub.Add("a.bin", 5000);
        _other = new TestServer(request =>
            new Reply { Body = content[(int)request.From..], Status = request.From > 0 ? 206 : 200,
            Headers = request.From > 0 ? [("Content-Range", $"bytes {request.From}-4999/5000")] : [("X-Linked-Size", "1")] });
    }

    public void Dispose()
    {
        _other.Dispose();
        _bed.Dispose();
    }

    [Fact]
    public void OtherHosts_GetTheRequestWithoutTheToken()
    {
        _bed.Hub.Always(Path1, request =>
            Reply.RedirectTo($"{_other.Address}store/x?signature=abc", ("X-Linked-Size", "5000"),
            ("X-Linked-ETag", $"\"{_bed.Hub.Id("a.bin")}\"")));
        Resolve();
        Assert.All(_bed.Hub.Server.Requests, request => Assert.Equal($"Bearer {Secret}", request.Token));
        var away = Assert.Single(_other.Requests);
        Assert.Equal("/store/x?signature=abc", away.Target);
        Assert.DoesNotContain(away.Headers, header => header.Value.Contains(Secret, StringComparison.Ordinal));
    }

    [Fact]
    public void OtherHosts_GetTheRange()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_bed.Incomplete("a.bin"))!);
        File.WriteAllBytes(_bed.Incomplete("a.bin"), _bed.Hub.Files["a.bin"][..2000]);
        _bed.Hub.Always(Path1, _ => Reply.RedirectTo($"{_other.Address}store/x"));
        Resolve();
        Assert.Equal(2000, Assert.Single(_other.Requests).From);
    }

    [Fact]
    public void AHostThatRedirectsBack_LetsTheTokenCome_ForTheEndpointIsItsOwner()
    {
        using var other = new TestServer(_ => Reply.RedirectTo($"{_bed.Hub.Server.Address}elsewhere/a"));
        _bed.Hub.Always(Path1, _ => Reply.RedirectTo($"{other.Address}x"));
        _bed.Hub.Always("/elsewhere/a", _ => new Reply { Body = _bed.Hub.Files["a.bin"] });
        Resolve();
        Assert.Null(Assert.Single(other.Requests).Token);
    }

    [Theory]
    [InlineData("/elsewhere/a")]
    [InlineData("../../../../elsewhere/a")]
    public void RelativeAddresses_AreFollowed(string location)
    {
        _bed.Hub.Always(Path1, _ => Reply.RedirectTo(location));
        _bed.Hub.Always("/elsewhere/a", _ => new Reply { Body = _bed.Hub.Files["a.bin"] });
        Resolve();
        Assert.Equal($"Bearer {Secret}", _bed.Hub.Server.Requests.Single(r => r.Path == "/elsewhere/a").Token);
    }

    [Theory]
    [InlineData(301)]
    [InlineData(303)]
    [InlineData(307)]
    [InlineData(308)]
    public void RenamedRepositories_AreFollowed(int status)
    {
        _bed.Hub.Always("/api/models/frog/old/revision/main", _ => Reply.Of(status, ("Location", FakeHub.InfoPath())));
        _bed.Hub.Always($"/api/models/frog/old/tree/{FakeHub.Commit}", _ =>
            Reply.Of(status, ("Location", $"{FakeHub.TreePath()}?recursive=true")));
        _bed.Hub.Always($"/frog/old/resolve/{FakeHub.Commit}/a.bin", _ => Reply.Of(status, ("Location", Path1)));
        Assert.Equal(_bed.Hub.Files["a.bin"], File.ReadAllBytes(_bed.Client().Resolve(HubName.Parse("frog/old/a.bin")).Path));
    }

    [Fact]
    public void Circles_AreSeen()
    {
        _bed.Hub.Always(Path1, _ => Reply.RedirectTo("/b"));
        _bed.Hub.Always("/b", _ => Reply.RedirectTo(Path1));
        Assert.Contains("circle", Fails().Message);
        Assert.Equal(1, _bed.Hub.Server.CountOf("/b"));
    }

    [Fact]
    public void LongChains_AreCut()
    {
        var steps = 0;
        using var maze = new TestServer(_ => Reply.RedirectTo($"/{++steps}"));
        _bed.Hub.Always(Path1, _ => Reply.RedirectTo(maze.Address.AbsoluteUri));
        Assert.Contains("More than 10 redirections", Fails().Message);
        Assert.Equal(10, maze.Requests.Count);
    }

    [Theory]
    [InlineData("file:///etc/passwd")]
    [InlineData("ftp://example.org/x")]
    [InlineData("http://user:password@127.0.0.1/x")]
    public void OddAddresses_AreRefused(string location)
    {
        _bed.Hub.Always(Path1, _ => Reply.RedirectTo(location));
        Assert.Contains("which is no web address of a file", Fails().Message);
    }

    [Fact]
    public void RedirectionsWithoutAddress_AreRefused()
    {
        _bed.Hub.Always(Path1, _ => Reply.Of(302));
        Assert.Contains("does not say whereto", Fails().Message);
    }

    [Fact]
    public async Task AHostsOwnConnection_ThatFollowsByItself_KeepsTheTokenToo()
    {
        _bed.Hub.Always(Path1, _ => Reply.RedirectTo($"{_other.Address}store/x"));
        using var http = new HttpClient();
        using var client = new HubClient(http, _bed.Options with { Token = Secret }, _bed.Log, _bed.Clock);
        client.Resolve(HubName.Parse("frog/green/a.bin"));
        Assert.Null(Assert.Single(_other.Requests).Token);
        client.Dispose();
        Assert.NotNull(await http.GetAsync(_other.Address));   // the connection is still its owner's
    }

    [Fact]
    public void AConnectionOfAFactory_WorksAsTheDocumentationSays()
    {
        _bed.Hub.Always(Path1, _ => Reply.RedirectTo($"{_other.Address}store/x"));
        var services = new ServiceCollection();
        services.AddHttpClient("hub", http => http.Timeout = Timeout.InfiniteTimeSpan)
            .ConfigurePrimaryHttpMessageHandler(HubClient.CreateHandler);
        services.AddTransient(p => new HubClient(
            p.GetRequiredService<IHttpClientFactory>().CreateClient("hub"), _bed.Options with { Token = Secret }));
        using var provider = services.BuildServiceProvider();
        Assert.Equal(_bed.Hub.Files["a.bin"],
            File.ReadAllBytes(provider.GetRequiredService<HubClient>().Resolve(HubName.Parse("frog/green/a.bin")).Path));
        Assert.Null(Assert.Single(_other.Requests).Token);
    }

    private HubException Fails() => _bed.Fails(HubFault.BadAnswer, "frog/green/a.bin", _bed.Options with { Token = Secret });

    private void Resolve()
    {
        _bed.Client(_bed.Options with { Token = Secret }).Resolve(HubName.Parse("frog/green/a.bin"));
        Assert.Equal(_bed.Hub.Files["a.bin"], _bed.Placed("a.bin"));
        Assert.DoesNotContain(_bed.Log.Lines, line => line.Contains(Secret, StringComparison.Ordinal));
    }
}
