using StableTune.Checkpoints;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Training;

namespace StableTune.Trainables;

/// <summary>
/// New rows behind the token embedding of each text encoder. The table itself stays as it is, but its gradient counts when gradients
/// are clipped by their norm, as in the reference, which trains the whole table and then puts the old rows back.
/// </summary>
internal sealed class NewWordTrainable(NewWordOptions options, TrainingPlan plan) : ITrainable
{
    private readonly List<Learned> _learned = [];
    private readonly List<string> _warnings = [];
    private AddedWord? _word;

    public string Name => "trainables/" + options.EffectiveName;

    public bool CanBeLeftOut => false;

    public IEnumerable<string> Warnings => _warnings;

    public IReadOnlyList<ParameterGroup> Groups => !options.Trained ? [] :
    [
        new ParameterGroup(
            options.EffectiveName, [.. _learned.Select(learned =>
                new NamedParameter($"{options.EffectiveName}.{learned.Key}", learned.Rows))],
            options.Rate ?? plan.TextEncoderLearningRate ?? plan.LearningRate),
    ];

    public IReadOnlyList<Tensor> ClippedAlong => options.Trained ? [.. _learned.Select(learned => learned.Table.weight)] : [];

    public void Attach(TrainingSetup setup)
    {
        var model = setup.Model;
        var two = model.HasTextEncoder2;
        if (two && options.IsPerLayer) InvalidOptionsException.ThrowIfAny([.. options.Fits(plan with { GivenModel = model })]);
        InvalidOptionsException.ThrowIfAny([.. options.WordProblems(model.Tokenizer)]);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var initial = options.InitialWeights is { } path ? Read(path, model) : null;
        Learn(model.TextEncoder, model.Tokenizer, two ? EmbeddingKeys.First : EmbeddingKeys.Single, initial?.Rows, setup);
        if (two) Learn(model.TextEncoder2, model.Tokenizer2, EmbeddingKeys.Second, initial?.SecondRows, setup);
        _word = AddedWord.To(model, options.Token, options.Vectors, [.. _learned.Select(learned => (Tensor)learned.Rows)]);
        if (options.Trained && PromptTemplates.Of(options.Template) is { } sentences)
            setup.Stages.Captions.Add(new TemplateStage(sentences, options.Token));

        // Rows of all layers of a model lie one after the other.
        void Learn(TextModel encoder, ITextTokenizer tokenizer, string key, Tensor? from, TrainingSetup setup)
        {
            var table = encoder.TokenEmbedding;
            var layers = options.IsPerLayer ? CrossAttentionLayers.Of(setup.Model.UNet.Options).Count : 1;
            var values = from?.flatten(0, -2) ?? Begin(table, tokenizer, layers, setup.Random.Initialization);
            // On host memory the numbers are drawn; the rows lie where the table does.
            var rows = LayerInitialization.NewParameter(
                values.to(setup.Precision.Trainable).to(table.weight.device).clone(), options.Trained);
            _learned.Add(new Learned(key, rows, table) { Length = options.Renormalize ? Median(table.weight) : null });
            if (options.Trained) table.weight.requires_grad = true;
        }
    }

    public void AfterStep(StepMoment moment)
    {
        if (!options.Trained || !options.Renormalize) return;
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        foreach (var learned in _learned)
            learned.Rows.mul_(learned.Length! / learned.Rows.to(ScalarType.Float32).norm(1, keepdim: true, p: 2f).clamp_min(1e-12));
    }

    public IReadOnlyList<string> Save(SaveRequest request)
    {
        using var scope = NewDisposeScope();
        using var embedding = Embedding();
        EmbeddingWriter.Save(request.Path, embedding, Saving(request));
        return [request.Path];
    }

    public Func<IReadOnlyList<string>>? Prepare(SaveRequest request, PayloadCopies copies)
    {
        using var scope = NewDisposeScope();
        using var embedding = Embedding();
        return request.Written(EmbeddingWriter.Prepare(request.Path, embedding, Saving(request), copies));
    }

    private WordEmbedding Embedding()
    {
        using var frozen = no_grad();
        Tensor Shaped(Tensor rows) => options.IsPerLayer ? rows.detach().view(-1, options.Vectors, rows.size(1)) : rows.detach().alias();
        return new WordEmbedding(Shaped(_learned[0].Rows), _learned.Count > 1 ? Shaped(_learned[1].Rows) : null) { Word = options.Token };
    }

    private EmbeddingSaveOptions Saving(SaveRequest request) => new()
    {
        Format = options.FileFormat, Type = request.Type ?? ScalarType.Float32, Step = request.Moment.Step,
        Metadata = request.WriteMetadata ? RunMetadata.OfEmbedding(request) : null,
    };

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
        _word?.Dispose();
        foreach (var learned in _learned)
        {
            learned.Table.weight.requires_grad = false;
            learned.Rows.Dispose();
            learned.Length?.Dispose();
        }

        _learned.Clear();
    }

    private WordEmbedding Read(string path, StableDiffusionModel model) =>
        options.FileFault(path, model) is { } fault ? throw fault : EmbeddingFile.Read(path);

    /// <summary>[layers · vectors, C]: all layers begin alike where a word is given.</summary>
    private Tensor Begin(Embedding table, ITextTokenizer tokenizer, int layers, Generator random)
    {
        var count = layers * options.Vectors;
        if (options.InitWord is not { } word) return randn([count, table.embedding_dim], generator: random) * 0.02;
        var tokens = tokenizer.EncodeBody(word);
        if (tokens.Count != options.Vectors && _learned.Count == 0)
            _warnings.Add($"{options.GetType().Name}.InitWord is {word}: its {tokens.Count} tokens begin {options.Vectors} vectors, "
                + (tokens.Count > options.Vectors ? "so that the last ones are not used." : "in turn.")
                + $" Vectors = {tokens.Count} would take each once.");
        return table.call(tensor(Enumerable.Range(0, count).Select(i => (long)tokens[i % options.Vectors % tokens.Count]).ToArray(),
            device: table.weight.device)).to(ScalarType.Float32);
    }

    /// <summary>The median length of the rows of a table, a scalar.</summary>
    private static Tensor Median(Tensor table) =>
        table.detach().to(ScalarType.Float32).norm(1, keepdim: false, p: 2f).median().DetachFromDisposeScope();

    private sealed record Learned(string Key, Parameter Rows, Embedding Table)
    {
        /// <summary>The length that rows are brought back to; null for none.</summary>
        public Tensor? Length { get; init; }
    }

    /// <summary>The names of rows in states.</summary>
    private static class EmbeddingKeys
    {
        public const string Single = "emb_params", First = "clip_l", Second = "clip_g";
    }
}
