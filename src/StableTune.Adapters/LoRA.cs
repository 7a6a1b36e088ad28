using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>Options of LoRA: a low-rank addition ΔW = (alpha / rank) · up · down to linear layers and convolutions.</summary>
    public sealed record LoRAOptions : FactoredAdapterOptions
    {
        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new LoRAAdapter(this, layer, random);

        /// <inheritdoc/>
        public override AdapterDescription Describe() => Describe("networks.lora");
    }

    /// <summary>ΔW = (alpha / rank) · up · down. Starts at ΔW = 0, because up = 0.</summary>
    /// <remarks>Hu et al., LoRA: low-rank adaptation of large language models, arXiv:2106.09685; names and initial values as in
    /// sd-scripts.</remarks>
    internal sealed class LoRAAdapter : FactoredAdapter
    {
        private readonly LoRAFactor _down, _up;

        public LoRAAdapter(LoRAOptions options, AdaptedLayer layer, Generator random) : base(nameof(LoRAAdapter), layer, options)
        {
            using var scope = NewDisposeScope();
            long[] inner = [Rank, .. layer.Shape.WeightShape[1..]];                                  // [r, in] or [r, in, kh, kw]
            var bound = 1 / Math.Sqrt(inner[1..].Aggregate(1L, (product, n) => product * n));        // Kaiming-uniform with a = √5
            _down = new LoRAFactor(Trainable((rand(inner, generator: random) * 2 - 1) * bound));
            _up = new LoRAFactor(Trainable(zeros([layer.Shape.OutFeatures, Rank, .. inner[2..].Select(_ => 1L)])));
            register_module("lora_down", _down);
            register_module("lora_up", _up);
        }

        protected override Tensor Term(Tensor input, Generator? random)
        {
            using var scope = NewDisposeScope();
            var (hidden, scale) = Inner(input, random);
            var up = _up.weight.to(hidden.dtype);
            var term = Layer.Shape is LinearShape ? nn.functional.linear(hidden, up) : nn.functional.conv2d(hidden, up);
            return (term * scale).MoveToOuterDisposeScope();
        }

        /// <summary>output + multiplier · scale · up(down(input)), accumulated onto the output.</summary>
        protected override Tensor Forward(Tensor input, Func<Tensor, Tensor> original, Generator? random)
        {
            using var scope = NewDisposeScope();
            var output = original(input);
            var (hidden, scale) = Inner(input, random);
            return Accumulate(output, hidden, _up.weight, (float)(scale * Multiplier)).MoveToOuterDisposeScope();
        }

        public override Tensor DeltaWeight(Tensor weight)
        {
            using var scope = NewDisposeScope();
            return (_up.weight.flatten(1).mm(_down.weight.flatten(1)) * Scale).reshape(Layer.Shape.WeightShape).MoveToOuterDisposeScope();
        }

        /// <summary>down(input) after the dropouts, and the factor of the term.</summary>
        private (Tensor Hidden, double Scale) Inner(Tensor input, Generator? random)
        {
            var hidden = Layer.Shape.Apply(input, _down.weight);
            if (random is null) return (hidden, Scale);
            if (Dropout > 0) hidden = hidden * Mask(hidden.shape, Dropout, random, hidden) / (1 - Dropout);
            if (RankDropout == 0) return (hidden, Scale);
            // One mask for each sample and rank, over all positions of the sample.
            var (batch, ones) = (hidden.shape[0], hidden.shape[1..].Select(_ => 1L).ToArray());
            ones[Layer.Shape is LinearShape ? ^1 : 0] = Rank;
            return (hidden * Mask([batch, .. ones], RankDropout, random, hidden), Scale / (1 - RankDropout));
        }
    }

    /// <summary>One factor of a LoRA: gives its weight the name that files use, <c>lora_down.weight</c> or <c>lora_up.weight</c>.</summary>
    internal sealed class LoRAFactor : nn.Module
    {
        public LoRAFactor(Parameter weight) : base(nameof(LoRAFactor))
        {
            this.weight = weight;
            register_parameter(nameof(weight), weight);
        }

        public Parameter weight { get; }
    }

    /// <summary>LoRA in files: <c>lora_down.weight</c>, <c>lora_up.weight</c>, <c>alpha</c>.</summary>
    internal sealed record LoRAFormat() : AdapterFormat("LoRA", ["lora_down.weight", "lora_up.weight"], ["alpha"])
    {
        public override AdapterOptions OptionsFor(AdapterModule module)
        {
            var (down, up) = (module["lora_down.weight"], module["lora_up.weight"]);
            if (down.Shape.Count is not (2 or 4) || up.Shape.Count != down.Shape.Count || up.Shape[1] != down.Shape[0] || down.Shape[0] < 1)
                throw module.Fault($"its factors do not fit each other: lora_down.weight is {down}, lora_up.weight is {up}",
                    "The first size of down and the second of up must both be the rank: save the file again.");
            var rank = (int)down.Shape[0];
            return new LoRAOptions { Rank = rank, Alpha = module.Alpha ?? rank };
        }
    }
}

namespace StableTune
{
    /// <summary>Adds LoRA to any builder that has a place for adapters.</summary>
    public static class LoRAExtensions
    {
        /// <summary>Trains a LoRA.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">Rank, alpha, parts, layers, dropouts; null for the defaults.</param>
        public static TBuilder WithLoRA<TBuilder>(this TBuilder builder, LoRAOptions? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new LoRAOptions());

        /// <summary>Trains a LoRA: <c>WithLoRA(o => o with { Rank = 16 })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithLoRA<TBuilder>(this TBuilder builder, Func<LoRAOptions, LoRAOptions> change)
            where TBuilder : IAdapterSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithLoRA(change(new LoRAOptions()));
        }

        /// <summary>Trains a LoRA of this rank.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="rank">The rank, at least 1.</param>
        /// <param name="alpha">The addition is multiplied by alpha / rank; 0 means the rank.</param>
        public static TBuilder WithLoRA<TBuilder>(this TBuilder builder, int rank, float alpha = 1f)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithLoRA(new LoRAOptions { Rank = rank, Alpha = alpha });
    }
}
