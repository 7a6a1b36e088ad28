namespace StableTune.Models;

/// <summary>A text encoder: token ids to the hidden states that a UNet attends to. What prompts and training need of one, whatever its
/// kind.</summary>
/// <remarks>The module call gives the last hidden state, [B, L] to [B, L, C]. Whoever derives a kind of their own computes in the type of
/// its weights.</remarks>
public abstract class TextModel : nn.Module<Tensor, Tensor>
{
    /// <summary>Names the module.</summary>
    /// <param name="name">The class, as adapters look for it.</param>
    protected TextModel(string name) : base(name) { }

    /// <summary>Layers that have a hidden state: the largest clip skip.</summary>
    public abstract int Layers { get; }

    /// <summary>Width C of the hidden states.</summary>
    public abstract int Width { get; }

    /// <summary>The longest sequence L.</summary>
    public abstract int MaxPositions { get; }

    /// <summary>Rows of the token embedding.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The embedding of each token, [vocabulary, C]: what textual inversion trains rows of.</summary>
    public abstract Embedding TokenEmbedding { get; }

    /// <summary>Whether each layer's activations are dropped after the forward pass and computed again in the backward pass: less memory,
    /// a third more time.</summary>
    public abstract bool GradientCheckpointing { get; set; }

    /// <summary>
    /// The type that products are computed in; null, the default, for the type of the weights. Weights of another type, such as trained
    /// ones that are held in float32, are
    /// cast where they are used.
    /// </summary>
    public ScalarType? ComputeType { get; set; }

    /// <summary>A hidden state; the layers above it are not run.</summary>
    /// <param name="inputIds">[B, L], int64.</param>
    /// <param name="clipSkip">1 for the last layer, 2 for the last but one, and so on to <see cref="Layers"/>.</param>
    /// <param name="finalNorm">Whether the norm after the last layer follows, where the encoder has one.</param>
    /// <returns>[B, L, C].</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="clipSkip"/> is not within 1 and <see cref="Layers"/>.</exception>
    /// <exception cref="ArgumentException">The ids have another shape.</exception>
    public abstract Tensor HiddenState(Tensor inputIds, int clipSkip = 1, bool finalNorm = true);
}
