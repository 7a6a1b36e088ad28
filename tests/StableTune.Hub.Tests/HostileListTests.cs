using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace StableTune.Hub.Tests;

/// <summary>Whatever a list of files says, the answer is files in the cache or a <see cref="HubException"/>.</summary>
public sealed class HostileListTests
{
    private static readonly string[] Pieces =
    [
        "../", "..", "/", "\\\\", "\\u0000", ":", "~", "\"", "{", "}", "[", "]", "null", "-1", "1e999", "9223372036854775807", "con", " ",
            ".", "\\ud800", "file", "lfs", "oid",
    ];

    [Fact]
    public void MutatedLists_HarmNobody()
    {
        using var folder = new TemporaryFolder();
        using var hub = new FakeHub();
        hub.AddText("unet/config.json", "{}");
        hub.AddText("model_index.json", """{"unet": ["diffusers", "UNet2DConditionModel"]}""");
        hub.Add("unet/model.safetensors", 100);
        var tree = hub.Tree();
        var random = new Random(11);
        int resolved = 0, refused = 0;
        for (var i = 0; i < Exhaustive.Runs(1500, 50_000); i++)
        {
            var cache = folder.File("hub", "cache");
            var list = Mutated(tree, random);
            var snapshots = Path.Combine(cache, "models--frog--green", "snapshots");
            // what an earlier list put there must not meet this one's
            if (Directory.Exists(snapshots)) Directory.Delete(snapshots, recursive: true);
            using var http = new HttpClient(new Answers(hub, list));
            using var client = new HubClient(
                http, new HubOptions { CacheFolder = cache, Token = "", Offline = false, Retries = 0, CheckForUpdates = true,
                Endpoint = new Uri("http://hub.test") });
            try
            {
                client.Resolve(HubName.Parse(FakeHub.Name), HubSelection.All);
                resolved++;
            }
            catch (HubException e)
            {
                Assert.NotEqual(HubFault.Offline, e.Fault);
                refused++;
            }

            if (i % 100 == 0) Inside(folder);
        }

        Inside(folder);
        Assert.True(resolved > 50 && refused > 50, $"{resolved} lists were taken, {refused} refused");
    }

    private static void Inside(TemporaryFolder folder)
    {
        var cache = folder.File("hub", "cache");
        string[] allowed = [folder.File("hub"), cache, Path.Combine(cache, ".locks"), Path.Combine(cache, "models--frog--green")];
        var there = Directory.GetFileSystemEntries(folder.Path).Concat(Entries(folder.File("hub"))).Concat(Entries(cache));
        Assert.Empty(there.Except(allowed));
    }

    private static string[] Entries(string folder) => Directory.Exists(folder) ? Directory.GetFileSystemEntries(folder) : [];

    private static string Mutated(string list, Random random)
    {
        var text = new StringBuilder(list);
        for (var times = random.Next(3); times >= 0; times--)
        {
            var at = random.Next(text.Length);
            switch (random.Next(4))
            {
                case 0: text.Insert(at, Pieces[random.Next(Pieces.Length)]); break;
                case 1: text.Remove(at, Math.Min(random.Next(4), text.Length - at)); break;
                case 2: text[at] = (char)random.Next(32, 127); break;
                default: text.Insert(text.ToString().IndexOf("\"path\":\"", StringComparison.Ordinal) is >= 0 and var path ? path + 8 : at,
                    Pieces[random.Next(Pieces.Length)]); break;
            }
        }

        return text.ToString();
    }

    /// <summary>The hub's answers without a network.</summary>
    private sealed class Answers(FakeHub hub, string list) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var path = Uri.UnescapeDataString(request.RequestUri!.AbsolutePath);
            var (status, body) = path == FakeHub.InfoPath()
                ? (HttpStatusCode.OK, Encoding.UTF8.GetBytes($$"""{"sha": "{{FakeHub.Commit}}"}"""))
                : path == FakeHub.TreePath() ? (HttpStatusCode.OK, Encoding.UTF8.GetBytes(list))
                : path.StartsWith(FakeHub.FilePath(""), StringComparison.Ordinal)
                    && hub.Files.TryGetValue(path[FakeHub.FilePath("").Length..], out var file) ? (HttpStatusCode.OK, file)
                : (HttpStatusCode.NotFound, []);
            var answer = new HttpResponseMessage(status) { RequestMessage = request, Content = new ByteArrayContent(body) };
            answer.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            return Task.FromResult(answer);
        }
    }
}
