namespace StableTune.Formats;

/// <summary>Bytes that lie in a file, or in memory where the file holds them encoded.</summary>
/// <param name="Offset">Where in the file, if it lies there; -1 while it is not known, or in memory.</param>
/// <param name="Length">The number of bytes.</param>
/// <param name="Memory">The bytes in memory; empty when they lie in the file.</param>
internal readonly record struct StoredBytes(long Offset, long Length, ReadOnlyMemory<byte> Memory)
{
    /// <summary>Bytes in memory.</summary>
    public static StoredBytes Of(ReadOnlyMemory<byte> memory) => new(-1, memory.Length, memory);

    /// <summary>Bytes of the file.</summary>
    public static StoredBytes At(long offset, long length) => new(offset, length, default);

    /// <summary>Whether they lie in the file.</summary>
    public bool InFile => Offset >= 0;
}
