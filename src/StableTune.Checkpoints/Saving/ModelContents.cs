using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Checkpoints;

/// <summary>One part of a model that is to be written, wherever it comes from.</summary>
/// <param name="Folder">The part's name in diffusers' layout, see <see cref="ModelPart"/>.</param>
/// <param name="Part">Which of the parts with weights it is, or belongs to.</param>
/// <param name="Options">The architecture as its options record; null for text encoders of a host's own kind, whose configuration is the
/// source's.</param>
/// <param name="Tensors">Its tensors under diffusers' names, floating-point ones in the type given, or in their own for null.</param>
internal sealed record PartContents(
    string Folder, ModelParts Part, OptionsBase? Options, Func<ScalarType?, IReadOnlyList<TensorPayload>> Tensors)
{
    /// <summary>The module that has the tensors; null where they come from elsewhere.</summary>
    public nn.Module? Module { get; init; }

    /// <summary>Takes the tensors for later, see <see cref="PayloadCopies"/>.</summary>
    public IReadOnlyList<TensorPayload>? Take(ScalarType? type, PayloadCopies copies) => Module is null ? copies.Take(Tensors(type))
        : copies.TakeLasting(ModuleTensors.Named(Module).Select(entry => (entry.Key, entry.Value)), type);
}

/// <summary>A tokenizer that is to be written.</summary>
/// <param name="Folder">"tokenizer" or "tokenizer_2".</param>
/// <param name="Tokenizer">The tokenizer.</param>
internal sealed record TokenizerContents(string Folder, ITextTokenizer Tokenizer);

/// <summary>A whole model that is to be written: from modules or from files, the writers do not care. Owns what it opened of the
/// source.</summary>
internal sealed class ModelContents : IDisposable
{
    /// <summary>What metadata call the model: "sd_v1", "sd_v2", "sd_v2_v", "sdxl_base_v1-0".</summary>
    public string BaseModelVersion => Version.BaseName(Scheduler.Prediction);

    /// <summary>The model's generation.</summary>
    public required ModelVersion Version { get; init; }

    /// <summary>The parts, in the order UNet, VAE, text encoders.</summary>
    public required IReadOnlyList<PartContents> Parts { get; init; }

    /// <summary>The tokenizers.</summary>
    public required IReadOnlyList<TokenizerContents> Tokenizers { get; init; }

    /// <summary>Noise schedule and prediction type.</summary>
    public required SchedulerOptions Scheduler { get; init; }

    /// <summary>The file or folder it comes from; null when it was put together.</summary>
    public string? Source { get; init; }

    /// <summary>The format it comes from; null when it was put together.</summary>
    public ModelFormat? SourceFormat { get; init; }

    /// <summary>What the source holds beyond the parts.</summary>
    public CarriedTensors Carried { get; private set; } = CarriedTensors.None;

    /// <summary>What the source says of itself, where this is the same model still; empty for a model in memory, which may have been
    /// trained.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; private set; } = new Dictionary<string, string>();

    /// <summary>What the user should know.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>The model folder it comes from, whose configurations are kept; null for none.</summary>
    public string? SourceFolder => Source is not null && Directory.Exists(Source) ? Source : null;

    /// <summary>Whether it is SDXL.</summary>
    public bool IsSdxl => Version == ModelVersion.Sdxl;

    /// <summary>Whether it is SD 2.x.</summary>
    public bool IsSd2 => Version == ModelVersion.Sd2;

    /// <summary>Whether it predicts v.</summary>
    public bool PredictsV => Scheduler.Prediction == ModelPrediction.V;

    /// <summary>The parts that a whole model of this kind has.</summary>
    public IReadOnlyList<string> NeededParts => IsSdxl
        ? [ModelPart.UNet, ModelPart.Vae, ModelPart.TextEncoder, ModelPart.TextEncoder2]
            : [ModelPart.UNet, ModelPart.Vae, ModelPart.TextEncoder];

    /// <summary>The part of this folder's name; null without.</summary>
    public PartContents? Find(string folder) => Parts.FirstOrDefault(part => part.Folder == folder);

    /// <summary>What a model in memory holds.</summary>
    public static ModelContents Of(StableDiffusionModel model)
    {
        var parts = new List<PartContents>();
        if (model.Parts.HasFlag(ModelParts.UNet)) parts.Add(Part(ModelPart.UNet, ModelParts.UNet, model.UNet.Options, model.UNet));
        if (model.Parts.HasFlag(ModelParts.Vae)) parts.Add(Part(ModelPart.Vae, ModelParts.Vae, model.Vae.Options, model.Vae));
        var tokenizers = new List<TokenizerContents>();
        if (model.Parts.HasFlag(ModelParts.TextEncoder))
        {
            parts.Add(TextPart(ModelPart.TextEncoder, model.TextEncoder));
            tokenizers.Add(new TokenizerContents("tokenizer", Plain(model.Tokenizer)));
        }

        if (model.HasTextEncoder2)
        {
            parts.Add(TextPart(ModelPart.TextEncoder2, model.TextEncoder2));
            tokenizers.Add(new TokenizerContents("tokenizer_2", Plain(model.Tokenizer2)));
        }

        var contents = new ModelContents
        {
            Version = model.Version,
            Parts = parts,
            Tokenizers = tokenizers,
            Scheduler = model.Scheduler,
            Source = model.Details?.Path ?? model.Path,
            SourceFormat = model.Details?.Format,
        };
        contents.OpenCarried(isModelInMemory: true);
        return contents;
    }

    /// <summary>What a model on the disk holds.</summary>
    /// <param name="description">The model, without faults; stays the caller's, and open until all is written.</param>
    public static ModelContents Of(ModelDescription description)
    {
        var tokenizers = new List<TokenizerContents>();
        if (description.Tokenizer is { } first) tokenizers.Add(new TokenizerContents("tokenizer", first));
        if (description.Tokenizer2 is { } second) tokenizers.Add(new TokenizerContents("tokenizer_2", second));
        var contents = new ModelContents
        {
            Version = description.Details!.Version,
            Parts = [.. description.Parts.Select(Part)],
            Tokenizers = tokenizers,
            Scheduler = description.Scheduler,
            Source = description.Details.Path,
            SourceFormat = description.Details.Format,
        };
        contents.OpenCarried(isModelInMemory: false);
        return contents;
    }

    /// <summary>The same model with other weights, which no longer is what the source says of itself. Lives as long as this
    /// one.</summary>
    /// <param name="parts">Its parts.</param>
    public ModelContents With(IReadOnlyList<PartContents> parts) => new()
    {
        Version = Version, Parts = parts, Tokenizers = Tokenizers, Scheduler = Scheduler, Source = Source, SourceFormat = SourceFormat,
        Carried = Carried,
    };

    /// <summary>The same model with copies of its numbers, in the types that they are saved in. Lives as long as this one.</summary>
    /// <param name="options">How it will be saved.</param>
    /// <param name="copies">Takes the copies.</param>
    /// <returns>Null where the copies would take too much memory.</returns>
    public ModelContents? Copied(ModelSaveOptions options, PayloadCopies copies)
    {
        var parts = new List<PartContents>();
        foreach (var part in Parts)
        {
            if (part.Take(options.PrecisionOf(part.Part), copies) is not { } tensors) return null;
            parts.Add(part with { Tensors = _ => tensors });
        }

        var copied = With(parts);
        copied.Metadata = Metadata;
        copied.Notes.AddRange(Notes);
        return copied;
    }

    /// <summary>Closes what was opened of the source.</summary>
    public void Dispose() => Carried.Dispose();

    private void OpenCarried(bool isModelInMemory)
    {
        if (Source is null || !Path.Exists(Source)) return;
        try
        {
            Carried = CarriedTensors.Of(Source, new SingleFileOptions
            {
                Version = Version,
                Prediction = PredictsV ? ModelPrediction.V : ModelPrediction.Epsilon,
                UNet = Find(ModelPart.UNet)?.Options as UNetOptions,
                Vae = Find(ModelPart.Vae)?.Options as VaeOptions,
                TextEncoder = Find(ModelPart.TextEncoder)?.Options as ClipTextOptions,
                TextEncoder2 = Find(ModelPart.TextEncoder2)?.Options as ClipTextOptions,
            });
            if (!isModelInMemory) Metadata = Carried.Metadata;
        }
        catch (InvalidFileException fault) when (isModelInMemory)
        {
            // Hours of training must not be lost because the file they began with has changed since.
            Notes.Add($"What {Source} holds beyond the model's parts was left out, as it cannot be read any more: {fault.Message}");
        }
    }

    /// <summary>Words that textual inversion added have files of their own: a model is saved without them.</summary>
    private static ITextTokenizer Plain(ITextTokenizer tokenizer) => tokenizer is WordTokenizer words ? words.Base : tokenizer;

    // The table may have been loaded with further rows.
    private static PartContents TextPart(string folder, TextModel encoder)
    {
        OptionsBase? options = encoder switch
        {
            ClipTextModel clip => clip.Options with { VocabularySize = (int)clip.TokenEmbedding.num_embeddings },
            BertTextModel bert => bert.Options with { VocabularySize = (int)bert.TokenEmbedding.num_embeddings },
            LdmBertModel bert => bert.Options with { VocabularySize = (int)bert.TokenEmbedding.num_embeddings },
            _ => null,
        };
        return Part(folder, ModelParts.TextEncoder, options, encoder);
    }

    private static PartContents Part(string folder, ModelParts part, OptionsBase? options, nn.Module module) => new(
        folder, part, options, type => [.. StatePayloads.Of(ModuleTensors.Named(module).Select(entry => (entry.Key, entry.Value)), type)])
        { Module = module };

    private static PartContents Part(ModelPart part) => new(
        part.Name, part.Flag, part.Architecture is TextArchitecture text ? text.Options : (OptionsBase)part.Architecture,
        type => [.. part.Weights.Tensors.Select(info => (Info: info, Name: part.Rename(info.Name))).Where(tensor => tensor.Name is not null)
            .Select(tensor => StatePayloads.Of(part.Weights.Source, tensor.Info, type, tensor.Name))]);
}
