using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>Options of LoRA-FA: a LoRA whose down projection stays as it was drawn, which halves what is trained.</summary>
    public sealed record LoRAFAOptions : FactoredAdapterOptions
    {
        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (UseTucker) yield return Problem(UseTucker, "LoRA-FA has no core", "leave it off");
            if (UseScalar) yield return Problem(UseScalar, "LoRA-FA has no scalar", "leave it off");
        }

        /// <inheritdoc/>
        protected override int DynamicRankFactor => 2;

        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random) =>
            new LoRAAdapter(this, layer, random, isDownFrozen: true);

        /// <inheritdoc/>
        public override AdapterDescription Describe() => Describe("networks.lora_fa");
    }
}

namespace StableTune
{
    /// <summary>Adds LoRA-FA to any builder that has a place for adapters.</summary>
    public static class LoRAFAExtensions
    {
        /// <summary>Trains a LoRA-FA.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">Rank, alpha, parts, layers, dropouts; null for the defaults.</param>
        public static TBuilder WithLoRAFA<TBuilder>(this TBuilder builder, LoRAFAOptions? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new LoRAFAOptions());

        /// <summary>Trains a LoRA-FA: <c>WithLoRAFA(o => o with { Rank = 16 })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithLoRAFA<TBuilder>(this TBuilder builder, Func<LoRAFAOptions, LoRAFAOptions> change)
            where TBuilder : IAdapterSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithLoRAFA(change(new LoRAFAOptions()));
        }
    }
}
