using StableTune.Formats;

namespace StableTune.Models;

/// <summary>One part of a model that is to be written, wherever it comes from.</summary>
/// <param name="Folder">The part's name in diffusers' layout: "unet", "vae", "text_encoder", "text_encoder_2".</param>
/// <param name="Part">Which of the parts with weights it is, or belongs to.</param>
/// <param name="Options">The architecture as its options record; null for text encoders that are no CLIP, whose configuration is the source's.</param>
/// <param name="Tensors">Its tensors under diffusers' names, floating-point ones in the type given, or in their own for null.</param>
internal sealed record PartContents(string Folder, ModelParts Part, OptionsBase? Options, Func<ScalarType?, IReadOnlyList<TensorPayload>> Tensors);

/// <summary>A tokenizer that is to be written.</summary>
/// <param name="Folder">"tokenizer" or "tokenizer_2".</param>
/// <param name="Tokenizer">The tokenizer.</param>
internal sealed record TokenizerContents(string Folder, ITextTokenizer Tokenizer);

/// <summary>A whole model that is to be written: from modules or from files, the writers do not care.</summary>
internal sealed record ModelContents
{
    /// <summary>What metadata call the model: "sd_v1", "sd_v2", "sd_v2_v", "sdxl_base_v1-0".</summary>
    public required string BaseModelVersion { get; init; }

    /// <summary>The parts, in the order UNet, VAE, text encoders.</summary>
    public required IReadOnlyList<PartContents> Parts { get; init; }

    /// <summary>The tokenizers.</summary>
    public required IReadOnlyList<TokenizerContents> Tokenizers { get; init; }

    /// <summary>Noise schedule and prediction type.</summary>
    public required SchedulerOptions Scheduler { get; init; }

    /// <summary>The model folder it comes from, whose configurations are kept; null for none.</summary>
    public string? SourceFolder { get; init; }

    /// <summary>The format it comes from; null when it was put together.</summary>
    public ModelFormat? SourceFormat { get; init; }

    /// <summary>Whether it is SDXL.</summary>
    public bool IsSdxl => BaseModelVersion.StartsWith("sdxl", StringComparison.Ordinal);

    /// <summary>Whether it is SD 2.x.</summary>
    public bool IsSd2 => BaseModelVersion.StartsWith("sd_v2", StringComparison.Ordinal);

    /// <summary>Whether it predicts v.</summary>
    public bool PredictsV => Scheduler.PredictionType == "v_prediction";

    /// <summary>The part of this folder's name; null without.</summary>
    public PartContents? Find(string folder) => Parts.FirstOrDefault(part => part.Folder == folder);

    /// <summary>What a model in memory holds.</summary>
    public static ModelContents Of(StableDiffusionModel model)
    {
        var parts = new List<PartContents>();
        if (model.Parts.HasFlag(ModelParts.UNet)) parts.Add(Part("unet", ModelParts.UNet, model.UNet.Options, model.UNet));
        if (model.Parts.HasFlag(ModelParts.Vae)) parts.Add(Part("vae", ModelParts.Vae, model.Vae.Options, model.Vae));
        var tokenizers = new List<TokenizerContents>();
        if (model.Parts.HasFlag(ModelParts.TextEncoder))
        {
            parts.Add(TextPart("text_encoder", model.TextEncoder));
            tokenizers.Add(new TokenizerContents("tokenizer", model.Tokenizer));
        }

        if (model.HasTextEncoder2)
        {
            parts.Add(TextPart("text_encoder_2", model.TextEncoder2));
            tokenizers.Add(new TokenizerContents("tokenizer_2", model.Tokenizer2));
        }

        return new ModelContents
        {
            BaseModelVersion = model.BaseModelVersion,
            Parts = parts,
            Tokenizers = tokenizers,
            Scheduler = model.Scheduler,
            SourceFolder = model.Path is { } path && Directory.Exists(path) ? path : null,
            SourceFormat = model.Path is { } source ? Directory.Exists(source) ? ModelFormat.DiffusersSafetensors : ModelFormats.Of(source) : null,
        };
    }

    // Textual inversion may have added rows.
    private static PartContents TextPart(string folder, TextModel encoder) => Part(
        folder, ModelParts.TextEncoder, encoder is ClipTextModel clip ? clip.Options with { VocabularySize = clip.VocabularySize } : null, encoder);

    private static PartContents Part(string folder, ModelParts part, OptionsBase? options, nn.Module module) => new(
        folder, part, options, type => [.. Weights.StatePayloads.Of(module.state_dict().Select(entry => (entry.Key, entry.Value)), type)]);
}
