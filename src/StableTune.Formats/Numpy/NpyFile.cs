namespace StableTune.Formats;

/// <summary>Reads and writes <c>.npy</c> files: one array each.</summary>
public static class NpyFile
{
    /// <summary>Reads a file: versions 1 to 3, little-endian numbers and booleans, rows or columns first.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The array, its elements row by row, named as the file without its ending.</returns>
    /// <exception cref="InvalidFileException">The file is missing, no such file, truncated, or holds what is no number.</exception>
    public static NpyArray Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var file = FileBytes.Open(path);
        var faults = new NpyFaults(path, null);
        var length = file.Length;
        Span<byte> start = stackalloc byte[NpyHeader.StartLength];
        start = start[..FileBytes.ReadUpTo(file.SafeFileHandle, start, 0)];
        var headerBytes = new byte[NpyHeader.LengthOf(start, length, faults)];
        FileBytes.Read(file.SafeFileHandle, headerBytes, 0, path);
        var header = NpyHeader.Parse(headerBytes, length, faults);
        if (header.ByteCount > Array.MaxLength)
            throw faults.Fault($"its {header.ByteCount} bytes are more than one array in memory can hold.", "Save it in several parts.");
        var bytes = new byte[header.ByteCount];
        FileBytes.Read(file.SafeFileHandle, bytes, header.Length, path);
        return new NpyArray(Path.GetFileNameWithoutExtension(path), header.DType, header.Shape,
            header.Columnwise ? ColumnOrder.ToRows(bytes, header) : bytes);
    }

    /// <summary>Writes a file as NumPy does: complete or absent.</summary>
    /// <param name="path">The file; its folder is created when missing.</param>
    /// <param name="array">What it is to hold; streamed.</param>
    /// <exception cref="ArgumentException">NumPy has no such element type (bfloat16 and 8-bit floats), or the size is
    /// impossible.</exception>
    /// <exception cref="InvalidOperationException">The array wrote more or fewer bytes than its shape takes.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, TensorPayload array)
    {
        ArgumentNullException.ThrowIfNull(array);
        var header = NpyHeader.Write(array.Name, array.DType, array.Shape);
        var size = TensorInfo.SizeOf(array.DType, array.Shape)
            ?? throw new ArgumentException(
            $"Array '{array.Name}' has the impossible shape [{string.Join(", ", array.Shape)}].", nameof(array));
        AtomicFile.Write(path, stream =>
        {
            stream.Write(header);
            var counted = new CountingStream(stream, array.Name, size);
            array.Write(counted);
            counted.CheckComplete();
        });
    }
}
