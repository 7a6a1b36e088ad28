using StableTune.Formats;

namespace StableTune.Weights;

/// <summary>Writes named tensors to safetensors files.</summary>
public static class StateDictWriter
{
    /// <summary>Converted and written at a time, in elements: memory stays flat however large a tensor is.</summary>
    private const long ChunkElements = 1 << 20;

    /// <summary>
    /// Writes the tensors, complete or not at all. Their order in the file is the format's own (by type, then name). Tensors that share
    /// memory are written in full each.
    /// </summary>
    /// <param name="path">The file; its folder is created when missing.</param>
    /// <param name="tensors">Names and tensors, on any device, of any layout; not changed and not disposed.</param>
    /// <param name="metadata">Free texts for the header; null leaves them out.</param>
    /// <param name="dtype">The type that floating-point tensors are written in; null for each one's own. Other types are
    /// written as they are.</param>
    /// <exception cref="ArgumentException">Two tensors have the same name.</exception>
    /// <exception cref="NotSupportedException">A tensor's type cannot be stored.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Save(
        string path, IEnumerable<(string Name, Tensor Tensor)> tensors, IReadOnlyDictionary<string, string>? metadata = null,
        ScalarType? dtype = null) =>
        SafetensorsWriter.Write(path, Payloads(tensors, dtype), metadata);

    /// <summary>The hashes of the file that <see cref="Save"/> would write; nothing is written.</summary>
    /// <param name="tensors">As for <see cref="Save"/>.</param>
    /// <param name="metadata">The metadata that counts, see <see cref="SafetensorsWriter.Hash"/>.</param>
    /// <param name="dtype">As for <see cref="Save"/>.</param>
    public static ModelHashes Hash(
        IEnumerable<(string Name, Tensor Tensor)> tensors, IReadOnlyDictionary<string, string>? metadata = null,
        ScalarType? dtype = null) =>
        SafetensorsWriter.Hash(Payloads(tensors, dtype), metadata);

    private static IEnumerable<TensorPayload> Payloads(IEnumerable<(string Name, Tensor Tensor)> tensors, ScalarType? dtype)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        return tensors.Select(entry =>
        {
            var (name, tensor) = entry;
            var type = dtype is { } wanted && tensor.dtype.IsFloat() ? wanted : tensor.dtype;
            return new TensorPayload(name, type.ToTensorDType(), tensor.shape, stream => Write(stream, tensor, type));
        });
    }

    private static void Write(Stream stream, Tensor tensor, ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        // A tensor that is not contiguous is copied as a whole here; a contiguous one is only looked at.
        var flat = tensor.detach().flatten();
        for (long begin = 0, count; begin < flat.numel(); begin += count)
        {
            using var step = NewDisposeScope();
            count = Math.Min(ChunkElements, flat.numel() - begin);
            stream.Write(flat.narrow(0, begin, count).to(type).cpu().contiguous().bytes);
        }
    }
}
