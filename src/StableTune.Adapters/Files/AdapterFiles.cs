using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>Adapter files without a network: the formats by the ends of their names, and what files hold beside adapters.</summary>
public static class AdapterFiles
{
    /// <summary>The extensions that adapters can be saved with; the first is the usual one.</summary>
    public static IReadOnlyList<string> Extensions { get; } = [".safetensors", ".pt", ".pth", ".bin", ".ckpt"];

    /// <summary>Whether adapters are saved at the path as a torch file.</summary>
    /// <param name="path">The file.</param>
    public static bool IsTorch(string path) => Extensions.Skip(1).Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    /// <summary>Loads the embeddings that an adapter file brings along (<c>bundle_emb.*</c>), which are no adapters.</summary>
    /// <param name="path">The adapter file.</param>
    /// <returns>
    /// By the words that prompts have them by, the tensors under their names in an embedding's own file: <c>emb_params</c>, [tokens, width],
    /// or <c>clip_l</c> and <c>clip_g</c>. They are the caller's to dispose; empty when the file brings none.
    /// </returns>
    /// <exception cref="InvalidFileException">The file cannot be read, or numbers in an embedding are NaN or infinite.</exception>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<string, Tensor>> ReadEmbeddings(string path)
    {
        using var file = WeightFile.Open(path);
        return BundledEmbeddings.Load(file);
    }
}
