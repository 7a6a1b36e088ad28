namespace StableTune.Adapters;

/// <summary>Finds layers in module trees, in the order in which sd-scripts meets them.</summary>
internal static class ModuleWalk
{
    /// <summary>
    /// The order of siblings in the reference's models, so that the order of adapters does not depend on the order in which our modules
    /// register theirs: it decides which random numbers an adapter starts from. Names that are not listed come last, in their own order;
    /// lists (<c>0</c>, <c>1</c> ...) keep theirs. That the feed-forward stands between the two attentions, up_blocks before
    /// mid_block, and k before q is the reference's way.
    /// </summary>
    private static readonly Dictionary<string, int> Rank = new[]
    {
        "conv_in", "time_proj", "time_embedding", "add_time_proj", "add_embedding", "down_blocks", "up_blocks", "mid_block",
        "attentions", "resnets", "downsamplers", "upsamplers",
        "norm", "proj_in", "transformer_blocks", "proj_out",
        "attn1", "ff", "attn2",
        "to_q", "to_k", "to_v", "to_out",
        "norm1", "conv1", "time_emb_proj", "norm2", "conv2", "conv_shortcut",
        "text_model", "embeddings", "encoder", "layers",
        "self_attn", "layer_norm1", "mlp", "layer_norm2",
        "k_proj", "v_proj", "q_proj", "out_proj", "fc1", "fc2",
        // Single-file checkpoints' names, by which SDXL's adapters are ordered.
        "time_embed", "label_emb", "input_blocks", "middle_block", "output_blocks", "out",
        "in_layers", "emb_layers", "out_layers", "skip_connection",
    }.Select((name, rank) => (name, rank)).ToDictionary(row => row.name, row => row.rank, StringComparer.Ordinal);

    /// <summary>Orders dotted paths as the walk would: siblings by their rank, numbers by their value.</summary>
    public static IComparer<string> ByPath { get; } = Comparer<string>.Create(Compare);

    /// <summary>All layers that can be adapted (<see cref="LayerShape.Of"/>), with the classes of the modules above them.</summary>
    public static IEnumerable<WalkedLayer> Layers(nn.Module root) =>
        Walk(root, "", [], new HashSet<nn.Module>(ReferenceEqualityComparer.Instance));

    /// <summary>A module that is registered in two places is met once, under the first path, as PyTorch's walk does.</summary>
    private static IEnumerable<WalkedLayer> Walk(nn.Module module, string path, string[] classes, HashSet<nn.Module> met)
    {
        if (module is nn.Module<Tensor, Tensor> layer && LayerShape.Of(layer) is not null && met.Add(layer))
            yield return new WalkedLayer(path, layer, classes);
        string[] within = [.. classes, .. new[] { module.GetType().Name, module.GetName() }.Distinct(StringComparer.OrdinalIgnoreCase)];
        foreach (var (name, child) in module.named_children().OrderBy(child => Rank.GetValueOrDefault(child.name, int.MaxValue)))
            foreach (var found in Walk(child, path.Length == 0 ? name : $"{path}.{name}", within, met))
                yield return found;
    }

    private static int Compare(string left, string right)
    {
        var (a, b) = (left.Split('.'), right.Split('.'));
        for (var i = 0; i < Math.Min(a.Length, b.Length); i++)
        {
            var order = int.TryParse(a[i], out var first) && int.TryParse(b[i], out var second)
                ? first.CompareTo(second)
                : Rank.GetValueOrDefault(a[i], int.MaxValue).CompareTo(Rank.GetValueOrDefault(b[i], int.MaxValue));
            if (order != 0) return order;
        }

        return a.Length.CompareTo(b.Length);
    }
}

/// <summary>A layer that a walk has met.</summary>
/// <param name="Path">Its dotted path.</param>
/// <param name="Module">The layer.</param>
/// <param name="Classes">See <see cref="AdaptedLayer.Classes"/>.</param>
internal readonly record struct WalkedLayer(string Path, nn.Module<Tensor, Tensor> Module, IReadOnlyList<string> Classes);
