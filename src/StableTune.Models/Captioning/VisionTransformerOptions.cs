namespace StableTune.Models;

/// <summary>The architecture of a vision transformer: <c>vision_config</c> of a BLIP model as a record.</summary>
public sealed record VisionTransformerOptions : OptionsBase
{
    /// <summary>The side of the square pictures in pixels (<c>image_size</c>).</summary>
    public int ImageSize { get; init; } = 384;

    /// <summary>The side of the squares that a picture is cut into (<c>patch_size</c>), each of which is one place.</summary>
    public int PatchSize { get; init; } = 16;

    /// <summary>Width of the hidden states (<c>hidden_size</c>).</summary>
    public int HiddenSize { get; init; } = 768;

    /// <summary>Width inside the feed-forward parts (<c>intermediate_size</c>).</summary>
    public int IntermediateSize { get; init; } = 3072;

    /// <summary>Transformer layers (<c>num_hidden_layers</c>).</summary>
    public int Layers { get; init; } = 12;

    /// <summary>Attention heads (<c>num_attention_heads</c>).</summary>
    public int Heads { get; init; } = 12;

    /// <summary>The activation of the feed-forward parts (<c>hidden_act</c>).</summary>
    public string Activation { get; init; } = "gelu";

    /// <summary>Epsilon of the layer norms: 1e-6 in the model that was trained; the 1e-5 of some configurations moves its results by a
    /// thousandth.</summary>
    public double LayerNormEps { get; init; } = 1e-6;

    /// <summary>Places of a picture: one for each square, and one for the picture as a whole, the first.</summary>
    public int Places => (ImageSize / PatchSize * (ImageSize / PatchSize)) + 1;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        const string remedy = "16 in published models";
        if (PatchSize < 1) yield return Problem(PatchSize, "the side must be positive", remedy);
        else if (ImageSize < PatchSize || ImageSize % PatchSize != 0 || ImageSize > 16_384)
            yield return Problem(ImageSize, $"the side must be a multiple of {PatchSize}, at most 16384", "384 in published models");
        const string width = "the width must be positive, and no model has a larger one than 65536";
        if (HiddenSize is < 1 or > ModelSizes.MaximumWidth) yield return Problem(HiddenSize, width, "768 or 1024 in published models");
        if (IntermediateSize is < 1 or > ModelSizes.MaximumWidth) yield return Problem(IntermediateSize, width, "four times HiddenSize");
        if (Layers is < 1 or > ModelSizes.MaximumLayers)
            yield return Problem(Layers, $"there must be 1 to {ModelSizes.MaximumLayers} layers", "12 or 24 in published models");
        if (Heads < 1 || HiddenSize % Heads != 0)
            yield return Problem(Heads, $"the heads must divide the width {HiddenSize}", "12 or 16 in published models");
        if (!(LayerNormEps > 0)) yield return Problem(LayerNormEps, "the epsilon must be positive", "1e-6 in published models");
        if (!TextActivation.Names.Contains(Activation))
            yield return Problem(Activation, "the activation is not known", "use one of: " + string.Join(", ", TextActivation.Names));
    }
}

/// <summary>What no model exceeds: a file that asks for more is wrong or hostile, and is refused before memory is.</summary>
internal static class ModelSizes
{
    internal const int MaximumWidth = 65_536, MaximumLayers = 512, MaximumRows = 4_000_000;
}
