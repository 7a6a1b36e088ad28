namespace StableTune.Models;

/// <summary>BLIP's captioning model: a vision transformer, and a BERT that writes about what it sees. With the parameter names of
/// <c>transformers</c>' <c>BlipForConditionalGeneration</c>.</summary>
/// <remarks>Li et al. 2022, arXiv:2201.12086. It computes in the type of its weights; scores of tokens are float32.</remarks>
public sealed class BlipModel : nn.Module<Tensor, Tensor>
{
    private readonly VisionTransformer vision_model;
    private readonly TextDecoder text_decoder;

    /// <summary>Creates the model with random weights.</summary>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public BlipModel(BlipOptions options) : base(nameof(BlipModel))
    {
        ArgumentNullException.ThrowIfNull(options);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        Options = options;
        vision_model = new VisionTransformer(options.Vision);
        text_decoder = new TextDecoder(options.Text, options.Vision.HiddenSize);
        RegisterComponents();
    }

    /// <summary>The architecture.</summary>
    public BlipOptions Options { get; }

    /// <summary>The part that sees.</summary>
    public VisionTransformer Vision => vision_model;

    internal TextDecoder Decoder => text_decoder;

    /// <summary>What is seen in pictures.</summary>
    /// <param name="pixels">Normalised pictures, [B, 3, S, S].</param>
    /// <returns>[B, N, C].</returns>
    /// <exception cref="ArgumentException">The pictures have another shape.</exception>
    public override Tensor forward(Tensor pixels) => vision_model.call(pixels);

    /// <summary>Scores of the token that follows each token of texts about pictures. No gradients are recorded.</summary>
    /// <param name="seen">What <see cref="forward"/> gives, [B, N, C].</param>
    /// <param name="inputIds">The texts, [B, L], int64.</param>
    /// <param name="attentionMask">[B, L]: 0 for padding, which no token looks at; null for none.</param>
    /// <returns>[B, L, V], float32.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public Tensor Logits(Tensor seen, Tensor inputIds, Tensor? attentionMask = null)
    {
        ArgumentNullException.ThrowIfNull(seen);
        ArgumentNullException.ThrowIfNull(inputIds);
        if (inputIds.dim() != 2 || seen.dim() != 3 || inputIds.shape[0] != seen.shape[0] || inputIds.shape[1] > Options.Text.MaxPositions)
            throw new ArgumentException(
                $"The texts have the shape [{string.Join(", ", inputIds.shape)}], what was seen [{string.Join(", ", seen.shape)}]: "
                    + $"texts are [B, L] with L up to {Options.Text.MaxPositions}, one for each picture.", nameof(inputIds));
        if (attentionMask is not null && !attentionMask.shape.SequenceEqual(inputIds.shape))
            throw new ArgumentException(
                $"The mask has the shape [{string.Join(", ", attentionMask.shape)}], the texts [{string.Join(", ", inputIds.shape)}].",
                nameof(attentionMask));
        using var memory = text_decoder.Begin(seen);
        return text_decoder.Run(inputIds, memory, attentionMask);
    }

    /// <summary>Writes texts about pictures.</summary>
    /// <param name="pixels">Normalised pictures, [B, 3, S, S]; on any device.</param>
    /// <param name="request">How the texts begin and end.</param>
    /// <param name="decoding">How tokens are chosen.</param>
    /// <returns>For each picture the texts that were found, the best first.</returns>
    /// <exception cref="InvalidOptionsException">The decoding's options cannot work with this model.</exception>
    /// <exception cref="ArgumentException">The pictures have another shape, or the request does not fit the model.</exception>
    /// <exception cref="OperationCanceledException">The request's token was cancelled.</exception>
    /// <exception cref="InvalidOperationException">The scores of tokens are no finite numbers, mostly because they overflow in half
    /// precision.</exception>
    public IReadOnlyList<IReadOnlyList<GeneratedText>> Generate(Tensor pixels, TextRequest request, TextDecoding decoding)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(decoding);
        Check(request, decoding);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var continuation = new Continuation(text_decoder, forward(pixels.to(text_decoder.Device)));
        return decoding.Run(continuation, request);
    }

    /// <summary>Refuses what <see cref="Generate"/> cannot do, before there are pictures.</summary>
    /// <param name="request">How texts begin and end.</param>
    /// <param name="decoding">How tokens are chosen.</param>
    /// <exception cref="InvalidOptionsException">The decoding's options cannot work with this model.</exception>
    /// <exception cref="ArgumentException">The request does not fit the model.</exception>
    public void Check(TextRequest request, TextDecoding decoding)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(decoding);
        InvalidOptionsException.ThrowIfAny(decoding.Validate());
        var (rows, places) = (Options.Text.VocabularySize, Options.Text.MaxPositions);
        if (decoding.MaxLength > places)
            throw new InvalidOptionsException([new($"{decoding.GetType().Name}.{nameof(decoding.MaxLength)}", decoding.MaxLength,
                $"the model has places for {places} tokens", "75 is customary")]);
        if (decoding.MaxLength <= request.Prompt.Count)
            throw new InvalidOptionsException([new($"{decoding.GetType().Name}.{nameof(decoding.MaxLength)}", decoding.MaxLength,
                $"the start and the prompt have {request.Prompt.Count} tokens already", "take more, or a shorter prompt")]);
        if (request.Prompt.Count == 0 || request.Prompt.Append(request.End).Any(id => id < 0 || id >= rows))
            throw new ArgumentException(
                $"The prompt [{string.Join(", ", request.Prompt)}] and the end {request.End} must be tokens of the model, 0 to {rows - 1}, "
                    + "and at least the start be there.", nameof(request));
    }

    /// <summary>The decoder, about pictures.</summary>
    private sealed class Continuation(TextDecoder decoder, Tensor seen) : TextContinuation, IDisposable
    {
        private readonly DecoderMemory _memory = decoder.Begin(seen);

        internal override int Texts => (int)_memory.Texts;

        internal override Tensor Begin(IReadOnlyList<int> prompt)
        {
            using var scope = NewDisposeScope();
            var ids = tensor(prompt.Select(id => (long)id).ToArray(), device: decoder.Device).unsqueeze(0).expand(Texts, -1);
            return Finite(decoder.Run(ids, _memory, lastOnly: true)).MoveToOuterDisposeScope();
        }

        internal override Tensor Continue(long[] rows, long[]? texts, long[] tokens)
        {
            using var scope = NewDisposeScope();
            _memory.Select(rows, texts);
            return Finite(decoder.Run(tensor(tokens, device: decoder.Device).unsqueeze(1), _memory, lastOnly: true))
                .MoveToOuterDisposeScope();
        }

        /// <summary>The scores, of which no token could be chosen were they no numbers.</summary>
        private Tensor Finite(Tensor scores)
        {
            using var scope = NewDisposeScope();
            return scores.isfinite().all().item<bool>() ? scores : throw new InvalidOperationException(
                $"The scores of tokens are no finite numbers: the model overflows in {decoder.Body.Embeddings.Tokens.weight.dtype}, or its "
                    + "weights are damaged. Load it in float32 (WeightType, --precision fp32), or load another file.");
        }

        public void Dispose() => _memory.Dispose();
    }
}
