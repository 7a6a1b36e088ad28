using StableTune.Tensors;

namespace StableTune.Models;

/// <summary>Captions and prompts to what the UNet is told of them, for one kind of model.</summary>
/// <remarks>Gradients flow where they are enabled; callers that train no text encoder wrap the call in <c>no_grad()</c>.</remarks>
public interface IPromptEncoder
{
    /// <summary>The largest clip skip; null where clip skip is not looked at (SDXL: its layers are fixed).</summary>
    int? LargestClipSkip { get; }

    /// <summary>The conditions of captions.</summary>
    /// <param name="captions">One text a sample; what exceeds the length is cut off.</param>
    /// <param name="clipSkip">Which hidden state: null or 1 for the last layer, 2 for the last but one ...</param>
    /// <param name="maxTokenLength">Tokens of text: 75, 150 or 225 (any multiple of 75).</param>
    /// <returns>[B, maxTokenLength + 2, C], in the type and on the device of the text encoder.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range.</exception>
    TextConditions Encode(IReadOnlyList<string> captions, int? clipSkip = null, int maxTokenLength = ClipTokenizer.ChunkBodyLength);

    /// <summary>As <see cref="Encode"/>, with brackets that weigh parts of the captions: each hidden vector is multiplied by its token's
    /// weight.</summary>
    /// <param name="captions">Such as "a (red:1.3) cat"; see <see cref="PromptAttention"/>.</param>
    /// <param name="clipSkip">See <see cref="Encode"/>.</param>
    /// <param name="maxTokenLength">See <see cref="Encode"/>.</param>
    /// <param name="rescale">Whether each sample is scaled back to the mean it had without weights, as samplers do. Training does
    /// not.</param>
    /// <returns>[B, maxTokenLength + 2, C]. The pooled output has no weights.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range.</exception>
    /// <exception cref="FormatException">A weight is not a number.</exception>
    TextConditions EncodeWeighted(IReadOnlyList<string> captions, int? clipSkip = null, int maxTokenLength = ClipTokenizer.ChunkBodyLength,
        bool rescale = false);

    /// <summary>
    /// The conditions of captions without padding to 77 places, as the first DreamBooth of diffusers had it: each row is as long as the
    /// longest caption needs, shorter ones are filled up to that. Up to 75 tokens of text count.
    /// </summary>
    /// <param name="captions">One text a sample; what exceeds the length is cut off.</param>
    /// <param name="clipSkip">See <see cref="Encode"/>.</param>
    /// <param name="weighted">Whether brackets weigh parts, as <see cref="EncodeWeighted"/> has it.</param>
    /// <returns>[B, tokens of the longest + 2, C].</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="clipSkip"/> is outside its range.</exception>
    /// <exception cref="FormatException">A weight is not a number.</exception>
    TextConditions EncodeUnpadded(IReadOnlyList<string> captions, int? clipSkip = null, bool weighted = false);

    /// <summary>
    /// The conditions of prompts for sampling, as sd-scripts' pipelines compute them: weighted, scaled back to the mean they had without
    /// weights, as many chunks of 77 as the longest prompt needs, each chunk with its own start and end.
    /// </summary>
    /// <param name="prompts">All prompts of one batch, the negative ones too, so that they become equally long.</param>
    /// <param name="clipSkip">See <see cref="Encode"/>.</param>
    /// <returns>[B, 77 · chunks, C], chunks from 1 to <see cref="PromptEncoder.MaxSamplingChunks"/>. Note: 154 places, where training
    /// with 150 tokens has 152.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="clipSkip"/> is outside its range.</exception>
    /// <exception cref="FormatException">A weight is not a number.</exception>
    TextConditions EncodeForSampling(IReadOnlyList<string> prompts, int? clipSkip = null);
}

/// <summary>Makes prompt encoders.</summary>
public static class PromptEncoder
{
    /// <summary>Chunks of 77 tokens that a prompt for sampling may have, as in the reference.</summary>
    public const int MaxSamplingChunks = 3;

    /// <summary>The prompt encoder of a model: with one CLIP text encoder (SD 1.x, SD 2.x) or two (SDXL), or one like BERT's. Owns none
    /// of them.</summary>
    /// <exception cref="InvalidOperationException">The model's text encoders were not loaded, or have been released.</exception>
    /// <exception cref="ArgumentException">A tokenizer has ids that its text encoder has no embedding for.</exception>
    /// <exception cref="NotSupportedException">There is no prompt encoder for this kind of text encoder.</exception>
    public static IPromptEncoder For(StableDiffusionModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        IPromptEncoder encoder = model.TextEncoder switch
        {
            ClipTextModel first when model.HasTextEncoder2 =>
                new SdxlPromptEncoder(model.Tokenizer, first, model.Tokenizer2, model.TextEncoder2),
            ClipTextModel clip => new ClipPromptEncoder(model.Tokenizer, clip),
            MaskedTextModel masked when !model.HasTextEncoder2 => new SequencePromptEncoder(model.Tokenizer, masked),
            var other => throw new NotSupportedException($"There is no prompt encoder for text encoders of class {other.GetType().Name}."),
        };
        return model.Tokenizer is WordTokenizer { Layers.Count: > 0 } words ? new LayeredPromptEncoder(encoder, words) : encoder;
    }
}
