using StableTune.Checkpoints;
using StableTune.Trainables;

namespace StableTune.Trainables
{
    /// <summary>Trains the embedding of a new word, and nothing else (Gal et al., An image is worth one word, arXiv:2208.01618).</summary>
    public sealed record TextualInversionOptions : NewWordOptions
    {
        /// <summary>The form of the file (<c>save_model_as</c>); null, the default, for diffusers' where the path ends with <c>.bin</c>,
        /// and sd-scripts' otherwise.</summary>
        public EmbeddingFormat? Format { get; init; }

        /// <inheritdoc/>
        public override IReadOnlyList<string> FileExtensions => EmbeddingWriter.Endings(Format);

        internal override EmbeddingFormat? FileFormat => Format;

        /// <inheritdoc/>
        public override ITrainable Create(TrainingPlan plan) => new NewWordTrainable(this, plan);
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
        /// <param name="template">Sentences that take the place of captions.</param>
        public static TBuilder WithTextualInversion<TBuilder>(this TBuilder builder, string token, string? initWord = null, int vectors = 1,
            PromptTemplate template = PromptTemplate.None)
            where TBuilder : ITrainableSocket<TBuilder> => builder.WithTextualInversion(
                new TextualInversionOptions { Token = token, InitWord = initWord, Vectors = vectors, Template = template });

        /// <summary>Trains the embedding of a new word.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">The word, and how it is learnt.</param>
        public static TBuilder WithTextualInversion<TBuilder>(this TBuilder builder, TextualInversionOptions options)
            where TBuilder : ITrainableSocket<TBuilder> => builder.WithTrainable(options);
    }
}
