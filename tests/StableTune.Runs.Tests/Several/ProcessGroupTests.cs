using System.Net.Sockets;
using System.Text;
using StableTune.Training;

namespace StableTune.Tests.Several;

/// <summary>Processes over TCP: what they exchange, and what can go wrong when they meet.</summary>
public sealed class ProcessGroupTests
{
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData(2, 3)]
    [InlineData(2, 40_001)]
    [InlineData(3, 40_001)]
    [InlineData(4, 1025)]
    public async Task Sum_GivesAllTheSameBits_AndSendsAsMuchAsARingDoes(int count, int length)
    {
        var sums = await TogetherAsync(count, group =>
        {
            using var scope = NewDisposeScope();
            using var random = new Generator((ulong)group.Rank);
            using var values = randn([length], dtype: ScalarType.Float32, generator: random);
            using var precise = values.to(ScalarType.Float64);
            var before = group.BytesSent;
            group.Sum(values);
            var sent = group.BytesSent - before;
            group.Sum(precise);
            return (Sum: values.data<float>().ToArray(), Precise: precise.data<double>().ToArray(), sent);
        });
        Assert.All(sums, one => Assert.Equal(sums[0].Sum, one.Sum));
        Assert.All(sums, one => Assert.Equal(sums[0].Precise, one.Precise));
        for (var i = 0; i < length; i++) Assert.Equal(sums[0].Precise[i], sums[0].Sum[i], 1e-5);
        if (length > 1024) Assert.All(sums, one => Assert.InRange(one.sent, 8L * (count - 1) * (length / count),
            8L * (count - 1) * ((length / count) + 1)));
    }

    [Fact]
    public async Task Gather_GivesAllWhatEachHas()
    {
        var all = await TogetherAsync(3, group => group.Gather(Encoding.ASCII.GetBytes(new string('x', group.Rank))));
        Assert.All(all, one => Assert.Equal(["", "x", "xx"], one.Select(Encoding.ASCII.GetString)));
    }

    [Fact]
    public async Task Sum_AfterAnotherFailed_SaysWhoAndWhy()
    {
        var faults = await TogetherAsync(3, group =>
        {
            if (group.Rank == 2) group.Fail("the disk is full");
            using var values = ones(20_000);
            void SumOn()
            {
                while (true) group.Sum(values);
            }

            return Assert.Throws<ProcessGroupException>(SumOn);
        });
        Assert.All(faults, fault =>
        {
            Assert.Equal(2, fault.Rank);
            Assert.Contains("has ended: the disk is full. The run cannot go on", fault.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task Gather_AfterAnotherLeft_DoesNotWait()
    {
        var port = ProcessRunTests.FreePort();
        var first = Task.Run(() => Group(0, 2, port).Open(s_long));
        using (var second = Group(1, 2, port).Open(s_long)) await first;
        using var left = await first;
        Assert.Contains("it left before the others were done", Assert.Throws<ProcessGroupException>(() => left.Gather([1])).Message,
            StringComparison.Ordinal);
    }

    /// <summary>Whoever finds the port: what is no process of this program is sent away.</summary>
    [Fact]
    public async Task Open_AStrangerOnThePort_IsSentAway()
    {
        var port = ProcessRunTests.FreePort();
        var first = Task.Run(() => Group(0, 2, port).Open(s_long));
        foreach (var greeting in new[] { "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "StableTune processes 1\n\u0001" })
        {
            using var stranger = await ConnectAsync(port);
            await stranger.GetStream().WriteAsync(Encoding.ASCII.GetBytes(greeting));
            stranger.Client.Shutdown(SocketShutdown.Send);
        }

        using var second = Group(1, 2, port).Open(s_long);
        using var group = await first;
        Assert.Equal(2, group.Count);
    }

    [Fact]
    public async Task Open_WithNumbersThatDoNotFit_SaysSo()
    {
        var port = ProcessRunTests.FreePort();
        var first = Task.Run(() => Assert.Throws<ProcessGroupException>(() => Group(0, 2, port).Open(s_long)).Message);
        var second = Assert.Throws<ProcessGroupException>(() => Group(1, 3, port).Open(s_long)).Message;
        Assert.Contains("was told of 3 processes, and this one of 2", await first, StringComparison.Ordinal);
        Assert.Contains("sent this one away", second, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_WithANumberTwice_SaysWhoHasIt()
    {
        var port = ProcessRunTests.FreePort();
        var first = Task.Run(() => Assert.Throws<ProcessGroupException>(() => Group(0, 3, port).Open(s_long)).Message);
        var others = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
            Assert.Throws<ProcessGroupException>(() => Group(1, 3, port).Open(s_long)).Message)));
        Assert.Contains("both have the number 1", await first, StringComparison.Ordinal);
        Assert.All(others, message => Assert.Contains("sent this one away", message, StringComparison.Ordinal));
    }

    [Fact]
    public void Open_WithNobodyThere_SaysWho()
    {
        var missing = Assert.Throws<ProcessGroupException>(() =>
            Group(0, 2, ProcessRunTests.FreePort()).Open(TimeSpan.FromMilliseconds(200))).Message;
        Assert.StartsWith("Process 1 did not come within 00:00:00.2", missing, StringComparison.Ordinal);
        var nobody = Assert.Throws<ProcessGroupException>(() =>
            Group(1, 2, ProcessRunTests.FreePort()).Open(TimeSpan.FromMilliseconds(200))).Message;
        Assert.StartsWith("The first process does not answer at 127.0.0.1", nobody, StringComparison.Ordinal);
    }

    private static TcpProcesses Group(int rank, int count, int port) => new() { Rank = rank, Count = count, Port = port };

    private static async Task<T[]> TogetherAsync<T>(int count, Func<IProcessGroup, T> work)
    {
        var port = ProcessRunTests.FreePort();
        return await Task.WhenAll(Enumerable.Range(0, count).Select(rank => Task.Factory.StartNew(() =>
        {
            using var group = Group(rank, count, port).Open(s_long);
            return work(group);
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
    }

    private static async Task<TcpClient> ConnectAsync(int port)
    {
        while (true)
        {
            var client = new TcpClient();
            try
            {
                await client.ConnectAsync("127.0.0.1", port);
                return client;
            }
            catch (SocketException)
            {
                client.Dispose();
                await Task.Delay(10);
            }
        }
    }
}
