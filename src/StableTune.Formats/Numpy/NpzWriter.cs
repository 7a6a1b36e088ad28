namespace StableTune.Formats;

/// <summary>Writes <c>.npz</c> files byte by byte as <c>numpy.savez</c> does: a zip archive of stored entries <c>name.npy</c>, in the
/// order given, dated 1980.</summary>
public static class NpzWriter
{
    /// <summary>Writes the file: complete or absent. Arrays are streamed one after another.</summary>
    /// <param name="path">The file; its folder is created when missing.</param>
    /// <param name="arrays">The arrays; their names without <c>.npy</c>.</param>
    /// <exception cref="ArgumentException">Two arrays have the same name, NumPy has no such element type (bfloat16 and 8-bit floats), or a
    /// name or size cannot be.</exception>
    /// <exception cref="InvalidOperationException">An array wrote more or fewer bytes than its shape takes.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, IEnumerable<TensorPayload> arrays)
    {
        ArgumentNullException.ThrowIfNull(arrays);
        var planned = new List<(TensorPayload Array, byte[] Header, long Size)>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var array in arrays)
        {
            if (array.Name.Length == 0 || !names.Add(array.Name))
                throw new ArgumentException($"The name '{array.Name}' is empty or not unique.", nameof(arrays));
            var size = TensorInfo.SizeOf(array.DType, array.Shape)
                ?? throw new ArgumentException(
                $"Array '{array.Name}' has the impossible shape [{string.Join(", ", array.Shape)}].", nameof(arrays));
            planned.Add((array, NpyHeader.Write(array.Name, array.DType, array.Shape), size));
        }

        AtomicFile.Write(path, stream =>
        {
            var zip = new NumpyZipWriter(stream);
            foreach (var (array, header, size) in planned)
                zip.Add(array.Name + ".npy", header.Length + size, entry =>
                {
                    entry.Write(header);
                    var counted = new CountingStream(entry, array.Name, size);
                    array.Write(counted);
                    counted.CheckComplete();
                });
            zip.Finish();
        });
    }
}
