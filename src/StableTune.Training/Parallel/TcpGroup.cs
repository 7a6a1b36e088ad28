using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace StableTune.Training;

/// <summary>
/// Processes over TCP. Large sums go around a ring, in which each process sends 2 (P - 1) / P of the numbers, whatever P is; all else goes
/// by the first process.
/// </summary>
/// <remarks>Patarasuk, Yuan: Bandwidth optimal all-reduce algorithms for clusters of workstations, 2009. Every part of the numbers is added
/// up once, in a fixed order, and then handed on, so that all processes have the same bits, and have them again in the next run.</remarks>
internal sealed class TcpGroup : HostProcessGroup
{
    /// <summary>Fewer bytes go by the first process: a ring's way is longer.</summary>
    private const int SmallSum = 1 << 12;

    /// <summary>How long the news of a process that has ended may take to come from the first one.</summary>
    private static readonly TimeSpan s_longestNews = TimeSpan.FromSeconds(10);

    private readonly TcpProcesses _options;
    private readonly TimeSpan _timeout;
    private readonly TcpPeer[] _peers;
    private readonly ControlLink[] _links;
    private readonly TcpClient _next, _previous;
    private readonly CancellationTokenSource _ended = new();
    private readonly Lock _telling = new();
    private (int Rank, string Reason)? _fault;
    private long _sent;
    private bool _disposed;

    public TcpGroup(TcpProcesses options, TimeSpan timeout)
    {
        (_options, _timeout) = (options, timeout);
        var rendezvous = new TcpRendezvous(options, timeout);
        using var ring = TcpListener.Create(0);
        ring.Start();
        (_peers, var links) = rendezvous.Meet(((IPEndPoint)ring.LocalEndpoint).Port);
        var (after, before) = ((Rank + 1) % Count, (Rank + Count - 1) % Count);
        // Whose ring cannot be closed leaves, and the others see that.
        void ThrowIfOneLeft()
        {
            foreach (var (rank, client) in links)
                if (client.Client.Poll(0, SelectMode.SelectRead) && client.Available == 0)
                    throw ProcessGroupException.Ended(NameOf(rank), rank, "it left before all had met");
        }

        try
        {
            _next = rendezvous.Connect(_peers[after].Address, _peers[after].Port, NameOf(after), ThrowIfOneLeft);
            _previous = rendezvous.Accept(ring, NameOf(before), ThrowIfOneLeft);
        }
        catch
        {
            _next?.Dispose();
            foreach (var (_, client) in links) client.Dispose();
            throw;
        }

        _previous.ReceiveTimeout = (int)Math.Min(timeout.TotalMilliseconds, int.MaxValue);
        _links = [.. links.Select(link => new ControlLink(link.Client, link.Rank, HasEnded))];
        foreach (var link in _links) link.Listen();
    }

    public override int Rank => _options.Rank;

    public override int Count => _options.Count;

    public override CancellationToken Ended => _ended.Token;

    public override long BytesSent => Interlocked.Read(ref _sent) + _links.Sum(link => link.BytesSent);

    public override string NameOf(int rank) => $"process {rank} ({_peers[rank].Name})";

    public override IReadOnlyList<byte[]> Gather(byte[] mine)
    {
        ArgumentNullException.ThrowIfNull(mine);
        return Guarded<IReadOnlyList<byte[]>>(() => Rank == 0 ? GatherHere(mine) : GatherThere(mine));
    }

    protected override void SumOnHost(Tensor values)
    {
        var bytes = (int)(values.numel() * values.element_size());
        var own = values.bytes[..bytes].ToArray();
        if (bytes <= SmallSum)
        {
            var all = Gather(own);
            own = [.. all[0]];
            // In the order of the processes, everywhere.
            foreach (var one in all.Skip(1)) Add(values.dtype, one, own);
        }
        else
        {
            Guarded(() =>
            {
                AroundTheRing(own, values.dtype, (int)values.element_size());
                return true;
            });
        }

        own.CopyTo(values.bytes);
    }

    public override void Fail(string reason) => HasEnded(Rank, reason);

    public override void Dispose()
    {
        // Not while the others are being told that a process has ended: they would hear that this one leaves, and no reason.
        lock (_telling)
        {
            if (_disposed) return;
            _disposed = true;
        }

        foreach (var link in _links) link.Dispose();
        _next.Dispose();
        _previous.Dispose();
        _ended.Dispose();
    }

    private List<byte[]> GatherHere(byte[] mine)
    {
        List<byte[]> all = [mine, .. _links.Select((link, i) => Received(link, i + 1))];
        using var message = new MemoryStream();
        var writer = new BinaryWriter(message);
        foreach (var one in all)
        {
            writer.Write(one.Length);
            writer.Write(one);
        }

        foreach (var link in _links) link.Send(ControlKind.Data, message.GetBuffer().AsSpan(0, (int)message.Length));
        return all;
    }

    private byte[][] GatherThere(byte[] mine)
    {
        _links[0].Send(ControlKind.Data, mine);
        var reader = new BinaryReader(new MemoryStream(Received(_links[0], 0)));
        return [.. Enumerable.Range(0, Count).Select(_ => reader.ReadBytes(reader.ReadInt32()))];
    }

    private byte[] Received(ControlLink link, int rank) => link.Receive(_timeout, _ended.Token)
        ?? throw ProcessGroupException.Ended(NameOf(rank), rank,
            link.HasLeft ? "it left before the others were done" : $"it has not answered for {_timeout}");

    /// <summary>Sums by parts: each goes once around to be added up, and once to be told.</summary>
    private void AroundTheRing(byte[] numbers, ScalarType type, int size)
    {
        var (count, arriving) = (numbers.Length / size, new byte[((numbers.Length / size / Count) + 1) * size]);
        (int From, int Length) Part(int index)
        {
            var place = ((index % Count) + Count) % Count;
            var from = (int)((long)count * place / Count);
            return (from * size, ((int)((long)count * (place + 1) / Count) - from) * size);
        }

        for (var step = 0; step < 2 * (Count - 1); step++)
        {
            var (from, length) = Part(Rank - step);
            var (to, taken) = Part(Rank - step - 1);
            var sending = _next.GetStream().WriteAsync(numbers.AsMemory(from, length), _ended.Token).AsTask();
            var isAdding = step < Count - 1;
            var target = isAdding ? arriving.AsSpan(0, taken) : numbers.AsSpan(to, taken);
            _previous.GetStream().ReadExactly(target);
            sending.GetAwaiter().GetResult();
            Interlocked.Add(ref _sent, length);
            if (isAdding) Add(type, target, numbers.AsSpan(to, taken));
        }
    }

    private static void Add(ScalarType type, ReadOnlySpan<byte> more, Span<byte> sum)
    {
        if (type == ScalarType.Float32) Add<float>(more, sum);
        else Add<double>(more, sum);
    }

    private static void Add<T>(ReadOnlySpan<byte> more, Span<byte> sum) where T : unmanaged, System.Numerics.INumber<T>
    {
        var target = MemoryMarshal.Cast<byte, T>(sum);
        System.Numerics.Tensors.TensorPrimitives.Add(target, MemoryMarshal.Cast<byte, T>(more), target);
    }

    /// <summary>A process has ended: whoever waits is woken, and the others are told.</summary>
    private void HasEnded(int rank, string reason)
    {
        lock (_telling)
        {
            if (_fault is not null || _disposed) return;
            _fault = (rank, reason);
            foreach (var link in _links) link.SendFault(rank, reason);
        }

        try
        {
            _ended.Cancel();
            _next.Dispose();
            _previous.Dispose();
        }
        catch (ObjectDisposedException)
        {
            // The group was disposed of meanwhile: nobody waits any more.
        }
    }

    /// <summary>Whatever goes wrong in an exchange, the process that ended is the cause, where one did.</summary>
    private T Guarded<T>(Func<T> exchange)
    {
        ThrowIfEnded(null);
        try
        {
            return exchange();
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // A neighbour is missed before the first process has told which one has ended.
            var waited = Stopwatch.StartNew();
            while (_fault is null && waited.Elapsed < s_longestNews) Thread.Sleep(10);
            ThrowIfEnded(fault);
            var before = (Rank + Count - 1) % Count;
            throw ProcessGroupException.Ended(NameOf(before), before, $"it has sent nothing ({fault.Message})", fault);
        }
    }

    private void ThrowIfEnded(Exception? inner)
    {
        (int Rank, string Reason)? fault;
        lock (_telling) fault = _fault;
        if (fault is var (rank, reason)) throw ProcessGroupException.Ended(NameOf(rank), rank, reason, inner);
    }
}
