using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace StableTune.Training;

/// <summary>A process as the others see it.</summary>
/// <param name="Name">Machine and process id.</param>
/// <param name="Address">Where its neighbour in the ring finds it.</param>
/// <param name="Port">The port of its place in the ring.</param>
internal sealed record TcpPeer(string Name, string Address, int Port);

/// <summary>How the processes of a group meet: all go to the first, which tells each where the others are.</summary>
/// <param name="options">Numbers and addresses.</param>
/// <param name="timeout">How long to wait for the others.</param>
internal sealed class TcpRendezvous(TcpProcesses options, TimeSpan timeout)
{
    private const int MostText = 1024;
    private static readonly byte[] s_greeting = Encoding.ASCII.GetBytes("StableTune processes 1\n");
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);

    private readonly Stopwatch _clock = Stopwatch.StartNew();

    public static string OwnName => $"{Environment.MachineName}, process {Environment.ProcessId}";

    private TimeSpan Left => timeout - _clock.Elapsed;

    /// <summary>Meets the others.</summary>
    /// <param name="ringPort">Where this process waits for its neighbour.</param>
    /// <returns>All processes in their order, and connections: of the first to each other process, of others to the first.</returns>
    public (TcpPeer[] Peers, (int Rank, TcpClient Client)[] Links) Meet(int ringPort) =>
        options.Rank == 0 ? Receive(ringPort) : Go(ringPort);

    /// <summary>Connects to another process, trying again until it is there.</summary>
    /// <param name="address">Where it is.</param>
    /// <param name="port">And there.</param>
    /// <param name="who">What it is called.</param>
    /// <param name="check">Throws where waiting is in vain.</param>
    public TcpClient Connect(string address, int port, string who, Action? check = null)
    {
        while (true)
        {
            check?.Invoke();
            var client = new TcpClient { NoDelay = true };
            try
            {
                client.Connect(address, port);
                KeepAlive(client.Client);
                return client;
            }
            catch (SocketException fault)
            {
                client.Dispose();
                if (Left < s_pause)
                    throw new ProcessGroupException($"{who} does not answer at {address}, port {port}, within {timeout}: {fault.Message}. "
                        + "Look whether it was started, and whether a firewall lets the port through.", inner: fault);
                Thread.Sleep(s_pause);
            }
        }
    }

    /// <summary>A machine that vanishes without a word is noticed within a minute.</summary>
    public static void KeepAlive(Socket socket)
    {
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 30);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 10);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
    }

    /// <summary>Waits for a connection.</summary>
    /// <param name="listener">Where it comes.</param>
    /// <param name="whom">Who is waited for.</param>
    /// <param name="check">Throws where waiting is in vain.</param>
    public TcpClient Accept(TcpListener listener, string whom, Action? check = null)
    {
        while (!listener.Pending())
        {
            check?.Invoke();
            if (Left <= TimeSpan.Zero)
                throw new ProcessGroupException($"{whom} did not come within {timeout}. Look whether all {options.Count} processes were "
                    + "started, with the same address and port.");
            Thread.Sleep(s_pause / 10);
        }

        var client = listener.AcceptTcpClient();
        client.NoDelay = true;
        KeepAlive(client.Client);
        return client;
    }

    private (TcpPeer[], (int, TcpClient)[]) Receive(int ringPort)
    {
        using var listener = Listen();
        var (peers, clients) = (new TcpPeer?[options.Count], new TcpClient?[options.Count]);
        peers[0] = new TcpPeer(OwnName, options.Address, ringPort);
        try
        {
            while (Array.IndexOf(peers, null) is >= 0 and var missing)
            {
                var client = Accept(listener, $"Process {missing}");
                var isTaken = false;
                try
                {
                    // What is no process of this program is sent away, and the wait goes on.
                    if (Greeted(client) is not var (rank, peer)) continue;
                    if (peers[rank] is { } other)
                        throw new ProcessGroupException($"{peer.Name} and {other.Name} both have the number {rank}. Give each process its "
                            + "own.", rank);
                    (peers[rank], clients[rank], isTaken) = (peer, client, true);
                }
                finally
                {
                    if (!isTaken) client.Dispose();
                }
            }

            foreach (var client in clients.OfType<TcpClient>()) Tell(client, [.. peers.OfType<TcpPeer>()]);
            return ([.. peers.OfType<TcpPeer>()], [.. Enumerable.Range(1, options.Count - 1).Select(rank => (rank, clients[rank]!))]);
        }
        catch
        {
            foreach (var client in clients) client?.Dispose();
            throw;
        }
    }

    private TcpListener Listen()
    {
        var listener = TcpListener.Create(options.Port);
        listener.Server.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        try
        {
            listener.Start();
            return listener;
        }
        catch (SocketException fault)
        {
            listener.Dispose();
            throw new ProcessGroupException($"Port {options.Port} cannot be listened on: {fault.Message}. Choose another one "
                + "(TcpProcesses.Port, MASTER_PORT).", 0, fault);
        }
    }

    /// <summary>The process at the other end; null where it is none of this program.</summary>
    private (int Rank, TcpPeer Peer)? Greeted(TcpClient client)
    {
        try
        {
            client.ReceiveTimeout = 10_000;
            var reader = new BinaryReader(client.GetStream(), Encoding.UTF8, leaveOpen: true);
            if (!reader.ReadBytes(s_greeting.Length).AsSpan().SequenceEqual(s_greeting)) return null;
            var (rank, count, port, name) = (reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32(), Text(reader));
            client.ReceiveTimeout = 0;
            if (count != options.Count)
                throw new ProcessGroupException($"{name} was told of {count} processes, and this one of {options.Count}. Start all of them "
                    + "with the same number.", rank);
            if (rank < 1 || rank >= options.Count) return null;
            return (rank, new TcpPeer(name, ((IPEndPoint)client.Client.RemoteEndPoint!).Address.ToString(), port));
        }
        catch (Exception fault) when (fault is IOException or InvalidDataException)
        {
            return null;
        }
    }

    private static void Tell(TcpClient client, TcpPeer[] peers)
    {
        using var message = new MemoryStream();
        var writer = new BinaryWriter(message, Encoding.UTF8);
        foreach (var peer in peers)
        {
            writer.Write(peer.Name);
            writer.Write(peer.Address);
            writer.Write(peer.Port);
        }

        client.GetStream().Write(message.ToArray());
    }

    private (TcpPeer[], (int, TcpClient)[]) Go(int ringPort)
    {
        var client = Connect(options.Address, options.Port, "The first process");
        try
        {
            using var message = new MemoryStream();
            var writer = new BinaryWriter(message, Encoding.UTF8);
            writer.Write(s_greeting);
            writer.Write(options.Rank);
            writer.Write(options.Count);
            writer.Write(ringPort);
            writer.Write(OwnName);
            client.GetStream().Write(message.ToArray());
            client.ReceiveTimeout = (int)Math.Clamp(Left.TotalMilliseconds, 1, int.MaxValue);
            var reader = new BinaryReader(client.GetStream(), Encoding.UTF8, leaveOpen: true);
            TcpPeer[] peers = [.. Enumerable.Range(0, options.Count)
                .Select(_ => new TcpPeer(Text(reader), Text(reader), reader.ReadInt32()))];
            client.ReceiveTimeout = 0;
            // The first process is where this one found it, whatever it calls itself.
            peers[0] = peers[0] with { Address = options.Address };
            return (peers, [(0, client)]);
        }
        catch (Exception fault) when (fault is IOException or InvalidDataException)
        {
            client.Dispose();
            throw new ProcessGroupException($"The first process ({options.Address}, port {options.Port}) sent this one away: it was "
                + "started with another number of processes, another has this number, or it has ended. Its own messages say more.",
                0, fault);
        }
    }

    private static string Text(BinaryReader reader)
    {
        var text = reader.ReadString();
        return text.Length <= MostText ? text : throw new InvalidDataException("a text is too long");
    }
}
