using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Trainables;

namespace StableTune.Trainables
{
    /// <summary>
    /// Trains the embeddings of a new word for each of the UNet's 16 attention layers (XTI; Voynov et al., P+: extended textual
    /// conditioning in text-to-image generation, arXiv:2303.09522). For Stable Diffusion 1 and 2. Each caption is encoded 16 times.
    /// </summary>
    public sealed record ExtendedTextualInversionOptions : NewWordOptions
    {
        /// <inheritdoc/>
        public override IReadOnlyList<string> FileExtensions => EmbeddingWriter.Endings(EmbeddingFormat.SdScripts);

        internal override bool IsPerLayer => true;

        internal override EmbeddingFormat? FileFormat => EmbeddingFormat.SdScripts;

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan)
        {
            foreach (var problem in base.Fits(plan)) yield return problem;
            if (plan.GivenModel is { HasTextEncoder2: true }) yield return ForSdxl();
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, ModelConfiguration model)
        {
            ArgumentNullException.ThrowIfNull(model);
            return model.Details.Version == ModelVersion.Sdxl ? [ForSdxl()] : base.Fits(plan, model);
        }

        /// <inheritdoc/>
        public override ITrainable Create(TrainingPlan plan) => new NewWordTrainable(this, plan);

        private OptionProblem ForSdxl() => Problem(Token,
            "extended textual inversion is for Stable Diffusion 1 and 2, and the model is SDXL", "use WithTextualInversion", nameof(Token));
    }
}

namespace StableTune
{
    /// <summary>Trains embeddings for each attention layer on any builder that has a place for trainables.</summary>
    public static class ExtendedTextualInversionExtensions
    {
        /// <summary>Trains the embeddings of a new word for each attention layer of the UNet.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="token">The new word, as captions say it.</param>
        /// <param name="initWord">Words whose embeddings it begins with, in all layers; null for random numbers.</param>
        /// <param name="vectors">Vectors that stand for the word in each layer.</param>
        /// <param name="template">Sentences that take the place of captions.</param>
        public static TBuilder WithExtendedTextualInversion<TBuilder>(this TBuilder builder, string token, string? initWord = null,
            int vectors = 1, PromptTemplate template = PromptTemplate.None)
            where TBuilder : ITrainableSocket<TBuilder> => builder.WithExtendedTextualInversion(
                new ExtendedTextualInversionOptions { Token = token, InitWord = initWord, Vectors = vectors, Template = template });

        /// <summary>Trains the embeddings of a new word for each attention layer of the UNet.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">The word, and how it is learnt.</param>
        public static TBuilder WithExtendedTextualInversion<TBuilder>(this TBuilder builder, ExtendedTextualInversionOptions options)
            where TBuilder : ITrainableSocket<TBuilder> => builder.WithTrainable(options);
    }
}
