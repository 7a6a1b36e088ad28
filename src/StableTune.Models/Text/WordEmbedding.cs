namespace StableTune.Models;

/// <summary>
/// What stands for a new word: vectors that take the place of token embeddings (textual inversion), without a model. Owns its tensors.
/// </summary>
public sealed class WordEmbedding : IDisposable
{
    private static readonly Dictionary<long, string> UsualWidths = new()
    {
        [768] = "Stable Diffusion 1", [1024] = "Stable Diffusion 2", [1280] = "SDXL's second text encoder",
    };

    /// <summary>Takes over tensors.</summary>
    /// <param name="rows">The vectors, [n, C]; or a set of them for each attention layer of the UNet, [K, n, C].</param>
    /// <param name="secondRows">Those for SDXL's second text encoder, [n, C2]; null for other models.</param>
    /// <exception cref="ArgumentException">The shapes are others, or do not go together.</exception>
    public WordEmbedding(Tensor rows, Tensor? secondRows = null)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.dim() is not (2 or 3) || rows.numel() == 0) throw Unfit(rows, "[n, C] or [K, n, C]", nameof(rows));
        if (secondRows is not null && (rows.dim() != 2 || secondRows.dim() != 2 || secondRows.size(0) != rows.size(0)))
            throw Unfit(secondRows, $"[{rows.size(0)}, C], as many as for the first text encoder", nameof(secondRows));
        Rows = rows.DetachFromDisposeScope();
        SecondRows = secondRows?.DetachFromDisposeScope();
    }

    /// <summary>The word, where the file says it; null where its name is the word.</summary>
    public string? Word { get; init; }

    /// <summary>The vectors, [n, C]; or a set of them for each attention layer of the UNet, [K, n, C].</summary>
    public Tensor Rows { get; }

    /// <summary>The vectors for SDXL's second text encoder, [n, C2]; null for other models.</summary>
    public Tensor? SecondRows { get; }

    /// <summary>Vectors that stand for the word: n.</summary>
    public int Vectors => (int)Rows.size(-2);

    /// <summary>Whether each attention layer has vectors of its own (extended textual inversion).</summary>
    public bool IsPerLayer => Rows.dim() == 3;

    /// <summary>Why it cannot be used with a model, and what to do; null when it can. Looks at shapes alone.</summary>
    /// <param name="model">The model; its weights may be on <c>META</c>.</param>
    public (string Fault, string Remedy)? MisfitWith(StableDiffusionModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        const string remedy = "Use an embedding that was made for this kind of model.";
        if (IsPerLayer && model.HasTextEncoder2)
            return ("It has vectors for each attention layer, which SDXL does not take.",
                "Use an embedding with clip_l and clip_g, or a model of Stable Diffusion 1 or 2.");
        if (IsPerLayer && model.Parts.HasFlag(ModelParts.UNet) && CrossAttentionLayers.Of(model.UNet.Options).Count is var layers
            && layers != Rows.size(0))
            return ($"It has vectors for {Rows.size(0)} attention layers, and the model has {layers}.", remedy);
        if (model.HasTextEncoder2 && SecondRows is null)
            return ($"It has vectors for one text encoder{Kind(Rows)}, and SDXL has two (clip_l and clip_g).", remedy);
        if (!model.HasTextEncoder2 && SecondRows is not null)
            return ("It is for SDXL's two text encoders (clip_l and clip_g), and the model has one.", remedy);
        return Width(Rows, model.TextEncoder, "text encoder")
            ?? (SecondRows is null ? null : Width(SecondRows, model.TextEncoder2, "second text encoder"));

        static (string, string)? Width(Tensor rows, TextModel encoder, string name) =>
            rows.size(-1) == encoder.TokenEmbedding.embedding_dim ? null
                : ($"Its vectors are {rows.size(-1)} wide{Kind(rows)}, and those of the model's {name} "
                    + $"{encoder.TokenEmbedding.embedding_dim}.", remedy);

        static string Kind(Tensor rows) => UsualWidths.TryGetValue(rows.size(-1), out var usual) ? $" (as for {usual})" : "";
    }

    /// <summary>Disposes of the tensors.</summary>
    public void Dispose()
    {
        Rows.Dispose();
        SecondRows?.Dispose();
    }

    private static ArgumentException Unfit(Tensor rows, string wanted, string name) =>
        new($"The vectors are of shape [{string.Join(", ", rows.shape)}] instead of {wanted}.", name);
}
