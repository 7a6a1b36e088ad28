using System.Buffers.Binary;
using System.Text;

namespace StableTune.Testing;

/// <summary>Reads event files of TensorBoard bit by bit, as their description says: shares nothing with the writer.</summary>
public static class EventFile
{
    /// <summary>A value of an event.</summary>
    /// <param name="Step">The step.</param>
    /// <param name="Time">Seconds since 1970.</param>
    /// <param name="Tag">Its name.</param>
    /// <param name="Fields">Its other fields: numbers as double, bytes as they are.</param>
    public sealed record Value(long Step, double Time, string Tag, IReadOnlyList<(int Field, object Value)> Fields)
    {
        /// <summary>The number of a scalar.</summary>
        public float Scalar => (float)Fields.Single(each => each.Field == 2).Value;

        /// <summary>The message in a field.</summary>
        public IReadOnlyList<(int Field, object Value)> Message(int field) => Parse((byte[])Fields.Single(f => f.Field == field).Value);
    }

    /// <summary>All values of a file, and its version.</summary>
    public static (string Version, IReadOnlyList<Value> Values) Read(string path)
    {
        var (version, values) = ("", new List<Value>());
        foreach (var data in Records(File.ReadAllBytes(path)))
        {
            var fields = Parse(data);
            var time = (double)fields.Single(field => field.Field == 1).Value;
            var step = fields.Where(field => field.Field == 2).Select(field => (long)(ulong)field.Value).FirstOrDefault();
            foreach (var (field, value) in fields)
            {
                if (field == 3) version = Encoding.UTF8.GetString((byte[])value);
                if (field != 5) continue;
                foreach (var (_, each) in Parse((byte[])value))
                {
                    var parts = Parse((byte[])each);
                    var tag = Encoding.UTF8.GetString((byte[])parts.Single(part => part.Field == 1).Value);
                    values.Add(new Value(step, time, tag, [.. parts.Where(part => part.Field != 1)]));
                }
            }
        }

        return (version, values);
    }

    /// <summary>The fields of a message.</summary>
    public static IReadOnlyList<(int Field, object Value)> Parse(byte[] data)
    {
        var fields = new List<(int, object)>();
        for (var at = 0; at < data.Length;)
        {
            var key = Number(data, ref at);
            var (field, kind) = ((int)(key >> 3), (int)(key & 7));
            switch (kind)
            {
                case 0: fields.Add((field, Number(data, ref at))); break;
                case 1: fields.Add((field, BinaryPrimitives.ReadDoubleLittleEndian(data.AsSpan(at)))); at += 8; break;
                case 5: fields.Add((field, BinaryPrimitives.ReadSingleLittleEndian(data.AsSpan(at)))); at += 4; break;
                case 2:
                    var length = (int)Number(data, ref at);
                    fields.Add((field, data[at..(at + length)]));
                    at += length;
                    break;
                default: throw new InvalidDataException($"A field of kind {kind}.");
            }
        }

        return fields;
    }

    private static IEnumerable<byte[]> Records(byte[] file)
    {
        for (var at = 0; at < file.Length;)
        {
            var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(at));
            Check(file[at..(at + 8)], file.AsSpan(at + 8));
            Check(file[(at + 12)..(at + 12 + length)], file.AsSpan(at + 12 + length));
            yield return file[(at + 12)..(at + 12 + length)];
            at += 16 + length;
        }
    }

    private static void Check(byte[] data, ReadOnlySpan<byte> stored)
    {
        var crc = 0xFFFFFFFFu;
        foreach (var value in data)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
        }

        crc = ~crc;
        var masked = unchecked(((crc >> 15) | (crc << 17)) + 0xA282EAD8);
        if (masked != BinaryPrimitives.ReadUInt32LittleEndian(stored)) throw new InvalidDataException("A record's checksum is wrong.");
    }

    private static ulong Number(byte[] data, ref int at)
    {
        var (value, shift) = (0ul, 0);
        while (true)
        {
            var next = data[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return value;
            shift += 7;
        }
    }
}
