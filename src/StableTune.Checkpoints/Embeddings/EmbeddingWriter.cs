using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Checkpoints;

/// <summary>Forms of embedding files. An SDXL embedding is <c>clip_l</c> and <c>clip_g</c> in all of them, and one with vectors for each
/// attention layer has their names.</summary>
public enum EmbeddingFormat
{
    /// <summary><c>emb_params</c>, as sd-scripts has it; web UIs read it too. Safetensors or torch file.</summary>
    SdScripts,

    /// <summary><c>string_to_param</c>, AUTOMATIC1111's own. Torch file.</summary>
    WebUi,

    /// <summary>The word is the name, as diffusers has it. Safetensors or torch file.</summary>
    Diffusers,
}

/// <summary>How an embedding is saved.</summary>
public sealed record EmbeddingSaveOptions
{
    /// <summary>The form; null, the default, for diffusers' where the path ends with <c>.bin</c>, and sd-scripts' otherwise.</summary>
    public EmbeddingFormat? Format { get; init; }

    /// <summary>The type of the numbers. Default float32.</summary>
    public ScalarType Type { get; init; } = ScalarType.Float32;

    /// <summary>What the file says of itself, where it is a safetensors file; null for nothing.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>Steps that it was trained for; null where that is not known. AUTOMATIC1111's form says it.</summary>
    public int? Step { get; init; }
}

/// <summary>Writes files of textual inversion.</summary>
public static class EmbeddingWriter
{
    /// <summary>The id that web UIs name in their files, that of "*".</summary>
    private const long WebUiToken = 265;

    private static readonly string[] TorchEndings = [".pt", ".bin", ".ckpt"];

    /// <summary>The endings that files of a form have, the usual one first.</summary>
    /// <param name="format">The form; null for any.</param>
    public static IReadOnlyList<string> Endings(EmbeddingFormat? format) => format switch
    {
        EmbeddingFormat.SdScripts => [".safetensors", ".pt", ".ckpt"],
        EmbeddingFormat.WebUi => [".pt"],
        EmbeddingFormat.Diffusers => [".safetensors", ".bin"],
        _ => [".safetensors", ".pt", ".bin", ".ckpt"],
    };

    /// <summary>Writes an embedding, complete or not at all.</summary>
    /// <param name="path">The file: <c>.safetensors</c>, or <c>.pt</c>, <c>.bin</c>, <c>.ckpt</c> for a torch file.</param>
    /// <param name="embedding">The embedding; with <see cref="WordEmbedding.Word"/> where the form says it.</param>
    /// <param name="options">The form and type; null for the defaults.</param>
    /// <exception cref="ArgumentException">The ending is not one of the form's, or the form needs a word and there is none.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Save(string path, WordEmbedding embedding, EmbeddingSaveOptions? options = null)
    {
        using var scope = NewDisposeScope();
        Prepare(path, embedding, options, null)!();
    }

    /// <summary>What writes an embedding: from copies of its numbers, or from themselves where there are none to take. Tensors that it
    /// makes are in the current dispose scope.</summary>
    /// <returns>Null where the copies would take too much memory.</returns>
    internal static Action? Prepare(string path, WordEmbedding embedding, EmbeddingSaveOptions? options, PayloadCopies? copies)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(embedding);
        options ??= new EmbeddingSaveOptions();
        var ending = Path.GetExtension(path);
        if (!Endings(options.Format).Contains(ending, StringComparer.OrdinalIgnoreCase))
            throw new ArgumentException(
                $"{path}: an embedding {(options.Format is { } named ? $"in the form {named} " : "")}cannot be written to a file that ends "
                    + $"with \"{ending}\". End the path with {string.Join(" or ", Endings(options.Format))}.", nameof(path));
        var isTorch = TorchEndings.Contains(ending, StringComparer.OrdinalIgnoreCase);
        var format = options.Format
            ?? (ending.Equals(".bin", StringComparison.OrdinalIgnoreCase) ? EmbeddingFormat.Diffusers : EmbeddingFormat.SdScripts);
        using var frozen = no_grad();
        var payloads = StatePayloads.Of(Named(embedding, format), options.Type);
        if ((copies is null ? [.. payloads] : copies.Take(payloads)) is not { } tensors) return null;
        if (!isTorch) return () => SafetensorsWriter.Write(path, tensors, options.Metadata);
        return format == EmbeddingFormat.WebUi && tensors is [{ Name: EmbeddingFile.WebUiEntry } only]
            ? () => TorchWriter.Write(path, WebUi(only, embedding.Word, options.Step)) : () => TorchWriter.Write(path, tensors);
    }

    private static IEnumerable<(string Name, Tensor Tensor)> Named(WordEmbedding embedding, EmbeddingFormat format)
    {
        if (embedding.SecondRows is { } second) return [(EmbeddingFile.First, embedding.Rows), (EmbeddingFile.Second, second)];
        if (embedding.IsPerLayer)
        {
            // Stable Diffusion 1 and 2 have the same layers.
            var layers = CrossAttentionLayers.Of(UNetOptions.Sd15);
            return layers.Count == embedding.Rows.size(0) ? layers.Select((name, i) => (name, embedding.Rows.select(0, i)))
                : throw new ArgumentException(
                    $"The embedding has vectors for {embedding.Rows.size(0)} attention layers instead of {layers.Count}.",
                    nameof(embedding));
        }

        return [(format switch
        {
            EmbeddingFormat.SdScripts => EmbeddingFile.Single,
            EmbeddingFormat.WebUi => EmbeddingFile.WebUiEntry,
            _ => embedding.Word ?? throw new ArgumentException("diffusers' form needs the embedding's word: set it.", nameof(embedding)),
        }, embedding.Rows)];
    }

    private static PickleDictionary WebUi(TensorPayload rows, string? word, int? step) => new(
    [
        new("string_to_token", new PickleDictionary([new(EmbeddingFile.WebUiEntry, WebUiToken)])),
        new(EmbeddingFile.WebUiParameters, new PickleDictionary([new(EmbeddingFile.WebUiEntry, PickleTensor.From(rows))])),
        new("name", word is null ? PickleNone.Value : word),
        new("step", step is { } steps ? (long)steps : PickleNone.Value),
        new("sd_checkpoint", PickleNone.Value),
        new("sd_checkpoint_name", PickleNone.Value),
    ]);
}
