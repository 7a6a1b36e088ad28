namespace StableTune.Models;

/// <summary>A BERT or RoBERTa text encoder, with the parameter names of <c>transformers</c>' <c>BertModel</c>, <c>RobertaModel</c> and
/// <c>XLMRobertaModel</c>.</summary>
/// <remarks>
/// Devlin et al. 2018, arXiv:1810.04805; Liu et al. 2019, arXiv:1907.11692. The text encoder of Chinese Stable Diffusion models such as
/// Taiyi. Its pooler, which Stable Diffusion does not use, is left out. Dropout is off: text encoders are trained without, as CLIP's are.
/// It computes in the type of its weights.
/// </remarks>
public sealed class BertTextModel : MaskedTextModel
{
    private readonly BertEmbeddings embeddings;
    private readonly BertEncoder encoder;

    /// <summary>Creates the encoder with random weights.</summary>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public BertTextModel(BertTextOptions options) : base(nameof(BertTextModel))
    {
        ArgumentNullException.ThrowIfNull(options);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        Options = options;
        UseAttentionMask = options.UseAttentionMask;
        embeddings = new BertEmbeddings(options);
        encoder = new BertEncoder(options);
        RegisterComponents();
    }

    /// <summary>The architecture.</summary>
    public BertTextOptions Options { get; }

    /// <inheritdoc/>
    public override int Layers => Options.Layers;

    /// <inheritdoc/>
    public override int Width => Options.HiddenSize;

    /// <inheritdoc/>
    public override int MaxPositions => Options.MaxPositions;

    /// <inheritdoc/>
    public override Embedding TokenEmbedding => embeddings.Tokens;

    /// <inheritdoc/>
    public override int PadTokenId => Options.PadTokenId;

    /// <remarks>Each layer ends with a norm of its own, so there is no final one.</remarks>
    private protected override Tensor Run(Tensor inputIds, Tensor? bias, int count, bool finalNorm)
    {
        using var scope = NewDisposeScope();
        return RunLayers(encoder.Layers, count, embeddings.call(inputIds), bias, GradientCheckpointing).MoveToOuterDisposeScope();
    }
}
