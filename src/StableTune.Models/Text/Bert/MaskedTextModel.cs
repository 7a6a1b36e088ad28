namespace StableTune.Models;

/// <summary>A text encoder that looks in both directions, and from which padding can be hidden. CLIP's looks back only, and needs no
/// mask.</summary>
public abstract class MaskedTextModel : TextModel
{
    /// <summary>Names the module.</summary>
    /// <param name="name">The class, as adapters look for it.</param>
    private protected MaskedTextModel(string name) : base(name) { }

    /// <summary>The token that fills rows.</summary>
    public abstract int PadTokenId { get; }

    /// <summary>Rows of the token embedding: those of the options, and those that were added since.</summary>
    public override int VocabularySize => (int)(TokenEmbedding.num_embeddings + TokenEmbedding.AddedRows);

    /// <inheritdoc/>
    public override bool GradientCheckpointing { get; set; }

    /// <summary>
    /// Whether padding is hidden from attention where no mask is given: then the mask is 1 where an id is not <see cref="PadTokenId"/>.
    /// What the model's configuration says, mostly false; padding then is text to the encoder.
    /// </summary>
    public bool UseAttentionMask { get; set; }

    /// <summary>The last hidden state, with the final norm where the encoder has one.</summary>
    /// <param name="inputIds">[B, L], int64; L at most <see cref="TextModel.MaxPositions"/>.</param>
    /// <returns>[B, L, C].</returns>
    /// <exception cref="ArgumentException">The ids have another shape.</exception>
    public override Tensor forward(Tensor inputIds) => HiddenState(inputIds);

    /// <inheritdoc/>
    public override Tensor HiddenState(Tensor inputIds, int clipSkip = 1, bool finalNorm = true)
    {
        CheckShape(inputIds);
        using var scope = NewDisposeScope();
        var mask = UseAttentionMask ? inputIds.ne(PadTokenId) : null;
        return HiddenState(inputIds, mask, clipSkip, finalNorm).MoveToOuterDisposeScope();
    }

    /// <summary>A hidden state under a mask of the caller's; the layers above it are not run.</summary>
    /// <param name="inputIds">[B, L], int64.</param>
    /// <param name="attentionMask">[B, L], of any type: 0 or false for places that no place looks at; null for none.
    /// <see cref="UseAttentionMask"/> is not looked at.</param>
    /// <param name="clipSkip">1 for the last layer, 2 for the last but one, and so on to <see cref="TextModel.Layers"/>.</param>
    /// <param name="finalNorm">Whether the norm after the last layer follows, where the encoder has one.</param>
    /// <returns>[B, L, C]. Masked places have states too, which mean nothing.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="clipSkip"/> is not within 1 and
    /// <see cref="TextModel.Layers"/>.</exception>
    /// <exception cref="ArgumentException">Ids or mask have another shape.</exception>
    public Tensor HiddenState(Tensor inputIds, Tensor? attentionMask, int clipSkip = 1, bool finalNorm = true)
    {
        CheckShape(inputIds);
        if (attentionMask is not null && !attentionMask.shape.SequenceEqual(inputIds.shape))
            throw new ArgumentException(
                $"The mask has the shape [{string.Join(", ", attentionMask.shape)}], the token ids [{string.Join(", ", inputIds.shape)}].",
                    nameof(attentionMask));
        ArgumentOutOfRangeException.ThrowIfLessThan(clipSkip, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(clipSkip, Layers);
        using var scope = NewDisposeScope();
        var bias = attentionMask is null ? null : Bias(attentionMask, ComputeType ?? TokenEmbedding.weight.dtype);
        return Run(inputIds, bias, Layers + 1 - clipSkip, finalNorm).MoveToOuterDisposeScope();
    }

    /// <summary>Embeddings and the first layers.</summary>
    /// <param name="inputIds">[B, L], int64.</param>
    /// <param name="bias">Added to the scores, [B, 1, 1, L]; or null.</param>
    /// <param name="count">Layers to run, 1 to all.</param>
    /// <param name="finalNorm">Whether the final norm follows.</param>
    /// <returns>[B, L, C], a fresh tensor.</returns>
    private protected abstract Tensor Run(Tensor inputIds, Tensor? bias, int count, bool finalNorm);

    /// <summary>Runs layers one after the other, each under activation checkpointing where that is on and gradients are.</summary>
    /// <returns>[B, L, C], in the caller's scope.</returns>
    private protected Tensor RunLayers<T>(IReadOnlyList<T> layers, int count, Tensor embedded, Tensor? bias, bool checkpointing)
        where T : nn.Module<Tensor, Tensor?, Tensor>
    {
        using var scope = NewDisposeScope();
        var checkpointed = checkpointing && is_grad_enabled();
        var current = embedded.As(ComputeType ?? embedded.dtype).alias();
        for (var i = 0; i < count; i++)
        {
            var layer = layers[i];
            if (!checkpointed) current = layer.call(current, bias);
            else if (bias is null) current = ActivationCheckpoint.Run(inputs => layer.call(inputs[0], null), current);
            else current = ActivationCheckpoint.Run(inputs => layer.call(inputs[0], inputs[1]), current, bias);
        }

        return current.MoveToOuterDisposeScope();
    }

    /// <summary>Attention in several heads over all places: [B, L, heads · size] each to the same shape.</summary>
    internal static Tensor Attend(Tensor query, Tensor key, Tensor value, Tensor? bias, int heads)
    {
        using var scope = NewDisposeScope();
        var (batch, length, width) = (query.shape[0], query.shape[1], query.shape[2]);
        Tensor Heads(Tensor x) => x.view(batch, length, heads, width / heads).transpose(1, 2);   // [B, H, L, width / H]
        var mixed = nn.functional.scaled_dot_product_attention(Heads(query), Heads(key), Heads(value), bias);
        return mixed.transpose(1, 2).reshape(batch, length, width).MoveToOuterDisposeScope();
    }

    /// <summary>[B, L] to [B, 1, 1, L]: 0 where a place may be seen, the lowest number of the type where not.</summary>
    private static Tensor Bias(Tensor mask, ScalarType type)
    {
        using var scope = NewDisposeScope();
        // Not negative infinity, as in the reference: a row that is hidden as a whole then is no NaN.
        double lowest = type switch { ScalarType.Float16 => -65504.0, ScalarType.BFloat16 => -3.3895313892515355e38, _ => float.MinValue };
        var hidden = mask.eq(0).unsqueeze(1).unsqueeze(1);
        return zeros(hidden.shape, dtype: type, device: mask.device).masked_fill(hidden, lowest).MoveToOuterDisposeScope();
    }

    private void CheckShape(Tensor inputIds)
    {
        if (inputIds.dim() != 2 || inputIds.shape[1] < 1 || inputIds.shape[1] > MaxPositions)
            throw new ArgumentException(
                $"The token ids have the shape [{string.Join(", ", inputIds.shape)}]; the encoder takes [B, L] with L up to "
                    + $"{MaxPositions}.", nameof(inputIds));
    }
}
