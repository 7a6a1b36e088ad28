using StableTune.Formats;

namespace StableTune.Tensors;

/// <summary>Writes named tensors to safetensors files.</summary>
public static class StateDictWriter
{
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
        SafetensorsWriter.Write(path, StatePayloads.Of(tensors, dtype), metadata);

    /// <summary>The hashes of the file that <see cref="Save"/> would write; nothing is written.</summary>
    /// <param name="tensors">As for <see cref="Save"/>.</param>
    /// <param name="metadata">The metadata that counts, see <see cref="SafetensorsWriter.Hash"/>.</param>
    /// <param name="dtype">As for <see cref="Save"/>.</param>
    public static ModelHashes Hash(
        IEnumerable<(string Name, Tensor Tensor)> tensors, IReadOnlyDictionary<string, string>? metadata = null,
        ScalarType? dtype = null) =>
        SafetensorsWriter.Hash(StatePayloads.Of(tensors, dtype), metadata);
}
