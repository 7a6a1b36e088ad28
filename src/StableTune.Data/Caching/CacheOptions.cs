using StableTune.Data;

namespace StableTune;

/// <summary>What is kept of an image's latents.</summary>
public enum LatentPosterior
{
    /// <summary>One random sample of their distribution, drawn once: what the reference systems keep.</summary>
    Sample,

    /// <summary>Mean and variance of their distribution: every use draws a new sample, as training without a cache does. Takes twice the
    /// room.</summary>
    MeanStd,
}

/// <summary>How files of a cache are held against what they were made from.</summary>
public enum CacheValidation
{
    /// <summary>By sizes, and by length and time of the image file where the cache knows them. Files of other programs pass.</summary>
    Size,

    /// <summary>By the image's content and the VAE's weights; a file that does not name them is made again.</summary>
    Content,
}

/// <summary>What is computed once and kept: latents of images, and the text encoder's output for captions.</summary>
public sealed record CacheOptions : OptionsBase
{
    /// <summary>Whether each image is encoded once; null, the default, does so whenever model and augmentations allow it.
    /// (<c>cache_latents</c>)</summary>
    public bool? Latents { get; init; }

    /// <summary>Whether latents are kept in files, where the next run finds them; implies <see cref="Latents"/>.
    /// (<c>cache_latents_to_disk</c>)</summary>
    public bool LatentsToDisk { get; init; }

    /// <summary>Images to one call of the VAE. Changes the speed and the memory needed, not the latents. Default 1.
    /// (<c>vae_batch_size</c>)</summary>
    public int VaeBatchSize { get; init; } = 1;

    /// <summary>Threads that read images ahead; 0 does it in the encoding thread. Default: one less than there are processors, 1 to
    /// 8.</summary>
    public int Workers { get; init; } = new BatchLoaderOptions().Workers;

    /// <summary>Whether files that are there are trusted without being opened; faults then show when they are used.
    /// (<c>skip_cache_check</c>)</summary>
    public bool SkipCheck { get; init; }

    /// <summary>Whether captions are encoded once; null, the default, does so whenever the text encoder is not trained and captions do
    /// not change. (<c>cache_text_encoder_outputs</c>)</summary>
    public bool? TextEncoderOutputs { get; init; }

    /// <summary>Whether text encoder outputs are kept in files; implies <see cref="TextEncoderOutputs"/>.
    /// (<c>cache_text_encoder_outputs_to_disk</c>)</summary>
    public bool TextEncoderOutputsToDisk { get; init; }

    /// <summary>Captions to one call of the text encoder. Default 8. (<c>text_encoder_batch_size</c>)</summary>
    public int TextEncoderBatchSize { get; init; } = 8;

    /// <summary>
    /// A folder for the files: safetensors, found again by the content of image and caption, also when images were moved. Null, the
    /// default, writes sd-scripts' <c>.npz</c> files beside the images.
    /// </summary>
    public string? Directory { get; init; }

    /// <summary>What is kept of latents. Default one sample.</summary>
    public LatentPosterior Posterior { get; init; }

    /// <summary>How files are held against images and VAE. Default by size.</summary>
    public CacheValidation Validation { get; init; }

    /// <summary>
    /// Whether a model other than SDXL takes files that end in <c>_sdxl.npz</c>: sd-scripts' DreamBooth script gives this name to latents
    /// of Stable Diffusion 1 too, and nothing in the file tells which they are. Default false.
    /// </summary>
    public bool AcceptSdxlNames { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (VaeBatchSize < 1) yield return Problem(VaeBatchSize, "the VAE encodes at least 1 image at once", "1 to 4 is customary");
        if (TextEncoderBatchSize < 1)
            yield return Problem(TextEncoderBatchSize, "the text encoder encodes at least 1 caption at once", "8 is the default");
        if (Workers < 0)
            yield return Problem(Workers, "the number of threads must not be negative", "0 reads images in the encoding thread");
        if (Latents == false && LatentsToDisk)
            yield return Problem(LatentsToDisk, "latents that are not cached cannot be kept in files", "leave Latents unset");
        if (TextEncoderOutputs == false && TextEncoderOutputsToDisk)
            yield return Problem(TextEncoderOutputsToDisk, "outputs that are not cached cannot be kept in files",
                "leave TextEncoderOutputs unset");
        if (Posterior == LatentPosterior.MeanStd && LatentsToDisk && Directory is null)
            yield return Problem(Posterior, "sd-scripts' files beside the images hold one sample only",
                "set Directory, or keep LatentPosterior.Sample");
        if (Directory is { } folder && (
            folder.Trim().Length == 0 || folder.Contains('\0', StringComparison.Ordinal) || File.Exists(folder)))
            yield return Problem(Directory, File.Exists(folder) ? "this is a file, not a folder" : "this is no name of a folder",
                "name a folder, or leave it unset for files beside the images");
        if (SkipCheck && Validation == CacheValidation.Content)
            yield return Problem(SkipCheck, "files cannot be both trusted and held against the images' content",
                "use CacheValidation.Size, or do not skip the check");
    }
}
