namespace StableTune.Data;

/// <summary>Several processes that share the work of filling a cache. All of them fill the same caches in the same order.</summary>
internal interface ICacheSharing
{
    /// <summary>The number of this process, from 0.</summary>
    int Place { get; }

    /// <summary>How many processes there are.</summary>
    int Count { get; }

    /// <summary>Gives every process what each of them has, in their order; waits for all.</summary>
    IReadOnlyList<byte[]> Exchange(byte[] mine);
}

/// <summary>Which of a list of things that are missing a process computes, and how it gets the others.</summary>
internal static class SharedFilling
{
    /// <summary>Things of each process that are exchanged at once: a few megabytes of latents.</summary>
    private const int AtOnce = 32;

    /// <summary>Fills a cache in files together: each process computes its part, and looks for the others' when all are done. What it does
    /// not find, because it lies on another machine's disk, it computes itself.</summary>
    /// <param name="sharing">The processes.</param>
    /// <param name="missing">What is missing here; may differ from process to process.</param>
    /// <param name="number">A number of a thing, the same in all processes.</param>
    /// <param name="compute">Computes things and keeps them.</param>
    /// <param name="lookAgain">What is still missing of what another process was to compute.</param>
    public static void InFiles<T>(ICacheSharing sharing, IReadOnlyList<T> missing, Func<T, int> number, Action<IReadOnlyList<T>> compute,
        Func<IReadOnlyList<T>, IReadOnlyList<T>> lookAgain)
    {
        bool IsMine(T thing) => number(thing) % sharing.Count == sharing.Place;
        compute([.. missing.Where(IsMine)]);
        sharing.Exchange([]);
        compute(lookAgain([.. missing.Where(thing => !IsMine(thing))]));
    }

    /// <summary>Fills a cache in memory together: what one process computes is sent to all.</summary>
    /// <param name="sharing">The processes.</param>
    /// <param name="missing">What is missing, the same in all processes.</param>
    /// <param name="compute">Computes things and keeps them.</param>
    /// <param name="write">Writes one that was computed.</param>
    /// <param name="read">Keeps one that another process wrote.</param>
    public static void InMemory<T>(ICacheSharing sharing, IReadOnlyList<T> missing, Action<IReadOnlyList<T>> compute,
        Action<BinaryWriter, T> write, Action<BinaryReader, T> read)
    {
        foreach (var round in missing.Chunk(AtOnce * sharing.Count))
        {
            T[] PartOf(int place) => [.. round.Where((_, i) => i % sharing.Count == place)];
            var mine = PartOf(sharing.Place);
            compute(mine);
            using var message = new MemoryStream();
            using (var writer = new BinaryWriter(message, System.Text.Encoding.UTF8, leaveOpen: true))
                foreach (var thing in mine) write(writer, thing);
            var all = sharing.Exchange(message.ToArray());
            for (var place = 0; place < all.Count; place++)
            {
                if (place == sharing.Place) continue;
                var reader = new BinaryReader(new MemoryStream(all[place]));
                foreach (var thing in PartOf(place)) read(reader, thing);
            }
        }
    }

    /// <summary>Writes a tensor's type, shape and numbers; null too.</summary>
    public static void Write(BinaryWriter writer, Tensor? value)
    {
        writer.Write(value is not null);
        if (value is null) return;
        using var scope = NewDisposeScope();
        var host = value.cpu().contiguous();
        writer.Write((sbyte)host.dtype);
        writer.Write((int)host.dim());
        foreach (var size in host.shape) writer.Write(size);
        writer.Write(host.bytes[..(int)(host.numel() * host.element_size())]);
    }

    /// <summary>Reads what <see cref="Write"/> wrote; a tensor outside of all scopes.</summary>
    public static Tensor? Read(BinaryReader reader)
    {
        if (!reader.ReadBoolean()) return null;
        var type = (ScalarType)reader.ReadSByte();
        var shape = new long[reader.ReadInt32()];
        for (var i = 0; i < shape.Length; i++) shape[i] = reader.ReadInt64();
        var value = empty(shape, type).DetachFromDisposeScope();
        reader.BaseStream.ReadExactly(value.bytes[..(int)(value.numel() * value.element_size())]);
        return value;
    }
}
