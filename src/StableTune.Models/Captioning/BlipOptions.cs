namespace StableTune.Models;

/// <summary>The architecture of a BLIP captioning model: a vision transformer, and a BERT that writes about what it sees.</summary>
public sealed record BlipOptions : OptionsBase
{
    /// <summary>The part that sees.</summary>
    public VisionTransformerOptions Vision { get; init; } = new();

    /// <summary>The part that writes. Its texts have no types of tokens: <see cref="BertTextOptions.TypeVocabularySize"/> is not looked
    /// at.</summary>
    public BertTextOptions Text { get; init; } = new() { VocabularySize = 30_524 };

    /// <summary><c>Salesforce/blip-image-captioning-base</c>: ViT-B/16 at 384 pixels.</summary>
    public static BlipOptions Base { get; } = new();

    /// <summary><c>Salesforce/blip-image-captioning-large</c> and <c>model_large_caption.pth</c>: ViT-L/16 at 384 pixels.</summary>
    public static BlipOptions Large { get; } =
        new() { Vision = new() { HiddenSize = 1024, IntermediateSize = 4096, Layers = 24, Heads = 16 } };

    /// <summary>BLIP's topology, small enough for tests: pictures of 32 pixels, 2 layers in each part.</summary>
    public static BlipOptions Tiny { get; } = new()
    {
        Vision = new() { ImageSize = 32, PatchSize = 8, HiddenSize = 24, IntermediateSize = 96, Layers = 2, Heads = 3 },
        Text = new() { VocabularySize = 120, HiddenSize = 32, IntermediateSize = 64, Layers = 2, Heads = 2, PositionRows = 80 },
    };

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in Vision.Validate()) yield return problem;
        foreach (var problem in Text.Validate()) yield return problem;
        if (Text.Layers > ModelSizes.MaximumLayers || Text.HiddenSize > ModelSizes.MaximumWidth
            || Text.IntermediateSize > ModelSizes.MaximumWidth || Text.VocabularySize > ModelSizes.MaximumRows
            || Text.PositionRows > ModelSizes.MaximumRows)
            yield return Problem(Text.ToString(), "no model is of such a size", "BLIP's text part is a BERT base", nameof(Text));
        if (Text.PositionsFollowPadding)
            yield return Problem(Text.ToString(), "BLIP counts positions from 0", "set PositionsFollowPadding to false", nameof(Text));
    }
}
