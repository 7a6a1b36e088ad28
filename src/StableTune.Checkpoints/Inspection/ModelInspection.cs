using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>What a file or folder turned out to hold.</summary>
public enum ContentKind
{
    /// <summary>Weights that are not known.</summary>
    Unknown,

    /// <summary>A whole Stable Diffusion model, or a checkpoint with at least its UNet.</summary>
    Model,

    /// <summary>A UNet alone, under diffusers' names.</summary>
    UNet,

    /// <summary>A VAE alone.</summary>
    Vae,

    /// <summary>A text encoder alone.</summary>
    TextEncoder,

    /// <summary>A ControlNet.</summary>
    ControlNet,

    /// <summary>LoRA or a relative of it.</summary>
    Adapter,

    /// <summary>A textual-inversion embedding.</summary>
    Embedding,

    /// <summary>A network of sd-trainer's PFG, which makes text tokens of a tagger's features.</summary>
    PromptFree,
}

/// <summary>What <see cref="ModelInspector.Inspect"/> found out. <see cref="ToString"/> is a report for people, <see cref="ToJson"/> one
/// for programs.</summary>
public sealed record ModelInspection
{
    /// <summary>The file or folder, as the caller named it.</summary>
    public required string Path { get; init; }

    /// <summary>What it holds.</summary>
    public required ContentKind Kind { get; init; }

    /// <summary>The findings in a line: "LoRA for Stable Diffusion 1.x (from ss_base_model_version), rank 4".</summary>
    public required string Summary { get; init; }

    /// <summary>The model's architecture, prediction and format, each with how it is known; null for what is no model, or cannot be
    /// told.</summary>
    public ModelDetails? Details { get; init; }

    /// <summary>Parameters, bytes and stored types of each part.</summary>
    public IReadOnlyList<InspectedPart> Parts { get; init; } = [];

    /// <summary>The weights files, with their hashes when these were asked for.</summary>
    public IReadOnlyList<InspectedFile> Files { get; init; } = [];

    /// <summary>The free texts of the file (<c>ss_*</c>, <c>modelspec.*</c> and others), in its order.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>What is worth knowing: names that were passed over, guesses.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Why it could not be loaded as it is; empty when nothing speaks against it.</summary>
    public IReadOnlyList<string> Problems { get; init; } = [];

    /// <summary>Parameters of all parts.</summary>
    public long Parameters => Parts.Sum(part => part.Parameters);

    /// <summary>The report as text.</summary>
    public override string ToString()
    {
        using var writer = new StringWriter();
        WriteTo(writer);
        return writer.ToString();
    }

    /// <summary>Writes the report as text: summary, parts, hashes, metadata by groups, notes, problems. Long values are
    /// shortened.</summary>
    /// <param name="writer">Where it goes.</param>
    public void WriteTo(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        new InspectionText(writer).Write(this);
    }

    /// <summary>The report as JSON, indented, with every value in full.</summary>
    public string ToJson() => InspectionJson.Write(this);
}

/// <summary>One part of what was inspected.</summary>
/// <param name="Name">"unet", "vae", "text_encoder", "text_encoder_2", or what else it is.</param>
/// <param name="Architecture">Its architecture in a line; null where that is not known.</param>
/// <param name="Parameters">The number of weights, without buffers and what modules have no use for.</param>
/// <param name="Bytes">Their size as stored.</param>
/// <param name="Precisions">How they are stored, that of most bytes first.</param>
public sealed record InspectedPart(
    string Name, string? Architecture, long Parameters, long Bytes, IReadOnlyList<StoredPrecision> Precisions)
{
    /// <summary>Counts tensors.</summary>
    internal static InspectedPart Of(string name, string? architecture, IEnumerable<TensorInfo> tensors)
    {
        var all = tensors.ToList();
        var precisions = all.GroupBy(tensor => tensor.DType)
            .Select(group => new StoredPrecision(
                group.Key, group.Count(), group.Sum(tensor => tensor.ElementCount), group.Sum(tensor => tensor.ByteCount)))
            .OrderByDescending(precision => precision.Bytes).ThenBy(precision => precision.Type);
        return new InspectedPart(name, architecture, all.Sum(tensor => tensor.ElementCount), all.Sum(tensor => tensor.ByteCount),
            [.. precisions]);
    }
}

/// <summary>The tensors of a part that are stored in one type.</summary>
/// <param name="Type">The type.</param>
/// <param name="Tensors">How many tensors.</param>
/// <param name="Elements">How many numbers.</param>
/// <param name="Bytes">How many bytes.</param>
public sealed record StoredPrecision(TensorDType Type, int Tensors, long Elements, long Bytes);

/// <summary>A weights file.</summary>
/// <param name="Path">The file.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Hashes">Hashes of the whole file; null when not asked for.</param>
/// <param name="Carried">The hashes that the file's metadata carries, or could, held against its content; empty when not asked for, or
/// where files of its kind have none.</param>
public sealed record InspectedFile(string Path, long Bytes, FileHashes? Hashes, IReadOnlyList<CarriedHash> Carried);

/// <summary>A hash in a file's metadata.</summary>
/// <param name="Key">Its name: <c>sshs_model_hash</c>, <c>sshs_legacy_hash</c>, <c>modelspec.hash_sha256</c>.</param>
/// <param name="Stored">What the metadata says; null without such an entry.</param>
/// <param name="Computed">What the content gives.</param>
public sealed record CarriedHash(string Key, string? Stored, string Computed)
{
    /// <summary>Whether both are the same; null without a stored one.</summary>
    public bool? Matches => Stored is null ? null : Stored.Equals(Computed, StringComparison.OrdinalIgnoreCase);
}
