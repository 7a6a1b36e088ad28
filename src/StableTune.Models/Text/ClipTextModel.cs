namespace StableTune.Models;

/// <summary>CLIP's text encoder, with the parameter names of <c>transformers</c>' <c>CLIPTextModel</c> (and
/// <c>CLIPTextModelWithProjection</c>).</summary>
/// <remarks>
/// Radford et al. 2021, arXiv:2103.00020. SD 1.x, SD 2.x and both encoders of SDXL are options of this class. The causal mask is the only
/// mask; padding is attended, as in the reference. It computes in the type of its weights; norms and softmax sum in float32 inside
/// libtorch's kernels.
/// </remarks>
public sealed class ClipTextModel : TextModel
{
    private readonly ClipTextTransformer text_model;
    private readonly Linear? text_projection;

    /// <summary>Creates the encoder with random weights.</summary>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public ClipTextModel(ClipTextOptions options) : base(nameof(ClipTextModel))
    {
        InvalidOptionsException.ThrowIfAny(options.Validate());
        Options = options;
        text_model = new ClipTextTransformer(options);
        if (options.ProjectionDim is { } width) text_projection = new Linear(options.HiddenSize, width, hasBias: false);
        RegisterComponents();
    }

    /// <summary>The architecture.</summary>
    public ClipTextOptions Options { get; }

    /// <summary>Embeddings, layers and final norm.</summary>
    public ClipTextTransformer TextModel => text_model;

    /// <inheritdoc/>
    public override int Layers => Options.Layers;

    /// <inheritdoc/>
    public override int Width => Options.HiddenSize;

    /// <inheritdoc/>
    public override int MaxPositions => Options.MaxPositions;

    /// <summary>Rows of the token embedding: those of the options, and those that were added since.</summary>
    public override int VocabularySize => (int)(TokenEmbedding.num_embeddings + TokenEmbedding.AddedRows);

    /// <inheritdoc/>
    public override Embedding TokenEmbedding => text_model.Embeddings.Tokens;

    /// <inheritdoc/>
    public override bool GradientCheckpointing
    {
        get => text_model.Encoder.GradientCheckpointing;
        set => text_model.Encoder.GradientCheckpointing = value;
    }

    /// <summary>The last hidden state after the final norm.</summary>
    /// <param name="inputIds">[B, L], int64; L at most <see cref="ClipTextOptions.MaxPositions"/>.</param>
    /// <returns>[B, L, C].</returns>
    /// <exception cref="ArgumentException">The ids have another shape.</exception>
    public override Tensor forward(Tensor inputIds)
    {
        CheckShape(inputIds);
        using var scope = NewDisposeScope();
        return text_model.FinalNorm.call(text_model.Encoder.call(Embed(inputIds))).MoveToOuterDisposeScope();
    }

    /// <summary>The hidden state after layer <see cref="ClipTextOptions.Layers"/> + 1 - <paramref name="clipSkip"/>; the layers above it
    /// are not run.</summary>
    /// <param name="inputIds">[B, L], int64.</param>
    /// <param name="clipSkip">1 for the last layer, 2 for the last but one, and so on to the number of layers.</param>
    /// <param name="finalNorm">Whether the final norm follows; SD 1.x and 2.x have it, SDXL has not.</param>
    /// <returns>[B, L, C].</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="clipSkip"/> is not within 1 and the number of layers.</exception>
    /// <exception cref="ArgumentException">The ids have another shape.</exception>
    public override Tensor HiddenState(Tensor inputIds, int clipSkip = 1, bool finalNorm = true)
    {
        CheckShape(inputIds);
        ArgumentOutOfRangeException.ThrowIfLessThan(clipSkip, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(clipSkip, Options.Layers);
        using var scope = NewDisposeScope();
        var state = text_model.Encoder.Run(Embed(inputIds), Options.Layers + 1 - clipSkip);
        if (finalNorm) state = text_model.FinalNorm.call(state);
        return state.MoveToOuterDisposeScope();
    }

    /// <summary>Everything that the encoder computes: all hidden states, the last one after the final norm, and the pooled
    /// output.</summary>
    /// <param name="inputIds">[B, L], int64.</param>
    /// <exception cref="ArgumentException">The ids have another shape.</exception>
    public ClipTextOutput Outputs(Tensor inputIds)
    {
        CheckShape(inputIds);
        using var scope = NewDisposeScope();
        var states = new List<Tensor>();
        text_model.Encoder.Run(Embed(inputIds), Options.Layers, state => states.Add(state.alias().MoveToOuterDisposeScope()));
        var last = text_model.FinalNorm.call(states[^1]);
        var pooled = Pool(last, inputIds, Options.EndTokenId);
        if (text_projection is not null) pooled = text_projection.call(pooled);
        foreach (var state in states) state.MoveToOuterDisposeScope();
        return new ClipTextOutput(last.MoveToOuterDisposeScope(), pooled.MoveToOuterDisposeScope(), states);
    }

    /// <summary>The input of the last layer, without the final norm, and the pooled output: what SDXL takes of its second
    /// encoder.</summary>
    /// <param name="inputIds">[B, L], int64.</param>
    /// <param name="endId">The token whose first place is pooled, whatever larger ids textual inversion has added.</param>
    /// <returns>[B, L, C] and [B, D].</returns>
    internal (Tensor Penultimate, Tensor Pooled) PenultimateAndPooled(Tensor inputIds, int endId)
    {
        CheckShape(inputIds);
        using var scope = NewDisposeScope();
        Tensor? penultimate = null;
        var place = 0;
        var last = text_model.Encoder.Run(Embed(inputIds), Layers, state =>
        {
            if (place++ == Layers - 1) penultimate = state.alias().MoveToOuterDisposeScope();
        });
        var pooled = Pool(text_model.FinalNorm.call(last), inputIds, endId);
        if (text_projection is not null) pooled = text_projection.call(pooled);
        return (penultimate!.MoveToOuterDisposeScope(), pooled.MoveToOuterDisposeScope());
    }

    /// <summary>The embeddings in the type that is computed in, [B, L, C].</summary>
    private Tensor Embed(Tensor inputIds)
    {
        using var scope = NewDisposeScope();
        return text_model.Embeddings.call(inputIds).As(ComputeType ?? text_model.FinalNorm.weight.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>The state at the first place of a token, [B, C].</summary>
    private static Tensor Pool(Tensor last, Tensor inputIds, int endId)
    {
        using var scope = NewDisposeScope();
        // See ClipTextOptions.EndTokenId: 2 stands for the largest id.
        var place = endId == 2 ? inputIds.argmax(-1) : inputIds.eq(endId).to(ScalarType.Int32).argmax(-1);
        var index = place.view(-1, 1, 1).expand(-1, 1, last.shape[2]);   // [B, 1, C]
        return last.gather(1, index).squeeze(1).MoveToOuterDisposeScope();
    }

    private void CheckShape(Tensor inputIds)
    {
        if (inputIds.dim() != 2 || inputIds.shape[1] < 1 || inputIds.shape[1] > Options.MaxPositions)
            throw new ArgumentException(
                $"The token ids have the shape [{string.Join(", ", inputIds.shape)}]; the encoder takes [B, L] with L up to "
                    + $"{Options.MaxPositions}.",
                nameof(inputIds));
    }
}

/// <summary>What a text encoder computes. Owns its tensors.</summary>
/// <param name="LastHiddenState">After the final norm, [B, L, C].</param>
/// <param name="Pooled">The last hidden state at the end token, projected where the encoder has a projection, [B, C].</param>
/// <param name="HiddenStates">The embeddings and each layer's output before the final norm, layers + 1 of [B, L, C].</param>
public sealed record ClipTextOutput(Tensor LastHiddenState, Tensor Pooled, IReadOnlyList<Tensor> HiddenStates) : IDisposable
{
    /// <summary>Disposes all tensors.</summary>
    public void Dispose()
    {
        LastHiddenState.Dispose();
        Pooled.Dispose();
        foreach (var state in HiddenStates) state.Dispose();
    }
}
