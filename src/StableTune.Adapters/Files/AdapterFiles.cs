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
    /// By the words that prompts have them by, the tensors under their names in an embedding's own file: <c>emb_params</c>,
    /// [tokens, width], or <c>clip_l</c> and <c>clip_g</c>. They are the caller's to dispose; empty when the file brings none.
    /// </returns>
    /// <exception cref="InvalidFileException">The file cannot be read, or numbers in an embedding are NaN or infinite.</exception>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<string, Tensor>> ReadEmbeddings(string path)
    {
        using var file = WeightFile.Open(path);
        return BundledEmbeddings.Load(file);
    }

    /// <summary>
    /// Converts an adapter file to the names of another scheme. No weights of a model are needed: its modules may be on <c>META</c>.
    /// Numbers stay bit for bit as they are, unless another type is asked for; metadata is kept.
    /// </summary>
    /// <param name="source">The file, under names of any scheme that is known.</param>
    /// <param name="target">The file to write, complete or not at all; may be the source.</param>
    /// <param name="hosts">The modules of the model that the file is for: without them names with underscores have no paths.</param>
    /// <param name="naming">The names to write; null for those of sd-scripts.</param>
    /// <param name="dtype">The type of all tensors in the file; null for what they have.</param>
    /// <returns>Whose names the source has, and what of it was left out: parts that are not offered, bundled embeddings.</returns>
    /// <exception cref="InvalidFileException">The source is no adapter file, does not fit these modules, or holds NaN.</exception>
    /// <exception cref="NotSupportedException">The scheme cannot be written, or has no names for a kind of adapter in the file.</exception>
    /// <exception cref="IOException">The target cannot be written.</exception>
    public static AdapterFileReport Convert(
        string source, string target, AdapterHosts hosts, AdapterNaming? naming = null, ScalarType? dtype = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(target);
        ArgumentNullException.ThrowIfNull(hosts);
        using var file = WeightFile.Open(source);
        using var network = AdapterNetwork.ShapedAs(file, hosts, out var report);
        var loading = new AdapterFileLoading(file, network, AdapterNamings.Default);
        AdapterFileFaults.CheckShapes(loading.ReportOfLayers);
        loading.CheckNumbers();
        AdapterFileWriter.Copy(loading.View, [.. network.Adapters.Select(adapter => adapter.Layer)], target,
            naming ?? AdapterNamings.SdScripts, dtype);
        return report;
    }
}
