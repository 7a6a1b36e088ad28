using StableTune.Formats;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Trainables
{
    /// <summary>An embedding of textual inversion that captions and sample prompts may say while something else is trained.</summary>
    public sealed record EmbeddingOptions : TrainableOptions
    {
        /// <summary>Options of a file, which is used and not trained.</summary>
        public EmbeddingOptions() => Trained = false;

        /// <summary>The file, in any form that <see cref="EmbeddingFile"/> reads.</summary>
        public required string Path { get; init; }

        /// <summary>The word; null, the default, for the one that the file says, or its name.</summary>
        public string? Word { get; init; }

        /// <inheritdoc/>
        public override string DefaultName => NewWordOptions.FileName(Word ?? System.IO.Path.GetFileNameWithoutExtension(Path));

        /// <inheritdoc/>
        public override ModelParts ActsThrough => ModelParts.TextEncoder;

        /// <inheritdoc/>
        public override ModelParts KeptParts => ModelParts.TextEncoder;

        /// <inheritdoc/>
        public override bool ChangesTextEncoder(TrainingPlan plan) => true;

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (Trained) yield return Problem(Trained, "an embedding of a file is used as it is", "train one with WithTextualInversion");
            if (string.IsNullOrWhiteSpace(Path) || !File.Exists(Path))
                yield return Problem(Path, "there is no such file", "name an embedding file");
            if (Word is not null && (Word.Length == 0 || Word.Any(char.IsWhiteSpace)))
                yield return Problem(Word, "it must be one word", "leave it unset for the file's name");
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan)
        {
            ArgumentNullException.ThrowIfNull(plan);
            return plan.AsksForTextOutputs ? [NewWordOptions.CachedTexts(nameof(Path), Path)] : [];
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, ModelConfiguration model)
        {
            ArgumentNullException.ThrowIfNull(model);
            if (!File.Exists(Path)) yield break;
            using var shapes = model.WithoutWeights();
            if (Fault(shapes, model.Tokenizer) is { } fault) yield return fault.AsProblem($"{nameof(EmbeddingOptions)}.{nameof(Path)}");
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, TrainingDataset dataset)
        {
            ArgumentNullException.ThrowIfNull(dataset);
            return dataset.Samples.FirstOrDefault(sample => sample.Item.TextOutputsPath is not null) is { Item.TextOutputsPath: { } given }
                ? [Problem(Path, $"text encoder outputs came with the images, whose captions are not encoded ({given})",
                    "leave the outputs out (SdTrainerSource.TakeTextOutputs = false), or the embedding")] : [];
        }

        /// <inheritdoc/>
        public override ITrainable Create(TrainingPlan plan) => new EmbeddingTrainable(this);

        /// <summary>Why the file cannot be used with a model; null when it can.</summary>
        private InvalidFileException? Fault(StableDiffusionModel model, ITextTokenizer? tokenizer)
        {
            try
            {
                using var embedding = EmbeddingFile.Read(Path);
                if (embedding.MisfitWith(model) is var (misfit, change)) return new InvalidFileException(Path, misfit, change);
                var word = Word ?? embedding.Word!;
                return tokenizer is not null && AddedWord.FaultOf(word, embedding.Vectors, tokenizer) is var (fault, remedy)
                    ? new InvalidFileException(Path, fault, remedy) : null;
            }
            catch (InvalidFileException fault)
            {
                return fault;
            }
        }
    }

    /// <summary>A word in the model for the time of the run.</summary>
    internal sealed class EmbeddingTrainable(EmbeddingOptions options) : ITrainable
    {
        private AddedWord? _word;

        public string Name => "trainables/" + options.EffectiveName;

        public bool CanBeLeftOut => false;

        public IReadOnlyList<ParameterGroup> Groups => [];

        public void Attach(TrainingSetup setup) => _word = setup.Model.AddEmbedding(options.Path, options.Word);

        /// <summary>It has its file already.</summary>
        public IReadOnlyList<string> Save(SaveRequest request) => [];

        public Func<IReadOnlyList<string>>? Prepare(SaveRequest request, PayloadCopies copies) => () => [];

        public void Save(StateWriter writer) { }

        public void Load(StateReader reader) { }

        public void Dispose() => _word?.Dispose();
    }
}

namespace StableTune
{
    /// <summary>Uses embeddings in any run that has a place for trainables.</summary>
    public static class EmbeddingExtensions
    {
        /// <summary>Lets captions and sample prompts say the word of an embedding, which stays as it is.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="path">The embedding file.</param>
        /// <param name="word">The word; null for the one that the file says, or its name.</param>
        public static TBuilder WithEmbedding<TBuilder>(this TBuilder builder, string path, string? word = null)
            where TBuilder : ITrainableSocket<TBuilder> => builder.WithTrainable(new EmbeddingOptions { Path = path, Word = word });
    }
}
