using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>What is known of a text encoder before its weights are read.</summary>
/// <param name="Options">The architecture as a record.</param>
/// <param name="Width">Width of its hidden states.</param>
/// <param name="Layers">Layers that have a hidden state: the largest clip skip.</param>
/// <param name="VocabularySize">Rows of its token embedding.</param>
/// <param name="MaxPositions">The longest sequence.</param>
/// <param name="ProjectionDim">Width of its projected pooled output; null without one.</param>
/// <param name="Build">Makes the module.</param>
/// <param name="Rename">The module's name for a name of the file; null for what it has no use for.</param>
internal sealed record TextArchitecture(
    OptionsBase Options, int Width, int Layers, int VocabularySize, int MaxPositions, int? ProjectionDim, Func<TextModel> Build,
        Func<string, string?> Rename)
{
    /// <summary>Whether texts are one row however long, and padding can be hidden; CLIP's are cut into chunks of 77, and have no
    /// mask.</summary>
    public bool TakesLongRows => Options is not ClipTextOptions;

    /// <summary>A CLIP text encoder.</summary>
    public static TextArchitecture Clip(ClipTextOptions options) => new(
        options, options.HiddenSize, options.Layers, options.VocabularySize, options.MaxPositions, options.ProjectionDim,
        () => new ClipTextModel(options), name => WeightNames.ClipText(name, options.ProjectionDim is not null));

    /// <summary>A BERT or RoBERTa text encoder.</summary>
    public static TextArchitecture Bert(BertTextOptions options) => new(
        options, options.HiddenSize, options.Layers, options.VocabularySize, options.MaxPositions, null, () =>
            new BertTextModel(options), BertWeightNames.Bert);

    /// <summary>An LDMBert text encoder.</summary>
    public static TextArchitecture LdmBert(LdmBertOptions options) => new(
        options, options.HiddenSize, options.Layers, options.VocabularySize, options.MaxPositions, null, () =>
            new LdmBertModel(options), BertWeightNames.LdmBert);
}

/// <summary>A kind of text encoder in model folders: a row of a table.</summary>
/// <param name="Classes">The classes of transformers, as <c>model_index.json</c> and <c>architectures</c> in <c>config.json</c> name
/// them.</param>
/// <param name="ModelTypes">The same as <c>model_type</c> in <c>config.json</c> says it.</param>
/// <param name="Read">Reads <c>text_encoder/config.json</c>.</param>
/// <param name="ReadTokenizer">Reads the tokenizer's folder.</param>
internal sealed record TextEncoderKind(
    string[] Classes, string[] ModelTypes, Func<ConfigFile, TextArchitecture> Read, Func<string, ITextTokenizer> ReadTokenizer)
{
    /// <summary>The kinds that are known. A further one is a row here.</summary>
    private static readonly TextEncoderKind[] Known =
    [
        new(["CLIPTextModel", "CLIPTextModelWithProjection"], ["clip_text_model", "clip"],
            config => TextArchitecture.Clip(ArchitectureReader.ClipText(config)), ClipTokenizer.FromFolder),
        new(["BertModel", "BertForMaskedLM", "BertForPreTraining"], ["bert"],
            config => TextArchitecture.Bert(BertConfigReader.Bert(config)), SequenceTokenizer.FromFolder),
        new(["RobertaModel", "RobertaForMaskedLM", "XLMRobertaModel", "XLMRobertaForMaskedLM"], ["roberta", "xlm-roberta"],
            config => TextArchitecture.Bert(BertConfigReader.Roberta(config)), SequenceTokenizer.FromFolder),
        new(["LDMBertModel", "LDMBert"], ["ldmbert"],
            config => TextArchitecture.LdmBert(BertConfigReader.LdmBert(config)), SequenceTokenizer.FromFolder),
    ];

    /// <summary>The kind that a configuration describes.</summary>
    /// <param name="config">The part's <c>config.json</c>.</param>
    /// <exception cref="InvalidFileException">It is none that is known.</exception>
    public static TextEncoderKind Of(ConfigFile config)
    {
        var classes = config.Texts("architectures", []);
        var type = config.Text("model_type");
        if (classes.Count == 0 && type is null) return Known[0];    // as the first configurations, which name neither
        return Known.FirstOrDefault(kind => classes.Any(kind.Classes.Contains))
            ?? Known.FirstOrDefault(kind => classes.Count == 0 && kind.ModelTypes.Contains(type))
            ?? throw new InvalidFileException(
                config.Path,
                    $"the text encoder is of class {(classes.Count > 0 ? string.Join(", ", classes) : type)}, which is not supported.",
                "Use a model whose text encoder is one of: " + string.Join(", ", Known.SelectMany(kind => kind.Classes)) + ".");
    }
}
