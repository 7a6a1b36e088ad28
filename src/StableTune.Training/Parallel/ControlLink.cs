using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;

namespace StableTune.Training;

/// <summary>The kinds of messages between the first process and another.</summary>
internal enum ControlKind : byte
{
    /// <summary>What one process has, or what all have.</summary>
    Data = 1,

    /// <summary>A process has ended: its number, and why.</summary>
    Fault = 2,

    /// <summary>The sender leaves, and all is well.</summary>
    Goodbye = 3,
}

/// <summary>
/// The connection between the first process and another. A thread reads, so that a process that ends is noticed while others compute.
/// </summary>
internal sealed class ControlLink : IDisposable
{
    private const int Head = 1 + sizeof(int), MostBytes = 1 << 30;

    private readonly TcpClient _client;
    private readonly NetworkStream _stream;
    private readonly BlockingCollection<byte[]> _data = [];
    private readonly Action<int, string> _fault;
    private readonly int _peer;
    private readonly Lock _sending = new();
    private long _sent;
    private volatile bool _isOver;

    /// <param name="client">The connection; becomes the link's.</param>
    /// <param name="peer">The process at the other end.</param>
    /// <param name="fault">Told of a process that has ended, and why; on the reading thread.</param>
    public ControlLink(TcpClient client, int peer, Action<int, string> fault) =>
        (_client, _stream, _peer, _fault) = (client, client.GetStream(), peer, fault);

    /// <summary>Begins to read: once all links are there, as what one of them hears is told to the others.</summary>
    public void Listen() => new Thread(Read) { IsBackground = true, Name = $"from process {_peer}" }.Start();

    public long BytesSent => Interlocked.Read(ref _sent);

    /// <summary>Sends a message. A connection that is broken is the reader's to tell.</summary>
    public void Send(ControlKind kind, ReadOnlySpan<byte> payload)
    {
        Span<byte> head = stackalloc byte[Head];
        head[0] = (byte)kind;
        BinaryPrimitives.WriteInt32LittleEndian(head[1..], payload.Length);
        lock (_sending)
        {
            _stream.Write(head);
            _stream.Write(payload);
        }

        Interlocked.Add(ref _sent, Head + payload.Length);
    }

    /// <summary>Tells the other end that a process has ended; what goes wrong meanwhile is the same fault.</summary>
    public void SendFault(int rank, string reason)
    {
        var payload = new byte[sizeof(int) + Encoding.UTF8.GetByteCount(reason)];
        BinaryPrimitives.WriteInt32LittleEndian(payload, rank);
        Encoding.UTF8.GetBytes(reason, payload.AsSpan(sizeof(int)));
        TrySend(ControlKind.Fault, payload);
    }

    /// <summary>The next data of the other end.</summary>
    /// <param name="timeout">How long to wait.</param>
    /// <param name="fault">Ends the wait when a process has ended.</param>
    /// <returns>The data; null where none came in time, or the other end has left.</returns>
    public byte[]? Receive(TimeSpan timeout, CancellationToken fault) =>
        _data.TryTake(out var data, (int)Math.Min(timeout.TotalMilliseconds, int.MaxValue), fault) ? data : null;

    /// <summary>Whether the other end said that it leaves.</summary>
    public bool HasLeft => _data.IsAddingCompleted;

    public void Dispose()
    {
        _isOver = true;
        TrySend(ControlKind.Goodbye, []);
        _client.Dispose();
    }

    private void TrySend(ControlKind kind, ReadOnlySpan<byte> payload)
    {
        try
        {
            Send(kind, payload);
        }
        catch (Exception fault) when (fault is IOException or ObjectDisposedException)
        {
            _isOver = true;                                                  // nobody is there to hear it
        }
    }

    private void Read()
    {
        try
        {
            var head = new byte[Head];
            while (true)
            {
                _stream.ReadExactly(head);
                var length = BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(1));
                if (length is < 0 or > MostBytes) throw new InvalidDataException("it sent what is no message of this program");
                var payload = new byte[length];
                _stream.ReadExactly(payload);
                if (!Take((ControlKind)head[0], payload)) return;
            }
        }
        catch (Exception fault)                                              // a thread of its own: nobody else would hear of it
        {
            if (!_isOver) _fault(_peer, fault is EndOfStreamException or IOException ? "its connection was closed" : fault.Message);
        }
        finally
        {
            _data.CompleteAdding();
        }
    }

    private bool Take(ControlKind kind, byte[] payload)
    {
        switch (kind)
        {
            case ControlKind.Data:
                _data.Add(payload);
                return true;
            case ControlKind.Fault when payload.Length >= sizeof(int):
                _fault(BinaryPrimitives.ReadInt32LittleEndian(payload), Encoding.UTF8.GetString(payload.AsSpan(sizeof(int))));
                return false;
            case ControlKind.Goodbye:
                return false;
            default:
                throw new InvalidDataException("it sent what is no message of this program");
        }
    }
}
