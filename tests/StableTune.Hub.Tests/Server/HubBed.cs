using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace StableTune.Hub.Tests;

/// <summary>A hub, a cache, a clock and a client for one test. Nothing of this machine's environment reaches the client.</summary>
public sealed class HubBed : IDisposable
{
    private readonly List<HubClient> _clients = [];
    private volatile bool _over;

    public TemporaryFolder Folder { get; } = new();

    public FakeHub Hub { get; } = new();

    public FakeClock Clock { get; } = new();

    public NotingLogger Log { get; } = new();

    public string Cache => Folder.File("hub");

    public string Repository => Path.Combine(Cache, "models--frog--green");

    public string Snapshot => Path.Combine(Repository, "snapshots", FakeHub.Commit);

    public HubOptions Options => new() { Endpoint = Hub.Server.Address, CacheFolder = Cache, Offline = false, Token = "" };

    public HubClient Client(HubOptions? options = null, Func<string, long>? freeBytes = null, bool links = true,
        IReadOnlyDictionary<string, string>? environment = null)
    {
        var client = new HubClient(null, options ?? Options, Log, Clock, name => environment?.GetValueOrDefault(name), freeBytes, links);
        _clients.Add(client);
        return client;
    }

    public string Blob(string path) => Path.Combine(Repository, "blobs", Hub.Id(path));

    public string Incomplete(string path) => Blob(path) + ".incomplete";

    public byte[] Placed(string path) => File.ReadAllBytes(Path.Combine(Snapshot, path));

    /// <summary>Lets the fake time run, second after second, until the test is over.</summary>
    public async Task TimeRuns()
    {
        while (!_over)
        {
            Clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1);
        }
    }

    /// <summary>What resolving must fail with.</summary>
    public HubException Fails(HubFault fault, string name = FakeHub.Name, HubOptions? options = null)
    {
        var error = Assert.Throws<HubException>(() => Client(options).Resolve(HubName.Parse(name)));
        Assert.Equal(fault, error.Fault);
        Assert.StartsWith("frog/", error.Name);
        Assert.Equal($"{error.Name}: {error.Reason} {error.Remedy}", error.Message);
        return error;
    }

    /// <summary>A file of the cache as other programs leave it.</summary>
    public string Write(string content, params string[] parts)
    {
        var path = Path.Combine([Repository, .. parts]);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
        return path;
    }

    public void Dispose()
    {
        _over = true;
        _clients.ForEach(client => client.Dispose());
        Hub.Dispose();
        Folder.Dispose();
    }
}

/// <summary>Notes every line.</summary>
public sealed class NotingLogger : ILogger
{
    public ConcurrentQueue<string> Lines { get; } = new();

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?,
        string> formatter) =>
        Lines.Enqueue($"{logLevel} {formatter(state, exception)} {exception}");
}

/// <summary>Notes every report, on the reporting thread.</summary>
public sealed class NotingProgress : IProgress<WorkProgress>
{
    public ConcurrentQueue<WorkProgress> Reports { get; } = new();

    public void Report(WorkProgress value) => Reports.Enqueue(value);
}
