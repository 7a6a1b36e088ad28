using StableTune.Models;

namespace StableTune.Models;

/// <summary>The architecture of a BERT or RoBERTa text encoder: <c>text_encoder/config.json</c> of a model folder as a record.</summary>
public sealed record BertTextOptions : OptionsBase
{
    /// <summary>Rows of the token embedding (<c>vocab_size</c>).</summary>
    public int VocabularySize { get; init; } = 30_522;

    /// <summary>Width of the hidden states (<c>hidden_size</c>), which is the UNet's context width.</summary>
    public int HiddenSize { get; init; } = 768;

    /// <summary>Width inside the feed-forward parts (<c>intermediate_size</c>).</summary>
    public int IntermediateSize { get; init; } = 3072;

    /// <summary>Transformer layers (<c>num_hidden_layers</c>).</summary>
    public int Layers { get; init; } = 12;

    /// <summary>Attention heads (<c>num_attention_heads</c>).</summary>
    public int Heads { get; init; } = 12;

    /// <summary>Rows of the position embedding (<c>max_position_embeddings</c>). BERT's longest sequence; RoBERTa's is
    /// <see cref="PadTokenId"/> + 1 shorter.</summary>
    public int PositionRows { get; init; } = 512;

    /// <summary>Rows of the token type embedding (<c>type_vocab_size</c>). A caption is one text, so only the first row is used.</summary>
    public int TypeVocabularySize { get; init; } = 2;

    /// <summary>The activation of the feed-forward parts (<c>hidden_act</c>): "gelu" in published models.</summary>
    public string Activation { get; init; } = "gelu";

    /// <summary>Epsilon of the layer norms: 1e-12 in BERT, 1e-5 in RoBERTa.</summary>
    public double LayerNormEps { get; init; } = 1e-12;

    /// <summary>The token that fills rows (<c>pad_token_id</c>): 0 in BERT, 1 in RoBERTa. Its embedding gets no gradient.</summary>
    public int PadTokenId { get; init; }

    /// <summary>
    /// Whether positions are counted as RoBERTa does: padding has the position <see cref="PadTokenId"/>, the other tokens those that
    /// follow, in their order.
    /// BERT counts places from 0.
    /// </summary>
    public bool PositionsFollowPadding { get; init; }

    /// <summary>Whether padding is hidden from attention (<c>use_attention_mask</c>). False unless the configuration says so, as in
    /// diffusers.</summary>
    public bool UseAttentionMask { get; init; }

    /// <summary>The longest sequence.</summary>
    public int MaxPositions => PositionsFollowPadding ? PositionRows - PadTokenId - 1 : PositionRows;

    /// <summary>Taiyi-Stable-Diffusion-1B-Chinese: Chinese RoBERTa, which is a BERT by its architecture.</summary>
    public static BertTextOptions Taiyi { get; } = new() { VocabularySize = 21_128 };

    /// <summary>RoBERTa base.</summary>
    public static BertTextOptions Roberta { get; } = new()
    {
        VocabularySize = 50_265, PositionRows = 514, TypeVocabularySize = 1, LayerNormEps = 1e-5, PadTokenId = 1,
        PositionsFollowPadding = true,
    };

    /// <summary>BERT's topology, small enough for tests: 48 wide, 3 layers, 100 positions.</summary>
    public static BertTextOptions Tiny { get; } =
        new() { VocabularySize = 120, HiddenSize = 48, IntermediateSize = 96, Layers = 3, Heads = 4, PositionRows = 100 };

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (VocabularySize < 1) yield return Problem(VocabularySize, "there must be at least one token", "BERT has 30522");
        if (HiddenSize < 1) yield return Problem(HiddenSize, "the width must be positive", "768 in published models");
        if (IntermediateSize < 1)
            yield return Problem(IntermediateSize, "the width must be positive", "four times HiddenSize is customary");
        if (Layers < 1) yield return Problem(Layers, "there must be at least one layer", "12 in published models");
        if (Heads < 1 || HiddenSize % Heads != 0)
            yield return Problem(Heads, $"the heads must divide the width {HiddenSize}", "12 for a width of 768");
        if (TypeVocabularySize < 1)
            yield return Problem(TypeVocabularySize, "there must be at least one token type", "2 in BERT, 1 in RoBERTa");
        if (!(LayerNormEps > 0)) yield return Problem(LayerNormEps, "the epsilon must be positive", "1e-12 in BERT, 1e-5 in RoBERTa");
        if (PadTokenId < 0 || PadTokenId >= VocabularySize) yield return Problem(
            PadTokenId, $"the padding token must be one of the {VocabularySize} tokens", "0 in BERT, 1 in RoBERTa");
        else if (MaxPositions < 3)
            yield return Problem(PositionRows, "start, end and a token between them need 3 places", "512 in BERT, 514 in RoBERTa");
        if (!TextActivation.Names.Contains(Activation))
            yield return Problem(Activation, "the activation is not known", "use one of: " + string.Join(", ", TextActivation.Names));
    }
}
