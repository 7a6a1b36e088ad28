using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>
/// How latents are made ahead of time, and training sizes noted in a metadata file: sd-scripts' <c>prepare_buckets_latents</c>.
/// </summary>
public sealed record LatentPreparationOptions : OptionsBase
{
    /// <summary>The folder of the images; required.</summary>
    public string? ImageFolder { get; init; }

    /// <summary>The metadata file to write; required. (<c>out_json</c>)</summary>
    public string? Output { get; init; }

    /// <summary>The metadata file to add to; null begins anew. (<c>in_json</c>)</summary>
    public string? Input { get; init; }

    /// <summary>
    /// Whether keys are paths that begin with <see cref="ImageFolder"/> as it is given. Otherwise they are paths from there on; of images
    /// directly in it the names without extension.
    /// </summary>
    public bool FullPath { get; init; }

    /// <summary>Whether folders inside are searched too.</summary>
    public bool Recursive { get; init; }

    /// <summary>
    /// Whether an <see cref="Output"/> that is there and is not the <see cref="Input"/> is written over. Without it the tool says so and
    /// does not begin.
    /// </summary>
    public bool Overwrite { get; init; }

    /// <summary>The training resolution, which stands for an area. Default 512 x 512. (<c>max_resolution</c>)</summary>
    public PixelSize Resolution { get; init; } = new(512, 512);

    /// <summary>
    /// Limits and step of the training sizes. Steps that are no multiples of 8 are allowed here: sizes are cut down to multiples of 8.
    /// </summary>
    public AspectBuckets Buckets { get; init; } = new();

    /// <summary>Whether mirrored latents are made too. (<c>flip_aug</c>)</summary>
    public bool Flip { get; init; }

    /// <summary>Whether alpha channels are kept as masks. (<c>alpha_mask</c>)</summary>
    public bool AlphaMask { get; init; }

    /// <summary>
    /// Where files go and how many images the VAE takes at once. Files that serve are kept. (<c>batch_size</c>, <c>skip_existing</c>)
    /// </summary>
    public CacheOptions Cache { get; init; } = new();

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in FolderRules.OfImages("LatentPreparationOptions.ImageFolder", ImageFolder)) yield return problem;
        if (string.IsNullOrWhiteSpace(Output))
            yield return Problem(Output, "a file to write is required", "name one, such as meta_lat.json");
        else foreach (var problem in MetadataFile.OfOutput("LatentPreparationOptions.Output", Output, Input, Overwrite))
            yield return problem;
        if (Input is not null && !File.Exists(Input))
            yield return Problem(Input, "the metadata file is missing", "fix the path, or leave it out to begin anew");
        if (Resolution.Width < 64 || Resolution.Height < 64)
            yield return Problem($"{Resolution}", "the sides must be at least 64 pixels", "512 x 512 is customary", nameof(Resolution));
        if (Buckets.Step < 8 || Buckets.MinSide < Buckets.Step || Buckets.MaxSide < Math.Max(Resolution.Width, Resolution.Height)
            || Buckets.MaxSide > 1 << 20)
            yield return Problem(Buckets.ToString(),
                "the step must be at least 8 pixels, the shortest side a step, and the longest not below the resolution",
                "256, 1024 and 64 are customary", nameof(Buckets));
        foreach (var problem in Cache.Validate()) yield return problem;
    }
}
