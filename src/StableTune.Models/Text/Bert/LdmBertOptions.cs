using StableTune.Models;

namespace StableTune.Models;

/// <summary>The architecture of an LDMBert text encoder: <c>config.json</c> of diffusers' <c>LDMBertModel</c> as a record.</summary>
public sealed record LdmBertOptions : OptionsBase
{
    /// <summary>Rows of the token embedding (<c>vocab_size</c>).</summary>
    public int VocabularySize { get; init; } = 30_522;

    /// <summary>Width of the hidden states (<c>d_model</c>), which is the UNet's context width.</summary>
    public int HiddenSize { get; init; } = 1280;

    /// <summary>Width inside the feed-forward parts (<c>encoder_ffn_dim</c>).</summary>
    public int IntermediateSize { get; init; } = 5120;

    /// <summary>Transformer layers (<c>encoder_layers</c>).</summary>
    public int Layers { get; init; } = 32;

    /// <summary>Attention heads (<c>encoder_attention_heads</c>).</summary>
    public int Heads { get; init; } = 8;

    /// <summary>Width of each head (<c>head_dim</c>), of which the heads together need not fill the width.</summary>
    public int HeadSize { get; init; } = 64;

    /// <summary>The longest sequence (<c>max_position_embeddings</c>).</summary>
    public int MaxPositions { get; init; } = 77;

    /// <summary>The activation of the feed-forward parts (<c>activation_function</c>).</summary>
    public string Activation { get; init; } = "gelu";

    /// <summary>The token that fills rows (<c>pad_token_id</c>). Its embedding gets no gradient.</summary>
    public int PadTokenId { get; init; }

    /// <summary>Whether padding is hidden from attention (<c>use_attention_mask</c>). False unless the configuration says so; the LDM was
    /// trained without.</summary>
    public bool UseAttentionMask { get; init; }

    /// <summary>LDMBert's topology, small enough for tests: 48 wide, 2 layers, 3 heads of 8.</summary>
    public static LdmBertOptions Tiny { get; } =
        new() { VocabularySize = 120, HiddenSize = 48, IntermediateSize = 96, Layers = 2, Heads = 3, HeadSize = 8 };

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (VocabularySize < 1) yield return Problem(VocabularySize, "there must be at least one token", "LDMBert has 30522");
        if (HiddenSize < 1) yield return Problem(HiddenSize, "the width must be positive", "1280 in the published model");
        if (IntermediateSize < 1)
            yield return Problem(IntermediateSize, "the width must be positive", "four times HiddenSize is customary");
        if (Layers < 1) yield return Problem(Layers, "there must be at least one layer", "32 in the published model");
        if (Heads < 1) yield return Problem(Heads, "there must be at least one head", "8 in the published model");
        if (HeadSize < 1) yield return Problem(HeadSize, "the width must be positive", "64 in the published model");
        if (MaxPositions < 3)
            yield return Problem(MaxPositions, "start, end and a token between them need 3 places", "77 in the published model");
        if (PadTokenId < 0 || PadTokenId >= VocabularySize) yield return Problem(
            PadTokenId, $"the padding token must be one of the {VocabularySize} tokens", "0 in the published model");
        if (!TextActivation.Names.Contains(Activation))
            yield return Problem(Activation, "the activation is not known", "use one of: " + string.Join(", ", TextActivation.Names));
    }
}
