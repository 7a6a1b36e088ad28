using StableTune.Models;

namespace StableTune.Models;

/// <summary>The architecture of a CLIP text encoder: <c>text_encoder/config.json</c> of a model folder as a record.</summary>
public sealed record ClipTextOptions : OptionsBase
{
    /// <summary>Rows of the token embedding (<c>vocab_size</c>).</summary>
    public int VocabularySize { get; init; } = 49_408;

    /// <summary>Width of the hidden states (<c>hidden_size</c>), which is the UNet's context width.</summary>
    public int HiddenSize { get; init; } = 768;

    /// <summary>Width inside the feed-forward parts (<c>intermediate_size</c>).</summary>
    public int IntermediateSize { get; init; } = 3072;

    /// <summary>Transformer layers (<c>num_hidden_layers</c>).</summary>
    public int Layers { get; init; } = 12;

    /// <summary>Attention heads (<c>num_attention_heads</c>).</summary>
    public int Heads { get; init; } = 12;

    /// <summary>The longest sequence (<c>max_position_embeddings</c>); 77 in all Stable Diffusion models.</summary>
    public int MaxPositions { get; init; } = ClipTokenizer.ChunkLength;

    /// <summary>The activation of the feed-forward parts (<c>hidden_act</c>): "quick_gelu" in SD 1.x and SDXL's first encoder, "gelu" in
    /// OpenCLIP encoders.</summary>
    public string Activation { get; init; } = "quick_gelu";

    /// <summary>Epsilon of the layer norms.</summary>
    public double LayerNormEps { get; init; } = 1e-5;

    /// <summary>Width of the projected pooled output of a <c>CLIPTextModelWithProjection</c> (SDXL's second encoder); null for
    /// none.</summary>
    public int? ProjectionDim { get; init; }

    /// <summary>
    /// The token whose first place is pooled. 2, which published configurations have, means the place of the largest id: CLIP's end token
    /// is the last of
    /// its vocabulary, and the 2 is a mistake that <c>transformers</c> keeps working.
    /// </summary>
    public int EndTokenId { get; init; } = 2;

    /// <summary>CLIP ViT-L/14: Stable Diffusion 1.x, and SDXL's first encoder.</summary>
    public static ClipTextOptions Sd15 { get; } = new();

    /// <summary>OpenCLIP ViT-H/14 without its last layer: Stable Diffusion 2.x.</summary>
    public static ClipTextOptions Sd21 { get; } = new() { HiddenSize = 1024, IntermediateSize = 4096, Layers = 23, Heads = 16,
        Activation = "gelu" };

    /// <summary>OpenCLIP ViT-bigG/14 with projection: SDXL's second encoder.</summary>
    public static ClipTextOptions SdxlSecond { get; } =
        new() { HiddenSize = 1280, IntermediateSize = 5120, Layers = 32, Heads = 20, Activation = "gelu", ProjectionDim = 1280 };

    /// <summary>SD 1.x's topology, small enough for tests: 48 wide, 5 layers, 1000 tokens.</summary>
    public static ClipTextOptions Tiny { get; } = new() { VocabularySize = 1000, HiddenSize = 48, IntermediateSize = 192, Layers = 5,
        Heads = 4 };

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (VocabularySize < 1) yield return Problem(VocabularySize, "there must be at least one token", "CLIP has 49408");
        if (HiddenSize < 1) yield return Problem(HiddenSize, "the width must be positive", "768 for SD 1.x, 1024 for SD 2.x");
        if (IntermediateSize < 1)
            yield return Problem(IntermediateSize, "the width must be positive", "four times HiddenSize is customary");
        if (Layers < 1) yield return Problem(Layers, "there must be at least one layer", "12 for SD 1.x, 23 for SD 2.x");
        if (Heads < 1 || HiddenSize % Heads != 0) yield return Problem(
            Heads, $"the heads must divide the width {HiddenSize}", "12 for SD 1.x, 16 for SD 2.x");
        if (MaxPositions < 3)
            yield return Problem(MaxPositions, "start, end and a token between them need 3 places", "77 in all published models");
        if (!(LayerNormEps > 0)) yield return Problem(LayerNormEps, "the epsilon must be positive", "1e-5 in all published models");
        if (ProjectionDim is < 1)
            yield return Problem(ProjectionDim, "the width must be positive", "use null for an encoder without projection");
        if (!ClipActivation.Names.Contains(Activation))
            yield return Problem(Activation, "the activation is not known", "use one of: " + string.Join(", ", ClipActivation.Names));
    }
}
