using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Text.Json;
using System.Text.RegularExpressions;
using StableTune.Testing;

namespace StableTune.Samples.Tests;

/// <summary>The web application that trains, started as a program and spoken to over HTTP.</summary>
public sealed partial class HostedTrainerTests : IAsyncLifetime
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly TemporaryFolder _folder = new();
    private Process _program = null!;
    private HttpClient _client = null!;

    public async Task InitializeAsync()
    {
        _program = Process.Start(SampleProgram.Start("HostedTrainer", "--urls", "http://127.0.0.1:0",
            "--HostedTrainer:Folder", _folder.File("trained")))!;
        _program.ErrorDataReceived += (_, _) => { };
        _program.BeginErrorReadLine();
        using var patience = new CancellationTokenSource(s_patience);
        while (await _program.StandardOutput.ReadLineAsync(patience.Token) is { } line)
        {
            if (Listening().Match(line) is not { Success: true } found) continue;
            _client = new HttpClient { BaseAddress = new Uri(found.Value), Timeout = s_patience };
            break;
        }

        Assert.NotNull(_client);
        _ = _program.StandardOutput.ReadToEndAsync(CancellationToken.None);  // so that it never waits for a reader
    }

    public async Task DisposeAsync()
    {
        _client?.Dispose();
        if (!_program.HasExited) _program.Kill(entireProcessTree: true);
        await _program.WaitForExitAsync();
        _program.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task ATraining_IsFollowedOverHttp_ToItsResult()
    {
        var job = await Post("/trainings", new { name = "frog", steps = 4, rank = 2, prompt = "sls frog" });
        var (states, steps) = (new List<string>(), new List<int>());
        JsonElement last = default;
        await foreach (var view in Events(job))
        {
            last = view;
            states.Add(view.GetProperty("state").GetString()!);
            steps.AddRange(view.GetProperty("losses").EnumerateArray().Select(loss => loss[0].GetInt32()));
        }

        Assert.Equal("completed", states[^1]);
        Assert.Equal([1, 2, 3, 4], steps);                                   // each once, in order
        Assert.Equal("frog.safetensors", last.GetProperty("file").GetString());
        var sheet = last.GetProperty("samples").EnumerateArray().Last().GetString();
        Assert.Equal([0x89, 0x50, 0x4E, 0x47], (await _client.GetByteArrayAsync(sheet))[..4]);
        var file = await _client.GetByteArrayAsync($"/trainings/{Id(job)}/file");
        File.WriteAllBytes(_folder.File("loaded.safetensors"), file);
        using (var adapter = Formats.SafetensorsFile.Open(_folder.File("loaded.safetensors")))
            Assert.Equal("4", adapter.Metadata["ss_steps"]);

        // A browser that lost the line says which loss it saw last.
        using var again = new HttpRequestMessage(HttpMethod.Get, $"/trainings/{Id(job)}/events");
        again.Headers.Add("Last-Event-ID", "3");
        using var answer = await _client.SendAsync(again);
        var known = Assert.Single(await Views(await answer.Content.ReadAsStreamAsync()).ToListAsync());
        Assert.Equal([4], known.GetProperty("losses").EnumerateArray().Select(loss => loss[0].GetInt32()));
    }

    [Fact]
    public async Task Trainings_ArePaused_Resumed_Stopped_AndCancelled()
    {
        var job = await Post("/trainings", new { name = "long", steps = 100_000 });
        var next = await Post("/trainings", new { name = "next" });
        await Until(job, view => view.GetProperty("step").GetInt32() >= 1);
        Assert.Equal("paused", (await Post($"/trainings/{Id(job)}/pause")).GetProperty("state").GetString());
        Assert.Equal("cancelled", (await Post($"/trainings/{Id(next)}/cancel")).GetProperty("state").GetString());
        await Post($"/trainings/{Id(job)}/resume");
        var step = (await _client.GetFromJsonAsync<JsonElement>($"/trainings/{Id(job)}")).GetProperty("step").GetInt32();
        await Until(job, view => view.GetProperty("step").GetInt32() > step);
        await Post($"/trainings/{Id(job)}/stop");
        await Until(job, view => view.GetProperty("state").GetString() == "stopped");
        Assert.Equal(["long", "next"], (await _client.GetFromJsonAsync<JsonElement>("/trainings")).EnumerateArray()
            .Select(view => view.GetProperty("name").GetString()));
    }

    [Fact]
    public async Task WrongRequests_AreAnsweredWithWhatIsWrong()
    {
        await Refused(HttpStatusCode.BadRequest, "LoRAOptions.Rank is 0", new { name = "frog", rank = 0 });
        await Refused(HttpStatusCode.BadRequest, "letters, digits", new { name = "../../frog", steps = 0 });
        await Refused(HttpStatusCode.BadRequest, "Bad Request", new { name = 5 });
        using var form = new StringContent("{\"name\":\"frog\"}");            // as a form of a foreign page could send it
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, (await _client.PostAsync("/trainings", form)).StatusCode);
        foreach (var address in new[] { "/trainings/7", "/trainings/7/events", "/trainings/7/samples/0", "/trainings/7/file" })
            Assert.Equal(HttpStatusCode.NotFound, (await _client.GetAsync(address)).StatusCode);
        using var foreign = new HttpRequestMessage(HttpMethod.Get, "/trainings") { Headers = { Host = "elsewhere.example" } };
        Assert.Equal(HttpStatusCode.BadRequest, (await _client.SendAsync(foreign)).StatusCode);
        Assert.Contains("Trainings", await _client.GetStringAsync("/"));
        foreach (var part in new[] { "page.css", "page.js" }) Assert.True((await _client.GetAsync("/" + part)).IsSuccessStatusCode);
    }

    private async Task Refused(HttpStatusCode code, string says, object request)
    {
        using var answer = await _client.PostAsJsonAsync("/trainings", request);
        Assert.Equal(code, answer.StatusCode);
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Contains(says, problem.ToString());
    }

    private async Task<JsonElement> Post(string address, object? body = null)
    {
        using var answer = body is null ? await _client.PostAsync(address, null) : await _client.PostAsJsonAsync(address, body);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    private async Task Until(JsonElement job, Func<JsonElement, bool> reached)
    {
        await foreach (var view in Events(job))
            if (reached(view)) return;
        Assert.Fail("the training ended before");
    }

    private async IAsyncEnumerable<JsonElement> Events(JsonElement job)
    {
        using var patience = new CancellationTokenSource(s_patience);
        await using var stream = await _client.GetStreamAsync($"/trainings/{Id(job)}/events", patience.Token);
        await foreach (var view in Views(stream)) yield return view;
    }

    private static async IAsyncEnumerable<JsonElement> Views(Stream stream)
    {
        await foreach (var item in SseParser.Create(stream).EnumerateAsync())
        {
            Assert.Equal("status", item.EventType);
            yield return JsonDocument.Parse(item.Data).RootElement;
        }
    }

    private static string Id(JsonElement job) => job.GetProperty("id").GetString()!;

    [GeneratedRegex(@"(?<=Now listening on: )http://\S+")]
    private static partial Regex Listening();
}
