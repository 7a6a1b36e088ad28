namespace StableTune.Preparation;

/// <summary>Reads protocol buffers from a file, field by field; what is not asked for is skipped without being read.</summary>
/// <param name="stream">The file, seekable.</param>
internal sealed class ProtoReader(Stream stream)
{
    private const int Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5;
    private const int LongestText = 1 << 16;

    private readonly long _length = stream.Length;

    /// <summary>Goes through the fields of a message that ends at a place in the file.</summary>
    /// <param name="end">The place.</param>
    /// <param name="field">Gets the number of a field that holds bytes, and where these end. What it leaves of them is skipped.</param>
    /// <exception cref="FormatException">This is no such message, or it is cut off; the text says where.</exception>
    internal void Message(long end, Action<int, long> field)
    {
        while (stream.Position < end)
        {
            var place = stream.Position;
            var tag = Number();
            var (number, kind) = ((int)Math.Min(tag >> 3, int.MaxValue), (int)(tag & 7));
            if (number == 0) throw new FormatException($"at byte {place} there is no field");
            var next = kind switch
            {
                Varint => Skipped(),
                Fixed64 => stream.Position + 8,
                Fixed32 => stream.Position + 4,
                Bytes => Content(place),
                _ => throw new FormatException($"at byte {place} there is a field of unknown kind {kind}"),
            };
            if (next > end)
                throw new FormatException($"the part that begins at byte {place} ends at byte {next}, but there are only {end}");
            if (kind == Bytes) field(number, next);
            stream.Position = next;
        }

        long Skipped()
        {
            Number();
            return stream.Position;
        }

        long Content(long place)
        {
            var length = Number();
            return length > (ulong)_length ? throw new FormatException(
                $"the part that begins at byte {place} has {length} bytes, but the file only {_length}") : stream.Position + (long)length;
        }
    }

    /// <summary>The text that ends at a place in the file.</summary>
    internal string Text(long end)
    {
        var length = end - stream.Position;
        if (length > LongestText) throw new FormatException($"at byte {stream.Position} there is a name of {length} bytes");
        var bytes = new byte[length];
        stream.ReadExactly(bytes);
        return System.Text.Encoding.UTF8.GetString(bytes);
    }

    private ulong Number()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = stream.ReadByte();
            if (next < 0) throw new FormatException($"the file ends in the middle of a number, at byte {_length}");
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return value;
        }

        throw new FormatException($"at byte {stream.Position} there is a number that does not end");
    }
}
