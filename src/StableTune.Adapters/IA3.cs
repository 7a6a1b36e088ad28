using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>Options of IA3: a trained factor for each output of a layer, or for each of its inputs.</summary>
    public sealed record IA3Options : AdapterOptions
    {
        /// <summary>Adapts what the paper does: keys and values of all attentions, and the second layer of each feed-forward.</summary>
        public IA3Options() => Layers = LyCorisPresets.All.Create("ia3");

        /// <summary>
        /// Regular expressions over a layer's path (<see cref="AdaptedLayer.FullPath"/>): where one occurs, inputs are scaled instead of
        /// outputs (<c>train_on_input</c>). Default: the second layers of feed-forwards.
        /// </summary>
        public IReadOnlyList<string> OnInput { get; init; } = [@"\.ff\.net\.2$", @"\.mlp\.fc2$"];

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            foreach (var expression in OnInput)
                if (LayerSelection.Fault(expression) is { } fault)
                    yield return Problem(expression, fault, LayerSelection.Remedy, nameof(OnInput));
        }

        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random)
        {
            ArgumentNullException.ThrowIfNull(layer);
            return new IA3Adapter(layer, OnInput.Any(expression => LayerSelection.Occurs(expression, layer.FullPath)));
        }

        /// <inheritdoc/>
        public override AdapterDescription Describe() =>
            new("lycoris.kohya") { Arguments = new OrderedDictionary<string, object?> { ["algo"] = "ia3", ["preset"] = "ia3" } };
    }

    /// <summary>y = W x ⊙ (1 + m·w), or W (x ⊙ (1 + m·w)); the bias is not scaled. Starts at w = 0.</summary>
    /// <remarks>Liu et al., arXiv:2205.05638; names as in LyCORIS.</remarks>
    internal sealed class IA3Adapter : NetworkAdapter
    {
        private readonly Parameter weight;                                       // the key in files
        private readonly bool _isOnInput;

        public IA3Adapter(AdaptedLayer layer, bool isOnInput) : base(nameof(IA3Adapter), layer)
        {
            if (layer.Shape is NormShape)
                throw new NotSupportedException($"{nameof(IA3Adapter)} has no factors for {layer}: leave norms out.");
            using var scope = NewDisposeScope();
            _isOnInput = isOnInput;
            var channels = isOnInput ? layer.Shape.InFeatures : layer.Shape.OutFeatures;
            weight = Trainable(zeros(layer.Shape is LinearShape ? [channels] : [1, channels, 1, 1]));
            register_parameter(nameof(weight), weight);
            register_buffer("on_input", full([], isOnInput ? 1 : 0, dtype: ScalarType.Float32).DetachFromDisposeScope());
        }

        public override Tensor Forward(Tensor input, Func<Tensor, Tensor> original)
        {
            if (Multiplier == 0) return original(input);
            using var scope = NewDisposeScope();
            if (_isOnInput) return original(input + input * (weight * Multiplier).to(input.dtype)).MoveToOuterDisposeScope();
            var output = original(input);
            return (output + Unbiased(output) * (weight * Multiplier).to(output.dtype)).MoveToOuterDisposeScope();
        }

        protected override Tensor Term(Tensor input)
        {
            using var scope = NewDisposeScope();
            var factors = weight.to(input.dtype);
            var term = _isOnInput ? Layer.Shape.Apply(input * factors, Layer.Values())
                : Layer.Shape.Apply(input, Layer.Values()) * factors;
            return term.MoveToOuterDisposeScope();
        }

        public override Tensor DeltaWeight(Tensor weight)
        {
            using var scope = NewDisposeScope();
            var factors = this.weight.flatten();
            long[] channels = [factors.shape[0], .. weight.shape[(_isOnInput ? 2 : 1)..].Select(_ => 1L)];
            return (weight * factors.reshape(channels)).MoveToOuterDisposeScope();
        }
    }

    /// <summary>IA3 in files, as LyCORIS writes it.</summary>
    internal sealed record IA3Format() : AdapterFormat("IA3", ["weight", "on_input"], [])
    {
        public override AdapterOptions OptionsFor(AdapterModule module)
        {
            var shape = module["weight"].Shape;
            if (shape.Count != 1 && (shape.Count != 4 || shape[0] != 1 || shape[2] != 1 || shape[3] != 1))
                throw module.Fault($"has factors of a strange shape: {module["weight"]}",
                    "They must be [channels], or [1, channels, 1, 1] of a convolution: save the file again.");
            return new IA3Options { OnInput = module.Number("on_input") is > 0 ? ["."] : [] };
        }
    }
}

namespace StableTune
{
    /// <summary>Adds IA3 to any builder that has a place for adapters.</summary>
    public static class IA3Extensions
    {
        /// <summary>Trains an IA3; its rate must be high, 5e-3 to 1e-2.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">Parts and layers; null for the defaults.</param>
        public static TBuilder WithIA3<TBuilder>(this TBuilder builder, IA3Options? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new IA3Options());

        /// <summary>Trains an IA3: <c>WithIA3(o => o with { Parts = AdapterParts.UNet })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithIA3<TBuilder>(this TBuilder builder, Func<IA3Options, IA3Options> change)
            where TBuilder : IAdapterSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithIA3(change(new IA3Options()));
        }
    }
}
