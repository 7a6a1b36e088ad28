using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace StableTune.Testing;

/// <summary>A web server on loopback that does exactly what it is told, wrong things too. One request for each connection.</summary>
public sealed class TestServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly Func<TestRequest, Reply> _answer;

    public TestServer(Func<TestRequest, Reply> answer)
    {
        _answer = answer;
        _listener.Start();
        Address = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");
        _ = Task.Run(ServeAsync);
    }

    public Uri Address { get; }

    public ConcurrentQueue<TestRequest> Requests { get; } = new();

    public int CountOf(string path) => Requests.Count(r => r.Path == path);

    public void Dispose()
    {
        _end.Cancel();
        _listener.Dispose();
    }

    private async Task ServeAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            TcpClient client;
            try
            {
                client = await _listener.AcceptTcpClientAsync(_end.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }

            _ = Task.Run(() => ServeOneAsync(client));
        }
    }

    private async Task ServeOneAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                if (await ReadAsync(stream) is not { } request) return;
                Requests.Enqueue(request);
                await SendAsync(client, stream, _answer(request));
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
            {
                // The client gave up, or the test is over.
            }
        }
    }

    private async Task<TestRequest?> ReadAsync(NetworkStream stream)
    {
        List<byte> bytes = [];
        var one = new byte[1];
        while (bytes is not [.., 13, 10, 13, 10])
        {
            if (await stream.ReadAsync(one, _end.Token) == 0) return null;
            bytes.Add(one[0]);
        }

        var lines = Encoding.Latin1.GetString(bytes.ToArray()).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var first = lines[0].Split(' ');
        var headers = lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(p => p[0].ToLowerInvariant(), p => p[1]);
        var body = new byte[headers.TryGetValue("content-length", out var length) ? int.Parse(length, CultureInfo.InvariantCulture) : 0];
        await stream.ReadExactlyAsync(body, _end.Token);
        return new TestRequest(first[0], first[1], headers) { Body = body };
    }

    private async Task SendAsync(TcpClient client, NetworkStream stream, Reply reply)
    {
        if (reply.Until is { } until) await until.WaitAsync(_end.Token);
        var head = new StringBuilder($"HTTP/1.1 {reply.Status} Said\r\nConnection: close\r\n");
        foreach (var (name, value) in reply.Headers) head.Append(name).Append(": ").Append(value).Append("\r\n");
        var length = reply.ContentLength ?? reply.Body.Length;
        if (length >= 0) head.Append(CultureInfo.InvariantCulture, $"Content-Length: {length}\r\n");
        await stream.WriteAsync(Encoding.Latin1.GetBytes(head.Append("\r\n").ToString()), _end.Token);
        await stream.WriteAsync(reply.Body.AsMemory(0, Math.Min(reply.CutAfter ?? int.MaxValue, reply.Body.Length)), _end.Token);
        await stream.FlushAsync(_end.Token);
        while (reply.Stall is { } stall && !(client.Client.Poll(0, SelectMode.SelectRead) && client.Available == 0))
        {
            stall();
            await Task.Delay(2, _end.Token);
        }
    }
}
