using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>What a weights file holds: its tensors, also those that lie in dictionaries of a torch file, and its texts.</summary>
/// <param name="File">The file; open.</param>
/// <param name="Tensors">The tensors, nested ones with the names of their dictionaries before a dot.</param>
/// <param name="Metadata">The texts.</param>
internal sealed record WeightContents(ITensorFile File, IReadOnlyList<TensorInfo> Tensors, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>Dictionaries below this depth are not looked into.</summary>
    private const int MaximumDepth = 3;

    /// <summary>The contents of an open file.</summary>
    public static WeightContents Of(ITensorFile file)
    {
        if (file is not TorchFile { Root: PickleDictionary root } torch || torch.Tensors.Count > 0)
            return new WeightContents(file, file.Tensors, file.Metadata);
        // Embeddings of the web UI: {"string_to_param": {"*": tensor}, "name": ..., "step": ...}.
        var tensors = new List<TensorInfo>();
        var texts = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in file.Metadata) texts.Add(key, value);
        Gather(root, "", MaximumDepth, tensors, texts);
        return new WeightContents(file, tensors, texts);
    }

    private static void Gather(PickleDictionary dictionary, string prefix, int depth, List<TensorInfo> tensors, OrderedDictionary<string,
        string> texts)
    {
        foreach (var (key, value) in dictionary)
        {
            if (key is not PickleText { Value: var name }) continue;
            if (value is PickleTensor tensor) tensors.Add(new TensorInfo(prefix + name, tensor.DType, tensor.Shape, 0, tensor.ByteCount));
            else if (value is PickleDictionary below && depth > 1) Gather(below, $"{prefix}{name}.", depth - 1, tensors, texts);
            else if (value is PickleText text) texts.TryAdd(prefix + name, text.Value);
            else if (value is PickleInteger or PickleFloat or PickleBoolean) texts.TryAdd(prefix + name, value.ToString());
        }
    }
}
