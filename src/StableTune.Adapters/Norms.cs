using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>Options of trained norms: a change of the factors and biases of layer norms and group norms (<c>train_norm</c>).</summary>
    public sealed record NormOptions : AdapterOptions
    {
        /// <summary>Adapts the norms of the UNet's transformers, resnets and samplers.</summary>
        public NormOptions() => Layers = LayerSelection.SdScriptsWithConvolutions;

        /// <inheritdoc/>
        public override bool Takes(AdaptedLayer layer)
        {
            ArgumentNullException.ThrowIfNull(layer);
            return layer.Shape is NormShape;
        }

        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new NormAdapter(layer);

        /// <inheritdoc/>
        public override AdapterDescription Describe() =>
            new("lycoris.kohya") { Arguments = new OrderedDictionary<string, object?> { ["train_norm"] = "True" } };
    }

    /// <summary>Additions to a norm's factors and biases. Start at 0.</summary>
    internal sealed class NormAdapter : NetworkAdapter
    {
        private readonly Parameter w_norm;                                       // the keys in files
        private readonly Parameter? b_norm;

        public NormAdapter(AdaptedLayer layer) : base(nameof(NormAdapter), layer)
        {
            if (layer.Shape is not NormShape) throw new NotSupportedException($"{nameof(NormAdapter)} is for norms, not for {layer}.");
            using var scope = NewDisposeScope();
            w_norm = Trainable(zeros(layer.Shape.WeightShape));
            if (layer.Bias is { } bias) b_norm = Trainable(zeros(bias.shape));
            RegisterComponents();
        }

        protected override Tensor Term(Tensor input)
        {
            using var scope = NewDisposeScope();
            var term = Layer.Shape.Apply(input, w_norm);
            if (b_norm is not null)
                term = term + (Layer.Shape is NormShape { Groups: null } ? b_norm
                    : b_norm.reshape([-1, .. input.shape[2..].Select(_ => 1L)]));
            return term.MoveToOuterDisposeScope();
        }

        public override Tensor DeltaWeight(Tensor weight) => w_norm.alias();

        public override Tensor? DeltaBias(Tensor bias, float multiplier) => b_norm is null ? null : b_norm * multiplier;
    }

    /// <summary>Trained norms in files, as LyCORIS writes them.</summary>
    internal sealed record NormFormat() : AdapterFormat("norm", ["w_norm"], ["b_norm"])
    {
        public override AdapterOptions OptionsFor(AdapterModule module) => new NormOptions();
    }
}

namespace StableTune
{
    /// <summary>Adds the training of norms to any builder that has a place for adapters.</summary>
    public static class NormExtensions
    {
        /// <summary>Trains a change of norms.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">Parts and layers; null for the defaults.</param>
        public static TBuilder WithNorms<TBuilder>(this TBuilder builder, NormOptions? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new NormOptions());

        /// <summary>Trains a change of norms: <c>WithNorms(o => o with { Layers = LayerSelection.Everything })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithNorms<TBuilder>(this TBuilder builder, Func<NormOptions, NormOptions> change)
            where TBuilder : IAdapterSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithNorms(change(new NormOptions()));
        }
    }
}
