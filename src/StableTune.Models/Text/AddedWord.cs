namespace StableTune.Models;

/// <summary>
/// A new word in a model: its vectors lie behind the token embeddings of each text encoder, and the tokenizers know it. Disposing of it
/// takes the word away again.
/// </summary>
public sealed class AddedWord : IDisposable
{
    private readonly StableDiffusionModel _model;
    private readonly IReadOnlyList<Tensor> _rows;
    private readonly bool _ownsRows;
    private bool _isGone;

    private AddedWord(StableDiffusionModel model, string word, IReadOnlyList<Tensor> rows, bool ownsRows) =>
        (_model, Word, _rows, _ownsRows) = (model, word, rows, ownsRows);

    /// <summary>The word, as prompts say it. Where it has several vectors it stands for all of them.</summary>
    public string Word { get; }

    /// <summary>Its vectors, for each text encoder.</summary>
    internal IReadOnlyList<Tensor> Rows => _rows;

    /// <summary>
    /// Adds a word with vectors that stay the caller's, and may be trained. They take part from the next text on.
    /// </summary>
    /// <param name="model">The model; its text encoders must be there.</param>
    /// <param name="word">The word.</param>
    /// <param name="vectors">Vectors that stand for it.</param>
    /// <param name="rows">For each text encoder [vectors, C], where its weights lie; or [K · vectors, C], those of the UNet's K attention
    /// layers one after the other.</param>
    /// <exception cref="ArgumentException">The model knows the word, or the rows do not fit.</exception>
    public static AddedWord To(StableDiffusionModel model, string word, int vectors, IReadOnlyList<Tensor> rows) =>
        Add(model, word, vectors, rows, ownsRows: false);

    /// <summary>Why a text cannot become a new word; null when it can.</summary>
    /// <param name="word">The word.</param>
    /// <param name="vectors">Vectors that shall stand for it.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    public static (string Fault, string Remedy)? FaultOf(string word, int vectors, ITextTokenizer tokenizer)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(word);
        ArgumentNullException.ThrowIfNull(tokenizer);
        foreach (var name in NewWord.Names(word, vectors))
        {
            if (tokenizer.AddedTokens.ContainsKey(name))
                return ($"The model's tokenizer knows the word \"{name}\" already.", "Choose another word.");
            if (IsOneToken(tokenizer, name))
                return ($"\"{name}\" is one token of the model's vocabulary, which would lose its meaning.",
                    "Choose a word that the vocabulary has no token for, such as sksdog.");
        }

        return null;
    }

    internal static AddedWord Add(StableDiffusionModel model, string word, int vectors, IReadOnlyList<Tensor> rows, bool ownsRows)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrWhiteSpace(word);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentOutOfRangeException.ThrowIfLessThan(vectors, 1);
        var encoders = model.TextEncoders;
        if (rows.Count != encoders.Count)
            throw new ArgumentException(
                $"There are rows for {rows.Count} text encoders, and the model has {encoders.Count}.", nameof(rows));
        for (var i = 0; i < encoders.Count; i++)
            if (FaultOf(word, vectors, TokenizerOf(model, i)) is var (fault, remedy))
                throw new ArgumentException($"{fault} {remedy}", nameof(word));
        var layers = LayersOf(model, vectors, rows[0]);
        var added = new AddedWord(model, word, rows, ownsRows);
        for (var i = 0; i < encoders.Count; i++)
        {
            var first = encoders[i].TokenEmbedding.AddRows(rows[i]);
            SetTokenizer(model, i, WordTokenizer.With(TokenizerOf(model, i), new NewWord(word, vectors, layers, (int)first)));
        }

        model.Words.Add(added);
        return added;
    }

    /// <summary>Takes the word out of text encoders and tokenizers. Words that were added later stay.</summary>
    public void Dispose()
    {
        if (_isGone) return;
        _isGone = true;
        _model.Words.Remove(this);
        foreach (var (encoder, i) in _model.TextEncoders.Select((encoder, i) => (encoder, i)))
        {
            encoder.TokenEmbedding.RemoveRows(_rows[i]);
            if (TokenizerOf(_model, i) is WordTokenizer words) SetTokenizer(_model, i, words.Without(Word));
        }

        if (!_ownsRows) return;
        foreach (var rows in _rows) rows.Dispose();
    }

    /// <summary>BERT's tokenizers have one token for all words that they do not know, so that it says nothing there.</summary>
    private static bool IsOneToken(ITextTokenizer tokenizer, string name) =>
        (tokenizer is WordTokenizer words ? words.Base : tokenizer) is not SequenceTokenizer && tokenizer.EncodeBody(name) is [_];

    private static IReadOnlyList<string> LayersOf(StableDiffusionModel model, int vectors, Tensor rows)
    {
        if (rows.dim() == 2 && rows.size(0) == vectors) return [];
        var layers = model.Parts.HasFlag(ModelParts.UNet) && !model.HasTextEncoder2 ? CrossAttentionLayers.Of(model.UNet.Options) : [];
        return rows.dim() == 2 && layers.Count > 0 && rows.size(0) == vectors * layers.Count ? layers : throw new ArgumentException(
            $"The rows are of shape [{string.Join(", ", rows.shape)}]: a word of {vectors} vectors takes [{vectors}, C]"
                + (layers.Count > 0 ? $", or [{vectors * layers.Count}, C] for {layers.Count} attention layers." : "."), nameof(rows));
    }

    private static ITextTokenizer TokenizerOf(StableDiffusionModel model, int encoder) =>
        encoder == 0 ? model.Tokenizer : model.Tokenizer2;

    private static void SetTokenizer(StableDiffusionModel model, int encoder, ITextTokenizer tokenizer)
    {
        if (encoder == 0) model.Tokenizer = tokenizer;
        else model.Tokenizer2 = tokenizer;
    }
}

/// <summary>Makes embeddings of textual inversion usable in captions and prompts.</summary>
public static class WordEmbeddingExtensions
{
    /// <summary>Adds a word to a model, which owns it from then on: every prompt and caption may say it.</summary>
    /// <param name="model">The model; its text encoders must be there.</param>
    /// <param name="embedding">The vectors; they are copied, so that the embedding stays the caller's.</param>
    /// <param name="word">The word; null for <see cref="WordEmbedding.Word"/>.</param>
    /// <returns>The word in the model: disposing of it takes the word away again.</returns>
    /// <exception cref="ArgumentException">The embedding is for another kind of model, has no word, or the model knows the
    /// word.</exception>
    public static AddedWord AddEmbedding(this StableDiffusionModel model, WordEmbedding embedding, string? word = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(embedding);
        word ??= embedding.Word ?? throw new ArgumentException("The embedding says no word: give one.", nameof(word));
        if (embedding.MisfitWith(model) is var (fault, remedy)) throw new ArgumentException($"{fault} {remedy}", nameof(embedding));
        var rows = model.TextEncoders.Zip(new[] { embedding.Rows, embedding.SecondRows! }, Copy).ToList();
        try
        {
            return AddedWord.Add(model, word, embedding.Vectors, rows, ownsRows: true);
        }
        catch
        {
            foreach (var copied in rows) copied.Dispose();
            throw;
        }
    }

    private static Tensor Copy(TextModel encoder, Tensor rows)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        return rows.detach().flatten(0, -2).to(encoder.TokenEmbedding.weight.device).clone().DetachFromDisposeScope();
    }
}
