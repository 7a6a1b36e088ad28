using System.Buffers.Binary;
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace StableTune.Formats;

/// <summary>The checked header of a safetensors file: what is in it and where.</summary>
/// <param name="Tensors">The tensors, in the order of the header.</param>
/// <param name="Metadata">The free texts of <c>__metadata__</c>, in the order of the header; null without it.</param>
/// <param name="DataOffset">Where in the file the data begins.</param>
/// <param name="DataLength">The size of the data in bytes.</param>
internal sealed record SafetensorsHeader(
    IReadOnlyList<TensorInfo> Tensors, OrderedDictionary<string, string>? Metadata, long DataOffset, long DataLength)
{
    /// <summary>The limit on the header's size, the same as the reference library's.</summary>
    public const long MaximumLength = 100_000_000;

    private const string Again = "The file is damaged or was not fully written: download or save it again.";

    /// <summary>Reads and checks the header. Memory is taken only for sizes that were compared with the file's length.</summary>
    /// <exception cref="InvalidFileException">The file is no safetensors file, is truncated, or its header breaks a rule.</exception>
    public static SafetensorsHeader Read(SafeFileHandle file, string path)
    {
        var fileLength = RandomAccess.GetLength(file);
        Span<byte> start = stackalloc byte[FileKind.BytesNeeded];
        start = start[..FileBytes.ReadUpTo(file, start, 0)];
        if (start.Length == 0) throw new InvalidFileException(path, "the file is empty.", Again);

        var length = start.Length >= 8 ? BinaryPrimitives.ReadUInt64LittleEndian(start) : ulong.MaxValue;
        var brace = start.Length > 8 && start[8] == (byte)'{';
        if (!brace && FileKind.Recognize(start) is { } kind)
            throw new InvalidFileException(path, $"not a safetensors file: {kind.Description}.", kind.Remedy);
        if (start.Length < 8)
            throw new InvalidFileException(path,
                $"not a safetensors file: it has {fileLength} byte(s), and the length of the header alone takes 8.", Again);
        CheckLength(path, length, fileLength, brace);

        var bytes = new byte[(int)length];
        FileBytes.Read(file, bytes, 8, path);
        if (bytes[0] != (byte)'{')
            throw new InvalidFileException(path, "not a safetensors file: the header does not begin with '{'.",
                "Name a .safetensors file.");

        var dataOffset = 8 + (long)length;
        var (tensors, metadata) = new HeaderParser(path).Parse(bytes);
        CheckRanges(path, tensors, fileLength - dataOffset);
        return new SafetensorsHeader(tensors, metadata, dataOffset, fileLength - dataOffset);
    }

    private static void CheckLength(string path, ulong length, long fileLength, bool brace)
    {
        // Eight arbitrary bytes read as a number are almost always huge; only the '{' behind them speaks for a safetensors file.
        var fault = brace ? "" : "not a safetensors file, or a damaged one: ";
        if (length < 2)
            throw new InvalidFileException(path, $"{fault}the header's length is {length}, but the shortest header has 2 bytes.", Again);
        if (length > MaximumLength)
            throw new InvalidFileException(path,
                $"{fault}the header's length is {Number(length)} bytes, and at most {Number(MaximumLength)} are allowed.",
                brace ? Again : "Name a .safetensors file.");
        if ((long)length > fileLength - 8)
            throw new InvalidFileException(path,
                $"{fault}the header's length is {Number(length)} bytes, but only {Number(fileLength - 8)} follow: the file is truncated.",
                Again);
    }

    /// <summary>Ranges sorted by their begin must leave no hole, not overlap, and cover the data exactly.</summary>
    private static void CheckRanges(string path, List<TensorInfo> tensors, long dataLength)
    {
        foreach (var tensor in tensors)
            if (tensor.End > dataLength)
                throw new InvalidFileException(path,
                    $"tensor '{tensor.Name}' lies at bytes {tensor.Begin}..{tensor.End} of the data, but the file holds only "
                        + $"{dataLength} bytes of data: " +
                    $"it is truncated, {Number(tensors.Max(t => t.End) - dataLength)} byte(s) are missing.", Again);

        var reached = 0L;
        var last = "";
        foreach (var tensor in tensors.OrderBy(t => t.Begin).ThenBy(t => t.End))
        {
            if (tensor.Begin < reached)
                throw new InvalidFileException(path,
                    $"tensors '{last}' and '{tensor.Name}' overlap: one ends at byte {reached} of the data, the other begins at "
                        + $"{tensor.Begin}.", Again);
            if (tensor.Begin > reached)
                throw new InvalidFileException(path,
                    $"bytes {reached}..{tensor.Begin} of the data, before tensor '{tensor.Name}', belong to no tensor.", Again);
            (reached, last) = (tensor.End, tensor.Name);
        }

        if (reached != dataLength)
            throw new InvalidFileException(path,
                $"the tensors end at byte {reached} of the data, but the file holds {dataLength}: {Number(dataLength - reached)} byte(s) "
                    + $"belong to no tensor.", Again);
    }

    private static string Number<T>(T value) where T : IFormattable => value.ToString("N0", CultureInfo.InvariantCulture);
}
