using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Models;

namespace StableTune.Trainables;

/// <summary>What captions become in textual inversion.</summary>
public enum PromptTemplate
{
    /// <summary>Captions stay as they are; they must say the new word.</summary>
    None,

    /// <summary>Each caption becomes a random sentence about a thing, such as "a close-up photo of a {}"
    /// (<c>use_object_template</c>).</summary>
    Object,

    /// <summary>Each caption becomes a random sentence about a style, such as "a painting in the style of {}"
    /// (<c>use_style_template</c>).</summary>
    Style,
}

/// <summary>Options that all ways to learn a new word have in common.</summary>
public abstract record NewWordOptions : TrainableOptions
{
    /// <summary>Letters that captions and prompts read in their own way.</summary>
    private const string Reserved = @"()[]\,";

    /// <summary>The new word, as captions and prompts say it (<c>token_string</c>). The tokenizer must have no token for it yet.</summary>
    public required string Token { get; init; }

    /// <summary>Vectors that stand for the word; in texts it then becomes "word word1 word2 ..." by itself
    /// (<c>num_vectors_per_token</c>). Default 1.</summary>
    public int Vectors { get; init; } = 1;

    /// <summary>
    /// Words whose embeddings the vectors begin with (<c>init_word</c>); their tokens are taken in turn. Null, the default, begins
    /// with random numbers, N(0, 0.02²).
    /// </summary>
    public string? InitWord { get; init; }

    /// <summary>A file of an earlier embedding that the vectors begin with, in any form that <see cref="EmbeddingFile"/> reads; null, the
    /// default, for none. It must have as many vectors.</summary>
    public string? InitialWeights { get; init; }

    /// <summary>The learning rate; null for the run's. 5e-4 to 5e-3 is customary.</summary>
    public double? Rate { get; init; }

    /// <summary>Sentences that take the place of captions. Default none. Regularisation images and dropped captions stay as they
    /// are.</summary>
    public PromptTemplate Template { get; init; }

    /// <summary>
    /// Whether each vector is brought back to the median length of the model's own ones after every step, so that the word does not
    /// outweigh others in prompts. Default false, as in sd-scripts.
    /// </summary>
    public bool Renormalize { get; init; }

    /// <inheritdoc/>
    public override string DefaultName => FileName(Token);

    /// <inheritdoc/>
    public override ModelParts ActsThrough => ModelParts.TextEncoder;

    /// <inheritdoc/>
    public override ModelParts KeptParts => ModelParts.TextEncoder;

    /// <summary>Whether each attention layer of the UNet has vectors of its own.</summary>
    internal virtual bool IsPerLayer => false;

    /// <summary>The form of the file; null for what the ending says.</summary>
    internal virtual EmbeddingFormat? FileFormat => null;

    /// <inheritdoc/>
    public override bool TrainsTextEncoder(TrainingPlan plan) => Trained;

    /// <inheritdoc/>
    public override bool ChangesTextEncoder(TrainingPlan plan) => true;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (string.IsNullOrWhiteSpace(Token) || Token.Any(char.IsWhiteSpace))
            yield return Problem(Token, "the new word must be one word", "give a word that means nothing yet, such as sksdog");
        else if (Token.IndexOfAny(Reserved.ToCharArray()) >= 0)
            yield return Problem(Token, $"prompts and captions read {string.Join(' ', Reserved.ToCharArray())} in their own way",
                "use letters, digits, - and _");
        if (Vectors is < 1 or > 75) yield return Problem(Vectors, "a word has 1 to 75 vectors", "1 to 8 is customary");
        if (InitWord is not null && string.IsNullOrWhiteSpace(InitWord))
            yield return Problem(InitWord, "there is no word in it", "give a word that the model knows, or leave it unset");
        if (Rate is { } rate && !(rate >= 0 && double.IsFinite(rate)))
            yield return Problem(Rate, "a learning rate must not be negative, and finite", "5e-4 is customary");
        if (InitialWeights is { } path && !File.Exists(path))
            yield return Problem(InitialWeights, "there is no such file", "name an embedding file, or leave it unset");
        if (!Trained && InitialWeights is null)
            yield return Problem(InitialWeights, "an embedding that is not trained needs its file", "name it, or train the embedding");
        if (InitWord is not null && InitialWeights is not null)
            yield return Problem(InitWord, "the embedding begins with a file already", "give one of InitWord and InitialWeights");
        if (!Enum.IsDefined(Template))
            yield return Problem(Template, "there is no such template", "use None, Object or Style");
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Fits(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (plan.WeightedCaptions && Trained)
            yield return new OptionProblem($"{nameof(TrainingPlan)}.{nameof(TrainingPlan.WeightedCaptions)}", true,
                "brackets weigh no captions while a new word is learnt", "turn it off");
        if (!Trained && plan.AsksForTextOutputs) yield return CachedTexts(nameof(Trained), Trained);
        NewWordOptions[] words = [.. plan.Trainables.OfType<NewWordOptions>()];
        if (words.Count(word => word.Token == Token) > 1 && words.First(word => word.Token == Token).Equals(this))
            yield return Problem(Token, "two trainables have this word", "give each a word of its own");
        if (Trained && Template != PromptTemplate.None && words.Any(word => word.Trained && !word.Equals(this)))
            yield return Problem(Template, "a template takes the place of captions, which then say no other new word",
                "learn one word at a time, or write captions that say them all");
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, ModelConfiguration model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (string.IsNullOrWhiteSpace(Token)) yield break;
        if (model.Tokenizer is { } tokenizer)
            foreach (var problem in WordProblems(tokenizer)) yield return problem;
        if (InitialWeights is not { } path || !File.Exists(path)) yield break;
        using var shapes = model.WithoutWeights();
        if (FileFault(path, shapes) is { } fault) yield return fault.AsProblem(OptionName(nameof(InitialWeights)));
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, TrainingDataset dataset)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(dataset);
        if (!Trained || Template != PromptTemplate.None || string.IsNullOrEmpty(Token) || MayBeAddedLater(plan, dataset)) yield break;
        if (dataset.Samples.Any(Says)) yield break;
        var other = dataset.Samples.FirstOrDefault(sample => sample.Caption.Contains(Token, StringComparison.OrdinalIgnoreCase));
        yield return Problem(Token, "no caption says the new word, so that nothing would be learnt" + (other is null ? ""
            : $" (the caption of {other.Path} says it in other letters, and capitals count)"),
            "write it into the captions, name the folder after it (\"10_" + Token + "\"), or set Template");
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Warnings(TrainingPlan plan, TrainingDataset dataset)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(dataset);
        if (!Trained) yield break;
        if (dataset.RegularizationImageCount > 0 && plan.Trainables.All(trainable => !trainable.Trained || trainable is NewWordOptions))
            yield return $"{OptionName(nameof(Token))} is {Token}: regularisation images teach a new word nothing, because their captions "
                + "do not say it. Leave them out; they cost time.";
        if (Template != PromptTemplate.None || MayBeAddedLater(plan, dataset)) yield break;
        var training = dataset.Samples.Where(sample => !sample.Subset.IsRegularization).ToList();
        var without = training.Where(sample => !Says(sample)).ToList();
        if (without.Count > 0 && without.Count < training.Count)
            yield return $"{OptionName(nameof(Token))} is {Token}: {without.Count} of {training.Count} captions do not say it, and teach "
                + $"it nothing (that of {without[0].Path} is one). Write it into them.";
    }

    /// <summary>Why the word cannot be added to a tokenizer, or the words that it begins with are not known.</summary>
    internal IEnumerable<OptionProblem> WordProblems(ITextTokenizer tokenizer)
    {
        if (AddedWord.FaultOf(Token, Math.Clamp(Vectors, 1, 75), tokenizer) is var (fault, remedy))
            yield return Problem(Token, Rule(fault), Rule(remedy), nameof(Token));
        if (string.IsNullOrWhiteSpace(InitWord)) yield break;
        var tokens = tokenizer.EncodeBody(InitWord);
        if (tokens.Count == 0 || (tokenizer is BertTokenizer bert && tokens.Contains(bert.Vocabulary[bert.Options.UnknownToken])))
            yield return Problem(InitWord, "the model's tokenizer does not know it", "give words that the model knows", nameof(InitWord));
    }

    /// <summary>What is wrong with the file to begin with, for a model; null for nothing.</summary>
    internal InvalidFileException? FileFault(string path, StableDiffusionModel model)
    {
        try
        {
            using var embedding = EmbeddingFile.Read(path);
            if (embedding.IsPerLayer != IsPerLayer)
                return IsPerLayer
                    ? new InvalidFileException(path, "it has the same vectors for all attention layers.",
                        "Use a file of extended textual inversion (IN01 ... OUT11), or WithTextualInversion.")
                    : new InvalidFileException(path, "it has vectors for each attention layer.",
                        "Use WithExtendedTextualInversion, or another file.");
            if (embedding.MisfitWith(model) is var (fault, remedy)) return new InvalidFileException(path, fault, remedy);
            return embedding.Vectors == Vectors ? null : new InvalidFileException(
                path, $"it has {embedding.Vectors} vectors, and Vectors is {Vectors}.", $"Set Vectors to {embedding.Vectors}.");
        }
        catch (InvalidFileException fault)
        {
            return fault;
        }
    }

    /// <summary>A word as a name of files: without the letters that no file name may hold anywhere.</summary>
    internal static string FileName(string word)
    {
        var name = string.Concat((word ?? "").Where(letter => letter > ' ' && !@"<>:""/\|?*".Contains(letter, StringComparison.Ordinal)));
        return name.Length > 0 ? name : "word";
    }

    /// <summary>Texts are encoded ahead of the run, when the word is not there yet.</summary>
    internal static OptionProblem CachedTexts(string option, object value) => new("CacheOptions.TextEncoderOutputs", true,
        "captions are encoded before an embedding is there, and would not know its word", "do not cache text encoder outputs");

    private bool Says(TrainingSample sample) =>
        new[] { sample.Subset.Captions.Prefix, sample.Caption, sample.Subset.Captions.Suffix }
            .Any(text => text?.Contains(Token, StringComparison.Ordinal) == true);

    /// <summary>Whether a host's own steps change captions, so that the word may come from there.</summary>
    private static bool MayBeAddedLater(TrainingPlan plan, TrainingDataset dataset) =>
        plan.Stages.Captions.Count > 0 || plan.Stages.Context is not null
            || dataset.Samples.Any(sample => sample.Subset.Captions.Further.Count > 0);

    /// <summary>A sentence as a rule: without capital and full stop.</summary>
    private static string Rule(string sentence) => char.ToLowerInvariant(sentence[0]) + sentence[1..].TrimEnd('.');

    private string OptionName(string property) => $"{GetType().Name}.{property}";
}
