using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>Options of full differences: ΔW itself is trained, as large as the layer, and a change of its bias.</summary>
    public sealed record FullDifferenceOptions : AdapterOptions
    {
        /// <summary>Whether a change of the bias is trained too, where the layer has one. Default true, as in LyCORIS.</summary>
        public bool TrainBias { get; init; } = true;

        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new FullDifferenceAdapter(this, layer);

        /// <inheritdoc/>
        public override AdapterDescription Describe() =>
            new("lycoris.kohya") { Arguments = new OrderedDictionary<string, object?> { ["algo"] = "full" } };
    }

    /// <summary>ΔW and Δb as they are. Start at 0.</summary>
    internal sealed class FullDifferenceAdapter : NetworkAdapter
    {
        private readonly Parameter diff;                                         // the keys in files
        private readonly Parameter? diff_b;

        public FullDifferenceAdapter(FullDifferenceOptions options, AdaptedLayer layer) : base(nameof(FullDifferenceAdapter), layer)
        {
            if (layer.Shape is NormShape)
                throw new NotSupportedException($"{nameof(FullDifferenceAdapter)} is not for {layer}: train norms by NormOptions.");
            using var scope = NewDisposeScope();
            diff = Trainable(zeros(layer.Shape.WeightShape));
            if (options.TrainBias && layer.Bias is { } bias) diff_b = Trainable(zeros(bias.shape));
            RegisterComponents();
        }

        protected override Tensor Term(Tensor input)
        {
            using var scope = NewDisposeScope();
            var term = Layer.Shape.Apply(input, diff);
            if (diff_b is not null) term = term + (Layer.Shape is LinearShape ? diff_b : diff_b.reshape(-1, 1, 1)).to(term.dtype);
            return term.MoveToOuterDisposeScope();
        }

        public override Tensor DeltaWeight(Tensor weight) => diff.alias();

        public override Tensor? DeltaBias(Tensor bias, float multiplier) => diff_b is null ? null : diff_b * multiplier;
    }

    /// <summary>Full differences in files, as LyCORIS writes them.</summary>
    internal sealed record FullDifferenceFormat() : AdapterFormat("full difference", ["diff"], ["diff_b"])
    {
        public override AdapterOptions OptionsFor(AdapterModule module) =>
            new FullDifferenceOptions { TrainBias = module.Tensors.ContainsKey("diff_b") };
    }
}

namespace StableTune
{
    /// <summary>Adds full differences to any builder that has a place for adapters.</summary>
    public static class FullDifferenceExtensions
    {
        /// <summary>Trains ΔW of each layer itself.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">Parts and layers; null for the defaults.</param>
        public static TBuilder WithFullDifference<TBuilder>(this TBuilder builder, FullDifferenceOptions? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new FullDifferenceOptions());

        /// <summary>Trains ΔW of each layer itself: <c>WithFullDifference(o => o with { TrainBias = false })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithFullDifference<TBuilder>(
            this TBuilder builder, Func<FullDifferenceOptions, FullDifferenceOptions> change) where TBuilder : IAdapterSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithFullDifference(change(new FullDifferenceOptions()));
        }
    }
}
