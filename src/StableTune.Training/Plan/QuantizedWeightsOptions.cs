using StableTune.Models;
using StableTune.Torch;

namespace StableTune;

/// <summary>
/// Frozen base weights that are held in fewer bits during training, and made again where they are used (sd-scripts: <c>fp8_base</c>). Less
/// memory for coarser base weights and some more time; what is trained keeps its own type.
/// </summary>
public sealed record QuantizedWeightsOptions : OptionsBase
{
    private const ModelParts Possible = ModelParts.UNet | ModelParts.TextEncoder;

    /// <summary>How weights of linear layers and convolutions are held. Default <see cref="WeightQuantization.Float8"/>.</summary>
    public WeightQuantization Quantization { get; init; } = WeightQuantization.Float8;

    /// <summary>Of which parts: <see cref="ModelParts.UNet"/>, <see cref="ModelParts.TextEncoder"/>, or both. Default both.</summary>
    public ModelParts Parts { get; init; } = Possible;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Parts == ModelParts.None || (Parts & ~Possible) != 0)
            yield return Problem(Parts, "the weights of the UNet and of the text encoders can be held in fewer bits",
                "choose ModelParts.UNet, ModelParts.TextEncoder, or both");
    }

    /// <summary>Holds the weights of a model so from now on.</summary>
    internal void ApplyTo(StableDiffusionModel model)
    {
        if (Parts.HasFlag(ModelParts.UNet) && model.Parts.HasFlag(ModelParts.UNet)) model.UNet.Quantize(Quantization);
        if (!Parts.HasFlag(ModelParts.TextEncoder)) return;
        foreach (var encoder in model.TextEncoders) encoder.Quantize(Quantization);
    }
}
