using System.Text;
using Microsoft.Win32.SafeHandles;

namespace StableTune.Formats;

/// <summary>The bytes of a pickle in a file, read in order through a small buffer. Every length is compared with what is left
/// first.</summary>
/// <param name="file">The file.</param>
/// <param name="path">The file, as the caller named it.</param>
/// <param name="start">Where the pickle begins.</param>
/// <param name="end">Where it must have ended.</param>
/// <param name="part">What messages call it, for instance <c>data.pkl</c>; null when it is the file itself.</param>
internal sealed class PickleSource(SafeFileHandle file, string path, long start, long end, string? part)
{
    /// <summary>The longest text or bytes that a pickle may hold.</summary>
    public const int MaximumText = 64 << 20;

    /// <summary>The longest name, number or other text that ends with its line.</summary>
    private const int MaximumLine = 4096;

    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    private readonly long _start = start;
    private readonly byte[] _buffer = new byte[1 << 16];
    private long _bufferStart = start;
    private int _next, _filled;

    /// <summary>Where in the file the next byte lies.</summary>
    public long Position => _bufferStart + _next;

    /// <summary>The number of bytes that were read or skipped.</summary>
    public long Consumed => Position - _start;

    /// <summary>Where this byte of the file lies, in the words of a message.</summary>
    public string Place(long position) => part is null ? $"byte {position}" : $"byte {position - _start} of {part}";

    /// <summary>Whether this many bytes follow.</summary>
    public bool Has(long length) => length <= end - Position;

    /// <summary>The next byte, or -1 at the end.</summary>
    public int TryReadByte()
    {
        if (_next == _filled && !Fill()) return -1;
        return _buffer[_next++];
    }

    /// <summary>The next bytes, at most 8 KB; valid until the next call.</summary>
    public ReadOnlySpan<byte> Take(int count)
    {
        if (_filled - _next < count)
        {
            CheckLeft(count);
            Refill();
            while (_filled < count) Append(count);
        }

        _next += count;
        return _buffer.AsSpan(_next - count, count);
    }

    /// <summary>Reads this many bytes of UTF-8 as a text.</summary>
    public string ReadText(ulong length)
    {
        var position = Position;
        try
        {
            return length <= 4096 ? Utf8.GetString(Take((int)length)) : Utf8.GetString(ReadBytes(length));
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidFileException(path, $"the text at {Place(position)} is not valid UTF-8.", TorchFaults.Damaged, e);
        }
    }

    /// <summary>Reads this many bytes.</summary>
    public byte[] ReadBytes(ulong length)
    {
        CheckLength(length);
        var bytes = new byte[(int)length];
        var buffered = Math.Min(bytes.Length, _filled - _next);
        _buffer.AsSpan(_next, buffered).CopyTo(bytes);
        _next += buffered;
        if (buffered < bytes.Length)
        {
            FileBytes.Read(file, bytes.AsSpan(buffered), Position, path);
            MoveTo(Position + bytes.Length - buffered);
        }

        return bytes;
    }

    /// <summary>Passes over bytes that stay in the file.</summary>
    public StoredBytes Skip(ulong length)
    {
        CheckLeft(length);
        var stored = StoredBytes.At(Position, (long)length);
        MoveTo(Position + (long)length);
        return stored;
    }

    /// <summary>The bytes up to the end of the line, without it; valid until the next call.</summary>
    public ReadOnlySpan<byte> ReadLine()
    {
        var position = Position;
        var end = _buffer.AsSpan(_next, _filled - _next).IndexOf((byte)'\n');
        if (end < 0)
        {
            Refill();
            while (_filled < MaximumLine && Append(MaximumLine)) { }
            end = _buffer.AsSpan(0, _filled).IndexOf((byte)'\n');
        }

        if (end < 0 && _filled < MaximumLine) throw Truncated();
        if (end is < 0 or > MaximumLine)
            throw Fault($"the line at {Place(position)} has more than {MaximumLine} bytes, which no name or number needs.");
        _next += end + 1;
        return _buffer.AsSpan(_next - end - 1, end);
    }

    /// <summary>The refusal of a length that is longer than texts may be, or than the file.</summary>
    public void CheckLength(ulong length)
    {
        if (length > MaximumText)
            throw new InvalidFileException(path, $"the text at {Place(Position)} has {length} bytes, and at most {MaximumText} are read.",
                "Get the model as .safetensors.");
        CheckLeft(length);
    }

    /// <summary>A fault of this pickle, with the customary remedy.</summary>
    public InvalidFileException Fault(string fault) => new(path, fault, TorchFaults.Damaged);

    public InvalidFileException Fault(string fault, string remedy) => new(path, fault, remedy);

    public InvalidFileException Truncated() => new(path,
        $"the pickle is truncated: it ends at {Place(end)}, in the middle of a value.", TorchFaults.Damaged);

    private void CheckLeft(ulong length)
    {
        if (length > (ulong)(end - Position))
            throw Fault($"the pickle is truncated: {length} byte(s) are announced at {Place(Position)}, but only {end - Position} follow.");
    }

    private void CheckLeft(int count) => CheckLeft((ulong)count);

    private void MoveTo(long position) => (_bufferStart, _next, _filled) = (position, 0, 0);

    private bool Fill()
    {
        MoveTo(Position);
        return Append(1);
    }

    /// <summary>Moves what is left to the front of the buffer.</summary>
    private void Refill()
    {
        var left = _filled - _next;
        Buffer.BlockCopy(_buffer, _next, _buffer, 0, left);
        (_bufferStart, _next, _filled) = (Position, 0, left);
    }

    /// <summary>Reads behind what the buffer holds; false at the end.</summary>
    private bool Append(int wanted)
    {
        var count = (int)Math.Min(_buffer.Length - _filled, end - (_bufferStart + _filled));
        if (count <= 0) return false;
        var read = FileBytes.ReadUpTo(file, _buffer.AsSpan(_filled, count), _bufferStart + _filled);
        if (read < Math.Min(wanted, count)) throw Fault($"the file ended at byte {_bufferStart + _filled + read} while it was being read.");
        _filled += read;
        return true;
    }
}
