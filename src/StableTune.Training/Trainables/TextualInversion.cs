using System.Text.RegularExpressions;
using StableTune.Checkpoints;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Tensors;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Trainables
{
    /// <summary>Trains the embedding of a new word, and nothing else (Gal et al., An image is worth one word, arXiv:2208.01618).</summary>
    public sealed record TextualInversionOptions : TrainableOptions
    {
        /// <summary>The new word, as captions and prompts say it (<c>token_string</c>). The tokenizer must not know it yet.</summary>
        public required string Token { get; init; }

        /// <summary>Vectors that stand for the word; in texts it then becomes "word word1 word2 ..." by itself
        /// (<c>num_vectors_per_token</c>). Default 1.</summary>
        public int Vectors { get; init; } = 1;

        /// <summary>
        /// Words whose embeddings the vectors begin with (<c>init_word</c>); their tokens are taken in turn. Null, the default, begins
        /// with random numbers, N(0, 0.02²).
        /// </summary>
        public string? InitWord { get; init; }

        /// <summary>A file of an earlier embedding that the vectors begin with; null, the default, for none.</summary>
        public string? InitialWeights { get; init; }

        /// <summary>The learning rate; null for the run's. 5e-4 to 5e-3 is customary.</summary>
        public double? Rate { get; init; }

        /// <inheritdoc/>
        public override string DefaultName => Token;

        /// <inheritdoc/>
        public override ModelParts KeptParts => ModelParts.TextEncoder;

        /// <inheritdoc/>
        public override IReadOnlyList<string> FileExtensions => [".safetensors", ".pt"];

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
            if (Vectors is < 1 or > 75) yield return Problem(Vectors, "a word has 1 to 75 vectors", "1 to 8 is customary");
            if (Rate is { } rate && !(rate >= 0 && double.IsFinite(rate)))
                yield return Problem(Rate, "a learning rate must not be negative, and finite", "5e-4 is customary");
            if (InitialWeights is { } path && !File.Exists(path))
                yield return Problem(InitialWeights, "there is no such file", "name an embedding file, or leave it unset");
            if (!Trained && InitialWeights is null)
                yield return Problem(InitialWeights, "an embedding that is not trained needs its file", "name it, or train the embedding");
            if (InitWord is not null && InitialWeights is not null)
                yield return Problem(InitWord, "the embedding begins with a file already", "give one of InitWord and InitialWeights");
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, ModelConfiguration model)
        {
            if (model.Tokenizer?.AddedTokens.ContainsKey(Token) == true)
                yield return Problem(Token, "the model's tokenizer knows this word already", "choose another word");
        }

        /// <inheritdoc/>
        public override ITrainable Create(TrainingPlan plan) => new TextualInversion(this, plan);
    }

    /// <summary>
    /// New rows behind the token embedding of each text encoder. The table itself stays as it is, but its gradient counts when gradients
    /// are clipped by their norm, as in
    /// the reference, which trains the whole table and then puts the old rows back.
    /// </summary>
    internal sealed class TextualInversion(TextualInversionOptions options, TrainingPlan plan) : ITrainable
    {
        private const string Single = "emb_params", First = "clip_l", Second = "clip_g";

        private readonly List<Learned> _learned = [];
        private StableDiffusionModel? _model;
        private (ITextTokenizer First, ITextTokenizer? Second)? _before;

        public string Name => "trainables/" + options.EffectiveName;

        public bool CanBeLeftOut => false;

        public IReadOnlyList<ParameterGroup> Groups => !options.Trained ? [] :
        [
            new ParameterGroup(
                options.EffectiveName, [.. _learned.Select(learned =>
                    new NamedParameter($"{options.EffectiveName}.{learned.Key}", learned.Rows))],
                options.Rate ?? plan.TextEncoderLearningRate ?? plan.LearningRate),
        ];

        public IReadOnlyList<Tensor> ClippedAlong => options.Trained ? [.. _learned.Select(learned => learned.Table.weight)] : [];

        /// <summary>The words of the vectors: the new word, then it with numbers.</summary>
        private string[] Words => [.. Enumerable.Range(0, options.Vectors).Select(i => i == 0 ? options.Token : options.Token + i)];

        public void Attach(TrainingSetup setup)
        {
            _model = setup.Model;
            var two = _model.HasTextEncoder2;
            _before = (_model.Tokenizer, two ? _model.Tokenizer2 : null);
            var initial = options.InitialWeights is { } path ? EmbeddingRows.Read(path, two ? [First, Second] : [Single]) : null;
            try
            {
                _model.Tokenizer = Add(_model.TextEncoder, _model.Tokenizer, two ? First : Single, initial, setup);
                if (two) _model.Tokenizer2 = Add(_model.TextEncoder2, _model.Tokenizer2, Second, initial, setup);
            }
            finally
            {
                foreach (var rows in initial?.Values ?? []) rows.Dispose();
            }
        }

        /// <summary>Gives a text encoder new rows, and its tokenizer the words for them.</summary>
        private ITextTokenizer Add(TextModel encoder, ITextTokenizer tokenizer, string key, IReadOnlyDictionary<string, Tensor>? initial,
            TrainingSetup setup)
        {
            if (Words.FirstOrDefault(tokenizer.AddedTokens.ContainsKey) is { } known)
                throw new InvalidOptionsException(
                    [new OptionProblem("TextualInversionOptions.Token", known, "the tokenizer knows this word already",
                    "choose another word")]);
            using var scope = NewDisposeScope();
            using var frozen = no_grad();
            var table = encoder.TokenEmbedding;
            var values = initial is null ? Begin(table, tokenizer, setup.Random.Initialization) : initial[key];
            if (!values.shape.SequenceEqual([options.Vectors, table.embedding_dim]))
                throw new InvalidFileException(
                    options.InitialWeights!,
                    $"\"{key}\" has the shape [{string.Join(", ", values.shape)}], and [{options.Vectors}, {table.embedding_dim}] is "
                        + $"wanted.", "Set Vectors to the number of the file, and use the kind of model that it was made for.");
            // On host memory the numbers are drawn; the rows lie where the table does.
            var rows = LayerInitialization.NewParameter(
                values.to(setup.Precision.Trainable).to(table.weight.device).clone(), options.Trained);
            var first = table.AddRows(rows);
            _learned.Add(new Learned(key, rows, table));
            if (options.Trained) table.weight.requires_grad = true;
            var ids = tokenizer.AddedTokens.ToDictionary(StringComparer.Ordinal);
            foreach (var (word, i) in Words.Select((word, i) => (word, i))) ids[word] = (int)first + i;
            return ExpandedTokenizer.Of(tokenizer.WithAddedTokens(ids), Words);
        }

        private Tensor Begin(Embedding table, ITextTokenizer tokenizer, Generator random)
        {
            if (options.InitWord is not { } word) return randn([options.Vectors, table.embedding_dim], generator: random) * 0.02;
            var tokens = tokenizer.EncodeBody(word);
            if (tokens.Count == 0)
                throw new InvalidOptionsException(
                [new OptionProblem("TextualInversionOptions.InitWord", word, "it gives no tokens", "give a word, or leave it unset")]);
            return table.call(tensor(Enumerable.Range(0, options.Vectors).Select(i => (long)tokens[i % tokens.Count]).ToArray(),
                device: table.weight.device)).to(ScalarType.Float32);
        }

        public IReadOnlyList<string> Save(SaveRequest request)
        {
            var tensors = StatePayloads.Of(
                _learned.Select(learned => (learned.Key, (Tensor)learned.Rows)), request.Type ?? ScalarType.Float32);
            if (Path.GetExtension(request.Path).Equals(".pt", StringComparison.OrdinalIgnoreCase)) TorchWriter.Write(request.Path, tensors);
            else SafetensorsWriter.Write(request.Path, tensors);
            return [request.Path];
        }

        public void Save(StateWriter writer)
        {
            foreach (var learned in _learned) writer.Tensor(learned.Key, learned.Rows);
        }

        public void Load(StateReader reader)
        {
            foreach (var learned in _learned) reader.CopyTo(learned.Key, learned.Rows);
        }

        public void Dispose()
        {
            foreach (var learned in Enumerable.Reverse(_learned))
            {
                learned.Table.RemoveRows(learned.Rows);
                learned.Table.weight.requires_grad = false;
                learned.Rows.Dispose();
            }

            _learned.Clear();
            if (_before is not var (first, second) || _model is null) return;
            if (_model.Parts.HasFlag(ModelParts.TextEncoder)) _model.Tokenizer = first;
            if (second is not null && _model.HasTextEncoder2) _model.Tokenizer2 = second;
        }

        private sealed record Learned(string Key, Parameter Rows, Embedding Table);
    }

    /// <summary>Rows of embeddings in files.</summary>
    internal static class EmbeddingRows
    {
        /// <summary>Reads rows under their names, from a safetensors or torch file as sd-scripts writes them.</summary>
        /// <exception cref="InvalidFileException">Some are missing, or are no rows.</exception>
        public static IReadOnlyDictionary<string, Tensor> Read(string path, IReadOnlyList<string> keys)
        {
            using var file = WeightFile.Open(path);
            var rows = new Dictionary<string, Tensor>(StringComparer.Ordinal);
            foreach (var key in keys)
            {
                if (!file.Contains(key))
                    throw new InvalidFileException(
                        path, $"\"{key}\" is missing: it holds {string.Join(", ", file.Names.Take(5))}.",
                        "Use an embedding for this kind of model: SDXL's have clip_l and clip_g, others emb_params.");
                var tensor = file.Load(key, ScalarType.Float32).DetachFromDisposeScope();
                rows[key] = tensor.dim() == 2 ? tensor
                    : throw new InvalidFileException(
                    path, $"\"{key}\" has {tensor.dim()} dimensions instead of 2.", "Use an embedding file.");
            }

            return rows;
        }
    }

    /// <summary>A tokenizer that reads a word of several vectors as all of its words: "sksdog" as "sksdog sksdog1", unless they follow
    /// already.</summary>
    internal sealed partial class ExpandedTokenizer(ITextTokenizer inner, Regex word, string all)
        : ITextTokenizer
    {
        public static ITextTokenizer Of(ITextTokenizer tokenizer, IReadOnlyList<string> words)
        {
            if (words.Count == 1) return tokenizer;
            var (first, second) = (Regex.Escape(words[0]), Regex.Escape(words[1]));
            var pattern = $@"(?<!\w){first}(?!\w)(?! {second}(?!\w))";
            return new ExpandedTokenizer(tokenizer, new Regex(pattern), string.Join(' ', words));
        }

        public int StartId => inner.StartId;

        public int EndId => inner.EndId;

        public int PadId => inner.PadId;

        public int LargestId => inner.LargestId;

        public IReadOnlyDictionary<string, int> AddedTokens => inner.AddedTokens;

        public int[] Encode(string text) => inner.Encode(Expand(text));

        public IReadOnlyList<int> EncodeBody(string text) => inner.EncodeBody(Expand(text));

        public long[][] EncodePadded(string text, int maxTokenLength = ClipTokenizer.ChunkBodyLength) =>
            inner.EncodePadded(Expand(text), maxTokenLength);

        public WeightedTokens EncodeWeighted(string text, int maxTokenLength = ClipTokenizer.ChunkBodyLength, int? padId = null) =>
            inner.EncodeWeighted(Expand(text), maxTokenLength, padId);

        public ITextTokenizer WithAddedTokens(IReadOnlyDictionary<string, int> tokens) =>
            new ExpandedTokenizer(inner.WithAddedTokens(tokens), word, all);

        private string Expand(string text) => word.Replace(text, all.Replace("$", "$$", StringComparison.Ordinal));
    }
}

namespace StableTune
{
    /// <summary>Trains embeddings on any builder that has a place for trainables.</summary>
    public static class TextualInversionExtensions
    {
        /// <summary>Trains the embedding of a new word.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="token">The new word, as captions say it.</param>
        /// <param name="initWord">Words whose embeddings it begins with; null for random numbers.</param>
        /// <param name="vectors">Vectors that stand for the word.</param>
        public static TBuilder WithTextualInversion<TBuilder>(this TBuilder builder, string token, string? initWord = null, int vectors = 1)
            where TBuilder : ITrainableSocket<TBuilder> =>
                builder.WithTrainable(new TextualInversionOptions { Token = token, InitWord = initWord, Vectors = vectors });
    }
}
