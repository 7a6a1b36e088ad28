using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>Options of LoRA: a low-rank addition ΔW = (alpha / rank) · up · down to linear layers and convolutions.</summary>
    public sealed record LoRAOptions : AdapterOptions
    {
        /// <summary>The rank of the addition (<c>network_dim</c>). Default 4, as in sd-scripts.</summary>
        public int Rank { get; init; } = 4;

        /// <summary>The addition is multiplied by Alpha / Rank (<c>network_alpha</c>). 0 means the rank, a scale of 1. Default 1,
        /// as in sd-scripts.</summary>
        public float Alpha { get; init; } = 1f;

        /// <summary>Probability of a zero in each element after the down projection, while training (<c>network_dropout</c>). 0 to
        /// below 1.</summary>
        public double Dropout { get; init; }

        /// <summary>Probability of leaving out a rank, for each sample anew, while training. 0 to below 1.</summary>
        public double RankDropout { get; init; }

        /// <summary>Probability of leaving out the whole adapter for a step, while training. 0 to below 1.</summary>
        public double ModuleDropout { get; init; }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (Rank < 1) yield return Problem(Rank, "the rank must be at least 1", "4 to 32 is customary");
            if (!(Alpha >= 0 && float.IsFinite(Alpha)))
                yield return Problem(Alpha, "alpha must not be negative", "the rank, half of it or 1 is customary; 0 means the rank");
            if (!IsPart(Dropout))
                yield return Problem(Dropout, "a dropout must be at least 0 and below 1", "0 switches it off, 0.1 to 0.5 is customary");
            if (!IsPart(RankDropout))
                yield return Problem(RankDropout, "a dropout must be at least 0 and below 1", "0 switches it off, 0.1 to 0.3 is customary");
            if (!IsPart(ModuleDropout))
                yield return Problem(ModuleDropout, "a dropout must be at least 0 and below 1", "0 switches it off, 0.1 to 0.3 is customary");

            static bool IsPart(double p) => p is >= 0 and < 1;
        }

        /// <inheritdoc/>
        public override NetworkAdapter Create(LayerShape layer, Generator random) => new LoRAAdapter(this, layer, random);

        /// <inheritdoc/>
        public override NetworkFacts Describe()
        {
            var arguments = new OrderedDictionary<string, object?>();
            if (RankDropout > 0) arguments.Add("rank_dropout", PythonRepr.Of(RankDropout));
            if (ModuleDropout > 0) arguments.Add("module_dropout", PythonRepr.Of(ModuleDropout));
            // As the reference does, whenever there are arguments at all.
            if (arguments.Count > 0) arguments.Add("dropout", Dropout > 0 ? Dropout : null);
            return new NetworkFacts("networks.lora", Rank, Alpha) { Dropout = Dropout > 0 ? Dropout : null, Arguments = arguments };
        }
    }

    /// <summary>ΔW = (alpha / rank) · up · down. Starts at ΔW = 0, because up = 0.</summary>
    /// <remarks>Hu et al., LoRA: low-rank adaptation of large language models, arXiv:2106.09685; names and initial values as in
    /// sd-scripts.</remarks>
    internal sealed class LoRAAdapter : NetworkAdapter
    {
        private readonly LoRAOptions _options;
        private readonly LayerShape _layer;
        private readonly LoRAFactor _down, _up;
        private readonly Tensor _alpha;
        private float _scale;

        public LoRAAdapter(LoRAOptions options, LayerShape layer, Generator random) : base(nameof(LoRAAdapter))
        {
            if (layer.Convolution is { Groups: not 1 })
                throw new NotSupportedException($"LoRA cannot be attached to a convolution in {layer.Convolution.Groups} groups: leave the layer out.");
            (_options, _layer) = (options, layer);
            using var scope = NewDisposeScope();
            var rank = options.Rank;
            var alpha = options.Alpha == 0 ? rank : options.Alpha;
            long[] inner = [rank, .. layer.WeightShape[1..]];                                        // [r, in] or [r, in, kh, kw]
            var bound = 1 / Math.Sqrt(inner[1..].Aggregate(1L, (product, n) => product * n));        // Kaiming-uniform with a = √5
            _down = new LoRAFactor(Trainable(((rand(inner, generator: random) * 2 - 1) * bound).to(layer.Device)));
            _up = new LoRAFactor(Trainable(zeros([layer.OutFeatures, rank, .. inner[2..].Select(_ => 1L)], device: layer.Device)));
            _alpha = full([], alpha, dtype: ScalarType.Float32).DetachFromDisposeScope();
            _scale = alpha / rank;
            register_buffer("alpha", _alpha);
            register_module("lora_down", _down);
            register_module("lora_up", _up);
        }

        public override bool UsesRandomness => _options.Dropout > 0 || _options.RankDropout > 0 || _options.ModuleDropout > 0;

        /// <summary>Draws which elements stay: a seam, so that recorded draws can be put in their place.</summary>
        internal Func<long[], double, Generator, Tensor> DrawMask { get; set; } = (shape, p, random) => rand(shape, generator: random).gt(p);

        private static readonly Operator UnsafeView = new("aten::_unsafe_view");

        private long Rank => _down.weight.shape[0];

        public override Tensor forward(Tensor input)
        {
            using var scope = NewDisposeScope();
            if (Inner(input) is not { } inner)
                return zeros(OutputShape(input), dtype: input.dtype, device: input.device).MoveToOuterDisposeScope();
            var (hidden, scale) = inner;
            var up = _up.weight.to(hidden.dtype);
            var term = _layer.Convolution is null ? nn.functional.linear(hidden, up) : nn.functional.conv2d(hidden, up);
            return (term * scale).MoveToOuterDisposeScope();
        }

        /// <summary>
        /// output + multiplier · scale · up(down(input)) as one product that is accumulated onto the output: the term is never held
        /// by itself, and without a gradient the output is changed in place.
        /// </summary>
        public override Tensor? Apply(Tensor input, Tensor output)
        {
            if (Multiplier == 0) return null;
            using var scope = NewDisposeScope();
            if (Inner(input) is not var (hidden, scale)) return null;
            var strength = (float)(scale * Multiplier);
            var up = _up.weight.to(hidden.dtype).flatten(1);                                          // [out, r]
            if (_layer.Convolution is null)
            {
                var rows = output.reshape(-1, _layer.OutFeatures);
                var (low, high) = (hidden.reshape(-1, Rank), up.t());
                if (InPlace(output)) rows.addmm_(low, high, 1, strength);
                else return Shaped(rows.addmm(low, high, 1, strength), output.shape);
            }
            else
            {
                // A 1x1 convolution is a matrix product over the channels, one for each sample: [out, r] x [r, H·W].
                var planes = output.reshape(output.shape[0], _layer.OutFeatures, -1);
                var (low, high) = (hidden.reshape(output.shape[0], Rank, -1), up.unsqueeze(0).expand(output.shape[0], -1, -1));
                if (InPlace(output)) planes.add_(high.bmm(low), alpha: strength);
                // TorchSharp takes the first factor as the object, and what is added as the last tensor.
                else return Shaped(high.baddbmm(low, planes, 1, strength), output.shape);
            }

            return null;
        }

        public override Tensor DeltaWeight()
        {
            using var scope = NewDisposeScope();
            return (_up.weight.flatten(1).mm(_down.weight.flatten(1)) * _scale).reshape(_layer.WeightShape).MoveToOuterDisposeScope();
        }

        public override void LoadTensors(IReadOnlyDictionary<string, Tensor> tensors)
        {
            base.LoadTensors(tensors);
            using var frozen = no_grad();
            if (_alpha.item<float>() == 0) _alpha.fill_(Rank);                                        // 0 means the rank, in files too
            _scale = _alpha.item<float>() / Rank;
        }

        /// <summary>
        /// The result in the output's shape. Not a view for autograd, which it would be by reshape: models add residuals to it in
        /// place, and in-place changes of views cost a copy of the gradient.
        /// </summary>
        private static Tensor Shaped(Tensor result, long[] shape) =>
            UnsafeView.Call(result, shape).MoveToOuterDisposeScope();

        /// <summary>Where no gradient is recorded; and only where reshape gave a view of the output, which a strided one would not.</summary>
        private static bool InPlace(Tensor output) => !is_grad_enabled() && output.is_contiguous();

        /// <summary>down(input) after the dropouts, and the factor of the term; null when module dropout leaves the adapter out.</summary>
        private (Tensor Hidden, double Scale)? Inner(Tensor input)
        {
            using var random = training && UsesRandomness ? StepRandom() : null;
            if (random is not null && _options.ModuleDropout > 0 && rand(1, generator: random).item<float>() < _options.ModuleDropout)
                return null;
            var hidden = _layer.Convolution is { } c
                ? Products.Conv2d(input, _down.weight, null, new ConvolutionGeometry(c.Stride, c.Padding, c.Dilation))
                : Products.Linear(input, _down.weight);
            if (random is null) return (hidden, _scale);
            if (_options.Dropout > 0) hidden = hidden * Mask(hidden.shape, _options.Dropout, random, hidden) / (1 - _options.Dropout);
            if (_options.RankDropout == 0) return (hidden, _scale);
            // One mask for each sample and rank, over all positions of the sample.
            var (batch, ones) = (hidden.shape[0], hidden.shape[1..].Select(_ => 1L).ToArray());
            ones[_layer.Convolution is null ? ^1 : 0] = Rank;
            return (hidden * Mask([batch, .. ones], _options.RankDropout, random, hidden), _scale / (1 - _options.RankDropout));
        }

        private Tensor Mask(long[] shape, double p, Generator random, Tensor like) => DrawMask(shape, p, random).to(like.device).to(like.dtype);

        private long[] OutputShape(Tensor input)
        {
            if (_layer.Convolution is not { } c) return [.. input.shape[..^1], _layer.OutFeatures];
            long Size(int d) => (input.shape[2 + d] + 2 * c.Padding[d] - c.Dilation[d] * (c.Kernel[d] - 1) - 1) / c.Stride[d] + 1;
            return [input.shape[0], _layer.OutFeatures, Size(0), Size(1)];
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
}

namespace StableTune
{
    /// <summary>Adds LoRA to any builder that has a place for adapters.</summary>
    public static class LoRAExtensions
    {
        /// <summary>Trains a LoRA.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">Rank, alpha, parts, dropouts; null for the defaults.</param>
        public static TBuilder WithLoRA<TBuilder>(this TBuilder builder, LoRAOptions? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new LoRAOptions());

        /// <summary>Trains a LoRA of this rank.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="rank">The rank, at least 1.</param>
        /// <param name="alpha">The addition is multiplied by alpha / rank; 0 means the rank.</param>
        public static TBuilder WithLoRA<TBuilder>(this TBuilder builder, int rank, float alpha = 1f)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithLoRA(new LoRAOptions { Rank = rank, Alpha = alpha });
    }
}
