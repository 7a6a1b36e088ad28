using System.Globalization;

namespace StableTune.Hub.Tests;

/// <summary>Busy servers are asked again, as they wish, and not for ever.</summary>
public sealed class RetryTests : IDisposable
{
    private readonly HubBed _bed = new();

    public RetryTests() => _bed.Hub.Add("a.bin", 100);

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void RetryAfter_InSeconds_IsKept()
    {
        _bed.Hub.Next(FakeHub.InfoPath(), _ => Reply.Of(429, ("Retry-After", "17")), _ => Reply.Of(503, ("Retry-After", "0")));
        Resolve();
        Assert.Equal([TimeSpan.FromSeconds(17)], _bed.Clock.Pauses.Where(p => p > TimeSpan.Zero));
    }

    [Fact]
    public void RetryAfter_AsADate_IsKept()
    {
        _bed.Hub.Next(FakeHub.FilePath("a.bin"), _ =>
            Reply.Of(429, ("Retry-After", _bed.Clock.GetUtcNow().AddSeconds(90).ToString("r", CultureInfo.InvariantCulture))));
        Resolve();
        Assert.Equal([TimeSpan.FromSeconds(90)], _bed.Clock.Pauses);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    [InlineData(408)]
    public void BusyServers_AreAskedAgain_WithGrowingPauses(int status)
    {
        _bed.Hub.Next(FakeHub.TreePath(), Enumerable.Repeat<Func<TestRequest, Reply>>(_ => Reply.Of(status), 5).ToArray());
        Resolve();
        Assert.Equal(6, _bed.Hub.Server.CountOf(FakeHub.TreePath()));
        Assert.Equal(5, _bed.Clock.Pauses.Count);
        Assert.All(_bed.Clock.Pauses, pause => Assert.InRange(pause, TimeSpan.Zero, TimeSpan.FromSeconds(30)));
        var (early, late) = (_bed.Clock.Pauses.Take(2).Sum(p => p.TotalSeconds), _bed.Clock.Pauses.Skip(2).Sum(p => p.TotalSeconds));
        Assert.True(late > 2 * early, $"{early} s, then {late} s");   // one pause alone may be short by chance
    }

    [Fact]
    public void ServersThatStayBusy_AreGivenUp()
    {
        _bed.Hub.Always(FakeHub.InfoPath(), _ => Reply.Of(503, ("X-Error-Message", "we are\tpainting")));
        var error = _bed.Fails(HubFault.Unreachable);
        Assert.Contains("answered 503 Said, \"we arepainting\". It was tried 6 times", error.Message);
        Assert.Equal(6, _bed.Hub.Server.Requests.Count);
    }

    [Fact]
    public void Retries_CanBeTurnedOff()
    {
        _bed.Hub.Always(FakeHub.InfoPath(), _ => Reply.Of(500));
        Assert.DoesNotContain("tried", _bed.Fails(HubFault.Unreachable, options: _bed.Options with { Retries = 0 }).Message);
        Assert.Single(_bed.Hub.Server.Requests);
    }

    [Fact]
    public void RetryAfter_ThatIsTooLong_IsGivenUpAtOnce()
    {
        _bed.Hub.Always(FakeHub.InfoPath(), _ => Reply.Of(429, ("Retry-After", "3600")));
        var error = _bed.Fails(HubFault.Unreachable);
        Assert.Contains("pause of 3600 s", error.Message);
        Assert.Contains("LongestRetryDelay", error.Remedy);
        Assert.Single(_bed.Hub.Server.Requests);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(405)]
    [InlineData(418)]
    [InlineData(501)]
    public void Refusals_AreNotRepeated(int status)
    {
        _bed.Hub.Always(FakeHub.InfoPath(), _ => Reply.Of(status));
        Assert.Contains($"answered {status}", _bed.Fails(HubFault.BadAnswer).Message);
        Assert.Single(_bed.Hub.Server.Requests);
    }

    [Fact]
    public void AnUnreachableServer_SaysWhich()
    {
        _bed.Hub.Server.Dispose();
        Assert.Contains($"{_bed.Hub.Server.Address.Authority} was not reached", _bed.Fails(HubFault.Unreachable).Message);
        Assert.Equal(5, _bed.Clock.Pauses.Count);
    }

    [Fact]
    public void AServerThatIsNotFound_IsAskedOnce()
    {
        using var nowhere = new Nowhere();
        using var http = new HttpClient(nowhere);
        using var hub = new HubClient(http, _bed.Options, _bed.Log, _bed.Clock);
        var error = Assert.Throws<HubException>(() => hub.Resolve(HubName.Parse(FakeHub.Name)));
        Assert.Equal(HubFault.Unreachable, error.Fault);
        Assert.Contains("was not found (no such host)", error.Reason, StringComparison.Ordinal);
        Assert.Equal(1, nowhere.Asked);
        Assert.Empty(_bed.Clock.Pauses);
    }

    [Fact]
    public void AServerThatWasFoundBefore_IsAskedAgain()
    {
        _bed.Hub.Add("a.bin", 100);
        using var nowhere = new Nowhere(new SocketsHttpHandler { AllowAutoRedirect = false }) { Answers = 1 };
        using var http = new HttpClient(nowhere);
        using var hub = new HubClient(http, _bed.Options, _bed.Log, _bed.Clock);
        Assert.Throws<HubException>(() => hub.Resolve(HubName.Parse("frog/green/a.bin")));
        Assert.Equal(1 + 6, nowhere.Asked);
    }

    [Fact]
    public void AnUnreachableServer_LeavesTheCache_WhereThatWillDo()
    {
        _bed.Hub.WithModel();
        var name = HubName.Parse(FakeHub.Name);
        _bed.Client().Resolve(name);
        _bed.Hub.Always(FakeHub.InfoPath(), _ => Reply.Of(500));
        var found = _bed.Client().Resolve(name, HubSelection.Model("fp16"));   // the plain weights are there, the variant may be
        Assert.True(found.FromCache);
        Assert.Contains(_bed.Log.Lines, line => line.Contains("the server was not reached", StringComparison.Ordinal));
        Assert.True(_bed.Client(_bed.Options with { CheckForUpdates = true }).Resolve(name).FromCache);
        File.Delete(Path.Combine(_bed.Snapshot, "vae", "config.json"));
        _bed.Fails(HubFault.Unreachable);
    }

    /// <summary>A connection to a host whose name is not known, but for the first requests.</summary>
    private sealed class Nowhere(HttpMessageHandler? inner = null) : DelegatingHandler(inner ?? new SocketsHttpHandler())
    {
        private int _asked;

        public int Asked => _asked;

        public int Answers { get; init; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Interlocked.Increment(ref _asked) <= Answers
                ? base.SendAsync(request, cancellationToken)
                    : throw new HttpRequestException(HttpRequestError.NameResolutionError, "no such host");
    }

    private void Resolve() => _bed.Client().Resolve(HubName.Parse("frog/green/a.bin"));
}
