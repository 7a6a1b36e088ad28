using System.Text.Json;

namespace StableTune.Hub.Tests;

public sealed class HubOptionsTests
{
    private const string Secret = "hf_secretsecretsecret";

    [Fact]
    public void ToString_DoesNotShowTheToken()
    {
        Assert.DoesNotContain(Secret, new HubOptions { Token = Secret }.ToString());
        Assert.Contains("Token = (not shown)", new HubOptions { Token = Secret }.ToString());
        Assert.Contains("Token = none", new HubOptions { Token = "" }.ToString());
        Assert.DoesNotContain("not shown", new HubOptions().ToString());
    }

    [Fact]
    public void Json_IsReadWithTheToken_AndWrittenWithoutIt()
    {
        Assert.DoesNotContain(Secret, JsonSerializer.Serialize(new HubOptions { Token = Secret, Retries = 3 }));
        Assert.Equal(Secret, JsonSerializer.Deserialize<HubOptions>($$"""{"Token": "{{Secret}}"}""")!.Token);
    }

    [Fact]
    public void Token_IsLeftAlone_WhereTheEnvironmentSaysSo() =>
        Sends(null, null, ("HF_TOKEN", "variable"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"));

    [Fact]
    public void Defaults_AreInOrder() => Assert.Empty(new HubOptions().Validate());

    [Fact]
    public void Validate_NamesEveryProblem()
    {
        var options = new HubOptions
        {
            Endpoint = new Uri("ftp://x"), Token = $"{Secret}\r\nX-Evil: 1", CacheFolder = " ", Revision = "../x",
            RequestTimeout = TimeSpan.Zero,
            StallTimeout = TimeSpan.FromSeconds(-1), Retries = 21, RetryDelay = TimeSpan.FromMinutes(1),
            LongestRetryDelay = TimeSpan.FromDays(1), ParallelDownloads = 0,
        };
        var problems = options.Validate().ToArray();
        Assert.Equal(
            ["Endpoint", "Token", "CacheFolder", "Revision", "RequestTimeout", "StallTimeout", "Retries", "RetryDelay",
                "LongestRetryDelay", "ParallelDownloads"],
            problems.Select(p => p.Option["HubOptions.".Length..]));
        var error = Assert.Throws<InvalidOptionsException>(() => new HubClient(options));
        Assert.Equal(10, error.Problems.Count);
        Assert.DoesNotContain(Secret, error.ToString());
    }

    [Theory]
    [InlineData("relative")]
    [InlineData("https://user:password@hub")]
    [InlineData("https://hub/?x=1")]
    public void Validate_RefusesOddEndpoints(string endpoint) =>
        Assert.Single(new HubOptions { Endpoint = new Uri(endpoint, UriKind.RelativeOrAbsolute) }.Validate());

    [Fact]
    public void TheEnvironment_DecidesWhatTheOptionsLeaveOpen()
    {
        using var bed = new HubBed();
        using var client = bed.Client(new HubOptions(), environment: new Dictionary<string, string>
        {
            ["HF_ENDPOINT"] = "https://hub.example.org/mirror/", ["HF_HOME"] = bed.Folder.File("home"), ["HF_HUB_OFFLINE"] = "yes",
        });
        Assert.Equal("https://hub.example.org/mirror/", client.Endpoint.AbsoluteUri);
        Assert.Equal(bed.Folder.File("home", "hub"), client.CacheFolder);
        Assert.True(client.IsOffline);
    }

    [Theory]
    [InlineData("HF_HUB_CACHE", "/x/y", "/x/y")]
    [InlineData("HUGGINGFACE_HUB_CACHE", "/x/y", "/x/y")]
    [InlineData("HF_HUB_CACHE", "~/y", "/users/me/y")]
    [InlineData("HF_HOME", "/x", "/x/hub")]
    [InlineData("XDG_CACHE_HOME", "/x", "/x/huggingface/hub")]
    [InlineData("UNKNOWN", "/x", "/users/me/.cache/huggingface/hub")]
    public void CacheFolder_IsWhereOtherProgramsLook(string variable, string value, string folder)
    {
        using var bed = new HubBed();
        using var client = bed.Client(new HubOptions { Token = "" }, environment: new Dictionary<string,
            string> { ["HOME"] = "/users/me", [variable] = value });
        Assert.Equal(Path.GetFullPath(folder), client.CacheFolder);
        Assert.Equal("https://huggingface.co/", client.Endpoint.AbsoluteUri);
        Assert.False(client.IsOffline);
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData("ON", true)]
    [InlineData("true", true)]
    [InlineData("0", false)]
    [InlineData("", false)]
    public void Offline_IsReadAsPythonReadsIt(string value, bool offline)
    {
        using var bed = new HubBed();
        var environment = new Dictionary<string, string> { ["HF_HUB_OFFLINE"] = value };
        Assert.Equal(offline, bed.Client(new HubOptions { Token = "" }, environment: environment).IsOffline);
        Assert.False(bed.Client(new HubOptions { Token = "", Offline = false }, environment: environment).IsOffline);
    }

    [Theory]
    [InlineData("option", "option")]
    [InlineData(null, "variable")]
    [InlineData("", null)]
    public void Token_OfTheOptions_ComesFirst(string? option, string? sent) => Sends(sent, option, ("HF_TOKEN", "variable"));

    [Fact]
    public void Token_ComesFromItsFile()
    {
        Sends("filed", null);
        Sends(null, "");
    }

    [Fact]
    public void Token_ThatCannotBeOne_IsRefused_WithoutBeingShown()
    {
        using var bed = new HubBed();
        var error = Assert.Throws<InvalidOptionsException>(() =>
            bed.Client(new HubOptions(), environment: new Dictionary<string, string> { ["HF_TOKEN"] = $"{Secret} x" }));
        Assert.StartsWith("HF_TOKEN", Assert.Single(error.Problems).ToString());
        Assert.DoesNotContain(Secret, error.ToString());
    }

    [Fact]
    public void EndpointOfTheEnvironment_ThatIsNone_IsRefused()
    {
        using var bed = new HubBed();
        var error = Assert.Throws<InvalidOptionsException>(() =>
            bed.Client(new HubOptions(), environment: new Dictionary<string, string> { ["HF_ENDPOINT"] = "hub" }));
        Assert.Contains("HF_ENDPOINT is \"hub\"", error.Message);
    }

    [Fact]
    public void AnEndpointWithAPath_KeepsIt()
    {
        using var bed = new HubBed();
        bed.Hub.Add("a.bin", 10);
        bed.Hub.Always("/mirror" + FakeHub.InfoPath(), _ => Reply.RedirectTo(FakeHub.InfoPath()));
        bed.Hub.Always("/mirror" + FakeHub.TreePath(), _ => Reply.RedirectTo(FakeHub.TreePath()));
        bed.Hub.Always("/mirror" + FakeHub.FilePath("a.bin"), _ => Reply.RedirectTo(FakeHub.FilePath("a.bin")));
        bed.Client(bed.Options with { Endpoint = new Uri(bed.Hub.Server.Address, "mirror") }).Resolve(HubName.Parse("frog/green/a.bin"));
        Assert.Equal(bed.Hub.Files["a.bin"], bed.Placed("a.bin"));
    }

    private static void Sends(string? token, string? option, params (string Name, string Value)[] variables)
    {
        using var bed = new HubBed();
        bed.Hub.WithModel();
        File.WriteAllText(Path.Combine(bed.Folder.Folder("home"), "token"), "filed\n");
        var environment = variables.ToDictionary(v => v.Name, v => v.Value);
        environment["HF_HOME"] = bed.Folder.File("home");
        bed.Client(bed.Options with { Token = option }, environment: environment).Resolve(HubName.Parse(FakeHub.Name));
        Assert.All(bed.Hub.Server.Requests, request => Assert.Equal(token is null ? null : $"Bearer {token}", request.Token));
    }
}
