using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace StableTune.Imaging;

/// <summary>
/// Texts in PNG files, such as the prompt and settings a picture was made with (most programs look for the keyword
/// "parameters"). Latin-1 texts become tEXt chunks, others iTXt in UTF-8; both are written uncompressed before the pixels.
/// </summary>
public static class PngText
{
    private const int HeaderEnd = 33;   // signature and IHDR

    /// <summary>Puts texts into an encoded PNG.</summary>
    /// <param name="png">The file's bytes.</param>
    /// <param name="text">Keyword (1 to 79 printable Latin-1 characters) and text (without the character 0).</param>
    /// <returns>The bytes of a new file.</returns>
    /// <exception cref="ArgumentException">A keyword or text is not allowed in PNG, or the bytes are no PNG.</exception>
    public static byte[] Insert(ReadOnlySpan<byte> png, IReadOnlyDictionary<string, string> text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (png.Length < HeaderEnd || !png.StartsWith(PngFile.Signature))
            throw new ArgumentException("the bytes are no PNG file", nameof(png));
        using var result = new MemoryStream(png.Length + 1024);
        result.Write(png[..HeaderEnd]);
        foreach (var (keyword, value) in text) WriteChunk(result, keyword, value);
        result.Write(png[HeaderEnd..]);
        return result.ToArray();
    }

    /// <summary>Reads the uncompressed texts of a PNG file.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Keyword to text; of a keyword that occurs twice, the last text.</returns>
    /// <exception cref="InvalidFileException">The file is no PNG.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static IReadOnlyDictionary<string, string> Read(string path)
    {
        ReadOnlySpan<byte> file = File.ReadAllBytes(path);
        if (!file.StartsWith(PngFile.Signature)) throw ImageFile.Invalid(path, new("it is no PNG file"));
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var at = 8; file.Length - at >= 12;)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(file[at..]);
            if (length > file.Length - at - 12) break;
            ReadOnlySpan<byte> type = file.Slice(at + 4, 4), content = file.Slice(at + 8, (int)length);
            var end = content.IndexOf((byte)0);
            if (end > 0 && type.SequenceEqual("tEXt"u8))
                texts[Encoding.Latin1.GetString(content[..end])] = Encoding.Latin1.GetString(content[(end + 1)..]);
            else if (end > 0 && type.SequenceEqual("iTXt"u8) && InternationalText(content[(end + 1)..]) is { } value)
                texts[Encoding.Latin1.GetString(content[..end])] = value;
            at += 12 + (int)length;
        }

        return texts;
    }

    // Compression flag and method, language tag, translated keyword, text.
    private static string? InternationalText(ReadOnlySpan<byte> rest)
    {
        if (rest.Length < 2 || rest[0] != 0) return null;
        rest = rest[2..];
        for (var field = 0; field < 2; field++)
        {
            var end = rest.IndexOf((byte)0);
            if (end < 0) return null;
            rest = rest[(end + 1)..];
        }

        return Encoding.UTF8.GetString(rest);
    }

    private static void WriteChunk(Stream stream, string keyword, string value)
    {
        if (keyword.Length is 0 or > 79 || keyword != keyword.Trim() || keyword.Any(c => c is < ' ' or > 'ÿ' or (>= '\x7F' and <= '\xA0')))
            throw new ArgumentException(
                $"\"{keyword}\" cannot be a keyword of a PNG text: 1 to 79 printable Latin-1 characters are needed, without blanks at "
                    + $"the ends", nameof(keyword));
        if (value.Contains('\0'))
            throw new ArgumentException($"the PNG text \"{keyword}\" holds the character 0, which ends texts there", nameof(value));
        byte[] body = value.All(c => c <= 'ÿ')
            ? [.. "tEXt"u8, .. Encoding.Latin1.GetBytes(keyword), 0, .. Encoding.Latin1.GetBytes(value)]
            : [.. "iTXt"u8, .. Encoding.Latin1.GetBytes(keyword), 0, 0, 0, 0, 0, .. Encoding.UTF8.GetBytes(value)];
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, body.Length - 4);
        stream.Write(number);
        stream.Write(body);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc32.HashToUInt32(body));
        stream.Write(number);
    }
}
