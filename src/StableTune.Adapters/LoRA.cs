using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>Options of LoRA: a low-rank addition ΔW = (alpha / rank) · up · down to linear layers and convolutions.</summary>
    public sealed record LoRAOptions : FactoredAdapterOptions
    {
        /// <inheritdoc/>
        protected override int DynamicRankFactor => 2;

        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new LoRAAdapter(this, layer, random);

        /// <inheritdoc/>
        public override AdapterDescription Describe() => RankStabilized || UseTucker || UseScalar || WeightDecompose
            ? Describe("lycoris.kohya", [new("algo", "locon")]) : Describe("networks.lora");
    }

    /// <summary>
    /// ΔW = (alpha / rank) · up · down, of convolutions with Tucker's decomposition (alpha / rank) · up · mid · down. Starts at ΔW = 0,
    /// because up = 0.
    /// </summary>
    /// <remarks>Hu et al., LoRA: low-rank adaptation of large language models, arXiv:2106.09685; names and initial values as in
    /// sd-scripts.</remarks>
    internal sealed class LoRAAdapter : FactoredAdapter
    {
        private readonly LoRAFactor _down, _up;
        private readonly LoRAFactor? _mid;

        /// <param name="options">Rank, alpha and so on.</param>
        /// <param name="layer">The frozen layer.</param>
        /// <param name="random">What initial values are drawn from.</param>
        /// <param name="isDownFrozen">Whether the down projection stays as it is drawn (LoRA-FA).</param>
        public LoRAAdapter(FactoredAdapterOptions options, AdaptedLayer layer, Generator random, bool isDownFrozen = false)
            : base(nameof(LoRAAdapter), layer, options)
        {
            using var scope = NewDisposeScope();
            var shape = layer.Shape;
            var kernel = options.UseTucker && layer.IsWindowed ? shape.WeightShape[2..] : null;
            long[] ones = [.. shape.WeightShape[2..].Select(_ => 1L)];
            long[] inner = [Rank, shape.WeightShape[1], .. kernel is null ? shape.WeightShape[2..] : ones];   // [r, in] or [r, in, kh, kw]
            // As sd-scripts' lora_fa: one that is not trained starts with a norm that suits input and rank.
            _down = !isDownFrozen ? Uniform(inner)
                : new LoRAFactor(Placed(InitialValues.Normal(inner, Math.Sqrt(2.0 / (InitialValues.FanIn(inner) + Rank)), random)));
            register_module("lora_down", _down);
            if (kernel is not null) register_module("lora_mid", _mid = Uniform([Rank, Rank, .. kernel]));
            long[] outer = [shape.OutFeatures, Rank, .. ones];
            // A scalar that starts at 0 lets all factors start at random values.
            _up = HasScalar ? Uniform(outer) : new LoRAFactor(Trainable(zeros(outer)));
            register_module("lora_up", _up);
            Decompose();

            LoRAFactor Uniform(long[] size) => new(Trainable(InitialValues.KaimingUniform(size, random)));
        }

        protected override IReadOnlyList<string> ScalarTargets { get; } = ["lora_up.weight"];

        public override bool IsUpFactor(string parameter) => parameter == "lora_up.weight";

        protected override Tensor Term(Tensor input, Generator? random)
        {
            using var scope = NewDisposeScope();
            var (hidden, scale) = Inner(input, random);
            var up = Scaled(_up.weight).to(hidden.dtype);
            return (Expanded(hidden, up) * scale).MoveToOuterDisposeScope();
        }

        /// <summary>output + multiplier · scale · up(down(input)), accumulated onto the output.</summary>
        protected override Tensor Forward(Tensor input, Func<Tensor, Tensor> original, Generator? random)
        {
            using var scope = NewDisposeScope();
            var output = original(input);
            var (hidden, scale) = Inner(input, random);
            return Accumulate(output, hidden, Scaled(_up.weight), (float)(scale * Multiplier)).MoveToOuterDisposeScope();
        }

        protected override Tensor Product(Tensor weight)
        {
            using var scope = NewDisposeScope();
            var (up, down) = ((Scaled(_up.weight) * Scale).flatten(1), _down.weight.flatten(1));
            var product = _mid is null ? up.mm(down) : einsum("o p, p q h w, q i -> o i h w", up, _mid.weight, down);
            return product.reshape(Layer.Shape.WeightShape).MoveToOuterDisposeScope();
        }

        private protected override Func<LowRankProduct>? TwoFactors =>
            _mid is null ? () => new LowRankProduct((Scaled(_up.weight) * Scale).flatten(1), _down.weight.flatten(1)) : null;

        /// <summary>down(input) after the dropouts, and the factor of the term.</summary>
        private (Tensor Hidden, double Scale) Inner(Tensor input, Generator? random)
        {
            var hidden = _mid is null ? Layer.Shape.Apply(input, _down.weight)
                : Layer.Shape.Apply(Products.Conv2d(input, _down.weight, null, ConvolutionGeometry.Pointwise), _mid.weight);
            if (random is null) return (hidden, Scale);
            if (Dropout > 0) hidden = hidden * SampleMask(hidden.shape, Dropout, random, hidden) / (1 - Dropout);
            if (RankDropout == 0) return (hidden, Scale);
            // One mask for each sample and rank, over all positions of the sample.
            var (batch, ones) = (hidden.shape[0], hidden.shape[1..].Select(_ => 1L).ToArray());
            ones[Layer.Shape is LinearShape ? ^1 : 0] = Rank;
            return (hidden * SampleMask([batch, .. ones], RankDropout, random, hidden), Scale / (1 - RankDropout));
        }
    }

    /// <summary>One factor of an adapter: gives its weight the name that files use, such as <c>lora_down.weight</c>.</summary>
    internal sealed class LoRAFactor : nn.Module
    {
        /// <summary>A factor that is trained.</summary>
        public LoRAFactor(Parameter weight) : base(nameof(LoRAFactor))
        {
            this.weight = weight;
            register_parameter(nameof(weight), weight);
        }

        /// <summary>A factor that stays as it is, and is saved all the same.</summary>
        public LoRAFactor(Tensor weight) : base(nameof(LoRAFactor))
        {
            this.weight = weight.DetachFromDisposeScope();
            register_buffer(nameof(weight), weight);
        }

        public Tensor weight { get; }
    }

    /// <summary>LoRA in files: <c>lora_down.weight</c>, <c>lora_up.weight</c>, <c>alpha</c>; <c>lora_mid.weight</c> with Tucker's
    /// decomposition, <c>dora_scale</c> with DoRA.</summary>
    internal sealed record LoRAFormat()
        : AdapterFormat("LoRA", ["lora_down.weight", "lora_up.weight"], ["lora_mid.weight", "alpha", "dora_scale"])
    {
        public override AdapterOptions OptionsFor(AdapterModule module)
        {
            var (down, up) = (module["lora_down.weight"], module["lora_up.weight"]);
            if (down.Shape.Count is not (2 or 4) || up.Shape.Count != down.Shape.Count || up.Shape[1] != down.Shape[0] || down.Shape[0] < 1)
                throw module.Fault($"has factors that do not fit each other: lora_down.weight is {down}, lora_up.weight is {up}",
                    "The first size of down and the second of up must both be the rank: save the file again.");
            var rank = (int)down.Shape[0];
            var hasMid = module.Tensors.TryGetValue("lora_mid.weight", out var mid);
            if (hasMid && (mid!.Shape.Count != 4 || mid.Shape[0] != rank || mid.Shape[1] != rank || down.Shape.Count != 4))
                throw module.Fault($"has factors that do not fit each other: lora_mid.weight is {mid}, lora_down.weight is {down}",
                    "Tucker's decomposition is for convolutions, and lora_mid.weight must be [rank, rank, height, width]: " +
                    "save the file again.");
            return new LoRAOptions
            {
                Rank = rank, Alpha = module.Alpha ?? rank, UseTucker = hasMid,
                WeightDecompose = module.Tensors.ContainsKey("dora_scale"), DecomposeOutputs = module.DecomposesOutputs,
            };
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
