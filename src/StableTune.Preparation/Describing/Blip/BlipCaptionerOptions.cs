using StableTune.Models;

namespace StableTune.Preparation;

/// <summary>How BLIP describes images, and what of it no file says.</summary>
public sealed record BlipCaptionerOptions : OptionsBase
{
    /// <summary>How words are chosen. Default <see cref="NucleusSampling"/>, as in sd-scripts; <see cref="BeamSearch"/> says the same each
    /// time.</summary>
    public TextDecoding Decoding { get; init; } = new NucleusSampling();

    /// <summary>How every caption begins. Default "a picture of ". Empty leaves the beginning to the model.</summary>
    public string Prompt { get; init; } = "a picture of ";

    /// <summary>Whether captions keep the <see cref="Prompt"/>. Default false: as many characters as it has are cut off.</summary>
    public bool KeepPrompt { get; init; }

    /// <summary>
    /// Seeds what is left to chance; with one seed an image has one caption, whatever is captioned beside it or was before. Null, the
    /// default, takes another seed each time.
    /// </summary>
    public long? Seed { get; init; }

    /// <summary>The side in pixels that images are resized to; null for the model's own. The model's positions are resized with
    /// it.</summary>
    public int? ImageSize { get; init; }

    /// <summary>
    /// The architecture of a single file, such as <c>model_large_caption.pth</c>; null finds it out: all but the numbers of heads can be
    /// seen, and those are the widths by 64 in published models. A folder's <c>config.json</c> says it.
    /// </summary>
    public BlipOptions? Architecture { get; init; }

    /// <summary>
    /// The vocabulary of a single file: <c>vocab.txt</c> of bert-base-uncased, a folder that holds it, or a name on the hub. Null takes the
    /// <c>vocab.txt</c> beside the file, or that of <c>google-bert/bert-base-uncased</c>.
    /// </summary>
    public string? Vocabulary { get; init; }

    /// <summary>Where the model computes; null for the processor.</summary>
    public Device? Device { get; init; }

    /// <summary>The type that it computes in. Default float32; half precision is faster on graphics cards.</summary>
    public ScalarType WeightType { get; init; } = ScalarType.Float32;

    /// <summary>How the hub is reached; null for what the environment says.</summary>
    public HubOptions? Hub { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in Decoding.Validate()) yield return problem;
        if (Prompt is null) yield return Problem(Prompt, "there is none", "\"\" leaves the beginning to the model");
        if (ImageSize is < 1 or > 16_384) yield return Problem(ImageSize, "the side must be 1 to 16384 pixels", "384 is customary");
        if (WeightType is not (ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float64))
            yield return Problem(WeightType, "networks compute in floating-point numbers", "use ScalarType.Float32");
        foreach (var problem in Architecture?.Validate() ?? []) yield return problem;
        foreach (var problem in Hub?.Validate() ?? []) yield return problem;
    }
}
