using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>Embeddings that an adapter file brings along, as <c>bundle_emb.NAME.clip_l</c>: OneTrainer's, A1111's.</summary>
internal static class BundledEmbeddings
{
    private const string Prefix = "bundle_emb.";

    /// <summary>Whether a name is a tensor of a bundled embedding.</summary>
    public static bool Is(string name) => name.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>The names of the embeddings: the words that prompts have them by.</summary>
    public static IReadOnlyList<string> Words(IEnumerable<string> names) =>
        [.. names.Where(Is).Select(name => Split(name).Word).Distinct(StringComparer.Ordinal)];

    /// <summary>Loads the embeddings: by their words, tensors by their names in an embedding's own file.</summary>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<string, Tensor>> Load(WeightFile file)
    {
        using var scope = NewDisposeScope();
        var embeddings = file.Names.Where(Is).GroupBy(name => Split(name).Word).ToDictionary(group => group.Key,
            IReadOnlyDictionary<string, Tensor> (group) => group.ToDictionary(name => Split(name).Tensor,
                name => FiniteNumbers.Checked(file.Path, name, file.Load(name)), StringComparer.Ordinal), StringComparer.Ordinal);
        foreach (var tensor in embeddings.Values.SelectMany(tensors => tensors.Values)) tensor.MoveToOuterDisposeScope();
        return embeddings;
    }

    private static (string Word, string Tensor) Split(string name)
    {
        var rest = name[Prefix.Length..];
        var dot = rest.IndexOf('.', StringComparison.Ordinal);
        return dot < 0 ? (rest, "emb_params") : (rest[..dot], rest[(dot + 1)..]);
    }
}
