using System.Diagnostics.CodeAnalysis;

namespace StableTune.Formats;

/// <summary>Named tensors stored in a file (or in several files that belong together): what loading needs of every weights
/// format.</summary>
public interface ITensorFile : IDisposable
{
    /// <summary>The file, as the caller named it.</summary>
    string Path { get; }

    /// <summary>The free texts that the file carries; empty when there are none.</summary>
    IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensors, in the order of the file. <see cref="TensorInfo.Begin"/> tells where each lies, so that reading in its order
    /// runs through the file.</summary>
    IReadOnlyList<TensorInfo> Tensors { get; }

    /// <summary>The tensor of this name.</summary>
    bool TryGet(string name, [MaybeNullWhen(false)] out TensorInfo info);

    /// <summary>The tensor of this name.</summary>
    /// <exception cref="InvalidFileException">The file has no such tensor; the message names similar ones.</exception>
    TensorInfo this[string name] => TryGet(name, out var info) ? info : throw TensorFile.NoSuchTensor(this, name);

    /// <summary>
    /// Copies bytes of a tensor into the destination: those of its elements in row-major order, little-endian, however they lie in the
    /// file.
    /// Safe to call from several threads at once.
    /// </summary>
    /// <param name="info">One of this file's tensors.</param>
    /// <param name="destination">Is filled completely.</param>
    /// <param name="offset">The first byte to copy, counted from the tensor's begin.</param>
    /// <exception cref="ArgumentOutOfRangeException">The destination reaches beyond the tensor's end.</exception>
    /// <exception cref="InvalidFileException">The file became shorter since it was opened.</exception>
    void Read(TensorInfo info, Span<byte> destination, long offset = 0);

    /// <summary>
    /// The tensor's bytes in the mapped file, without copying; they stay until the lease is disposed, also when this object is disposed
    /// before.
    /// Null where they do not lie there in row-major order; <see cref="Read"/> works in any case.
    /// </summary>
    /// <param name="info">One of this file's tensors.</param>
    /// <exception cref="InvalidFileException">The file became shorter since it was opened.</exception>
    MappedTensor? Lease(TensorInfo info);
}
