using System.Buffers.Binary;
using System.Text;

namespace StableTune.Formats;

/// <summary>What stands before the data of an <c>.npy</c> file; checked.</summary>
/// <param name="DType">The element type.</param>
/// <param name="Columnwise">Whether the first index runs fastest (Fortran order).</param>
/// <param name="Shape">The sizes.</param>
/// <param name="Length">The number of bytes before the data.</param>
/// <param name="ByteCount">The number of bytes of the data.</param>
internal sealed record NpyHeader(TensorDType DType, bool Columnwise, IReadOnlyList<long> Shape, int Length, long ByteCount)
{
    /// <summary>The bytes that tell how long the header is.</summary>
    public const int StartLength = 12;

    /// <summary>The longest header that is read; NumPy itself stops at 10,000.</summary>
    private const int MaximumLength = 1 << 16;

    /// <summary>NumPy leaves room so that the first size can grow to this many digits.</summary>
    private const int GrowthDigits = 21;

    private const int Alignment = 64;

    /// <summary>The length of the whole header, from its first <see cref="StartLength"/> bytes (fewer if there are no more).</summary>
    /// <param name="start">The first bytes.</param>
    /// <param name="available">How many bytes there are in all.</param>
    /// <param name="faults">Whose messages.</param>
    public static int LengthOf(ReadOnlySpan<byte> start, long available, NpyFaults faults)
    {
        if (start.Length < 6 || start[0] != 0x93 || !start[1..].StartsWith("NUMPY"u8))
            throw faults.Fault("it does not begin as NumPy arrays do (\\x93NUMPY).");
        if (start.Length < 10) throw faults.Truncated(available);
        var (major, minor) = (start[6], start[7]);
        if (major is < 1 or > 3 || minor != 0)
            throw faults.Fault($"its format has version {major}.{minor}, and 1.0, 2.0 and 3.0 are known.");
        if (major > 1 && start.Length < StartLength) throw faults.Truncated(available);
        var length = major == 1 ? 10L + BinaryPrimitives.ReadUInt16LittleEndian(start[8..])
            : 12L + BinaryPrimitives.ReadUInt32LittleEndian(start[8..]);
        if (length > MaximumLength + StartLength)
            throw faults.Fault($"its header takes {length} bytes, and at most {MaximumLength} are read.");
        return length <= available ? (int)length : throw faults.Truncated(available);
    }

    /// <summary>Reads a whole header and holds it against the number of bytes that there are.</summary>
    public static NpyHeader Parse(ReadOnlySpan<byte> header, long available, NpyFaults faults)
    {
        var text = header[(header[6] == 1 ? 10 : 12)..];
        // Version 3 is UTF-8, before it Latin-1; what is known here is ASCII in either.
        var (descr, columnwise, shape) = new NpyDictionary(Encoding.Latin1.GetString(text), faults).Read();
        var type = NpyTypes.Parse(descr) ?? throw faults.Type(descr);
        if (TensorInfo.SizeOf(type, shape) is not { } size)
            throw faults.Fault($"its shape ({string.Join(", ", shape)}) is impossible: the number of bytes overflows.");
        if (size != available - header.Length)
            throw faults.Fault(
                $"{type.Name()} ({string.Join(", ", shape)}) takes {size} bytes, but {available - header.Length} follow the header.");
        return new NpyHeader(type, columnwise, shape, header.Length, size);
    }

    /// <summary>The header as NumPy writes it.</summary>
    /// <exception cref="ArgumentException">NumPy has no such type, or the size is impossible.</exception>
    public static byte[] Write(string name, TensorDType type, IReadOnlyList<long> shape)
    {
        var descr = NpyTypes.Descr(type)
            ?? throw new ArgumentException(
            $"Array '{name}' is {type.Name()}, which NumPy has no type for: convert it to F32.", nameof(type));
        if (shape.Count > NpyDictionary.MaximumDimensions)
            throw new ArgumentException(
            $"Array '{name}' has {shape.Count} dimensions, and at most {NpyDictionary.MaximumDimensions} can be.", nameof(shape));
        var sizes = shape.Count == 1 ? $"{shape[0]}," : string.Join(", ", shape);
        var text = new StringBuilder($"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}");
        if (shape.Count > 0) text.Append(' ', GrowthDigits - shape[0].ToString(System.Globalization.CultureInfo.InvariantCulture).Length);
        text.Append(' ', Alignment - ((10 + text.Length + 1) % Alignment)).Append('\n');
        var header = new byte[10 + text.Length];
        ((ReadOnlySpan<byte>)[0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0]).CopyTo(header);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), (ushort)text.Length);
        Encoding.ASCII.GetBytes(text.ToString(), header.AsSpan(10));
        return header;
    }
}
