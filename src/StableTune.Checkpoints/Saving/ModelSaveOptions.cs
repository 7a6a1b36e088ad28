using StableTune.Formats;

namespace StableTune;

/// <summary>How a whole model is written: see <c>docs/saving.md</c>.</summary>
public sealed record ModelSaveOptions : OptionsBase
{
    private static readonly ScalarType[] Types = [ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16];

    private static readonly string[] OwnKeys = [ModelSpecification.KeyPrefix, "sshs_"];

    /// <summary>
    /// The format. Null: what the path's extension says (<c>.safetensors</c>, <c>.ckpt</c>), otherwise the format that the model was
    /// loaded from, and diffusers with safetensors for a model that was put together.
    /// </summary>
    public ModelFormat? Format { get; init; }

    /// <summary>The type of all floating-point tensors in the file: float32, float16 or bfloat16. Null: the type that each has in memory
    /// (or in the source).</summary>
    public ScalarType? Precision { get; init; }

    /// <summary>Another type for the UNet; null for <see cref="Precision"/>.</summary>
    public ScalarType? UNetPrecision { get; init; }

    /// <summary>Another type for the text encoders; null for <see cref="Precision"/>.</summary>
    public ScalarType? TextEncoderPrecision { get; init; }

    /// <summary>Another type for the VAE, as some VAEs overflow in float16; null for <see cref="Precision"/>.</summary>
    public ScalarType? VaePrecision { get; init; }

    /// <summary>The variant in the names of a folder's weights files, such as "fp16" for <c>model.fp16.safetensors</c>; null for
    /// none.</summary>
    public string? Variant { get; init; }

    /// <summary>The largest weights file of a folder in bytes; what is larger is split into shards with an index. Default 10 GB, as in
    /// diffusers.</summary>
    public long MaxShardBytes { get; init; } = 10_000_000_000;

    /// <summary>
    /// Whether a file, or a model folder, that stands at the path is replaced, once the new one is complete. Default false: it is an
    /// error, told before anything is written. A folder that holds something else than a model is never replaced; a run's
    /// checkpoints, logs and samples may lie in it, and stay.
    /// </summary>
    public bool Overwrite { get; init; }

    /// <summary>Whether a folder that holds other things may be written into: a run looked at it before it put its logs there.</summary>
    internal bool AmongOthers { get; init; }

    /// <summary>Whether single files say what they are (<c>modelspec.*</c>, hashes). Default true.</summary>
    public bool WriteMetadata { get; init; } = true;

    /// <summary>The file's name for people; null for the file's name.</summary>
    public string? Title { get; init; }

    /// <summary>Who made it.</summary>
    public string? Author { get; init; }

    /// <summary>What it is.</summary>
    public string? Description { get; init; }

    /// <summary>Under which terms it may be used.</summary>
    public string? License { get; init; }

    /// <summary>Words to find it by, separated by commas.</summary>
    public string? Tags { get; init; }

    /// <summary>How to use it.</summary>
    public string? UsageHint { get; init; }

    /// <summary>The words that call up what was learned.</summary>
    public string? TriggerPhrase { get; init; }

    /// <summary>The files it was merged from.</summary>
    public string? MergedFrom { get; init; }

    /// <summary>A small picture: the path of a PNG, JPEG, WebP or GIF file, or a data URL.</summary>
    public string? Thumbnail { get; init; }

    /// <summary>The size in pixels that it was trained at; null for what is usual for the model.</summary>
    public (int Width, int Height)? Resolution { get; init; }

    /// <summary>Further texts for the header of a single safetensors file, such as <c>ss_*</c> entries.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>Epochs trained, added to those of the source in a <c>.ckpt</c>. 0, the default, and up.</summary>
    public int Epochs { get; init; }

    /// <summary>Optimizer steps trained, added to those of the source in a <c>.ckpt</c>. 0, the default, and up.</summary>
    public int Steps { get; init; }

    /// <summary>
    /// Whether a <c>.yaml</c> with the architecture is written beside a single file. Null: where programs that read the file need it,
    /// that is for SD 2.x, and
    /// for architectures that are not the usual ones.
    /// </summary>
    public bool? WriteYaml { get; init; }

    /// <summary>Told how far saving is, in megabytes, as stage "saving", on the calling thread.</summary>
    public IProgress<WorkProgress>? Progress { get; init; }

    /// <summary>Where the date in the metadata comes from.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Format is { } format && !Enum.IsDefined(format))
            yield return Problem(Format, "the format is not known", "use one of: " + string.Join(", ", Enum.GetNames<ModelFormat>()));
        foreach (var (name, type) in new[]
        {
            (nameof(Precision), Precision), (nameof(UNetPrecision), UNetPrecision), (nameof(TextEncoderPrecision), TextEncoderPrecision),
                (nameof(VaePrecision), VaePrecision),
        })
        {
            if (type is { } precision && !Types.Contains(precision))
                yield return Problem(precision.ToString(), "models are saved as float32, float16 or bfloat16",
                    "leave it unset to keep the types as they are", name);
        }

        if (Variant is not null && (Variant.Length == 0
            || !Variant.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '-')))
            yield return Problem(Variant, "a variant is a part of a file's name", "use \"fp16\", or null for none");
        if (MaxShardBytes < 1)
            yield return Problem(MaxShardBytes, "a file must be allowed at least one byte", "10000000000 is diffusers' limit");
        if (Epochs < 0) yield return Problem(Epochs, "the number of epochs cannot be negative", "use 0 for none");
        if (Steps < 0) yield return Problem(Steps, "the number of steps cannot be negative", "use 0 for none");
        if (Resolution is { } size && (size.Width < 1 || size.Height < 1)) yield return Problem(
            $"{size.Width}x{size.Height}", "the size must be positive", "leave it unset for what is usual for the model",
                nameof(Resolution));
        foreach (var key in Metadata.Keys)
            if (Array.Exists(OwnKeys, own => key.StartsWith(own, StringComparison.Ordinal)))
                yield return Problem(key, "these entries are computed", "use the properties of the same names, such as Title",
                    $"{nameof(Metadata)}");
        if (Thumbnail is { } thumbnail && !thumbnail.StartsWith(Thumbnails.UrlStart, StringComparison.Ordinal) && !File.Exists(thumbnail))
            yield return Problem(thumbnail, "there is no such picture", "give the path of a PNG, JPEG, WebP or GIF file, or a data URL");
    }

    /// <summary>The type that a part's floating-point tensors are written in; null for their own.</summary>
    internal ScalarType? PrecisionOf(Models.ModelParts part) => part switch
    {
        Models.ModelParts.UNet => UNetPrecision,
        Models.ModelParts.Vae => VaePrecision,
        _ => TextEncoderPrecision,
    } ?? Precision;
}
