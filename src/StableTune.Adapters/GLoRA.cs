using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>Options of GLoRA: a low-rank change of the weight's inputs beside a low-rank addition, ΔW = W·A + B.</summary>
    public sealed record GLoRAOptions : FactoredAdapterOptions
    {
        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (UseTucker) yield return Problem(UseTucker, "no program trains GLoRA with Tucker's decomposition", "leave it off");
            if (WeightDecompose) yield return Problem(WeightDecompose, "no program knows GLoRA with DoRA", "leave it off");
        }

        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new GLoRAAdapter(this, layer, random);

        /// <inheritdoc/>
        public override AdapterDescription Describe() => Describe("lycoris.kohya", [new("algo", "glora")]);
    }

    /// <summary>
    /// ΔW = (alpha / rank) · (W · a₁a₂ + b₁b₂), a₁a₂ of shape [in, in], b₁b₂ as the weight. Starts at ΔW = 0, because a₂ = b₂ = 0.
    /// </summary>
    /// <remarks>Chavan et al., One-for-all: generalized LoRA, arXiv:2306.07967; names and initial values as in LyCORIS.</remarks>
    internal sealed class GLoRAAdapter : FactoredAdapter
    {
        private readonly LoRAFactor _a1, _a2, _b1, _b2;

        public GLoRAAdapter(GLoRAOptions options, AdaptedLayer layer, Generator random) : base(nameof(GLoRAAdapter), layer, options)
        {
            using var scope = NewDisposeScope();
            var shape = layer.Shape;
            long[] ones = [.. shape.WeightShape[2..].Select(_ => 1L)];
            register_module("a1", _a1 = Uniform([shape.InFeatures, Rank, .. ones]));
            register_module("a2", _a2 = Last([Rank, shape.InFeatures, .. ones]));
            register_module("b1", _b1 = Uniform([shape.OutFeatures, Rank, .. ones]));
            register_module("b2", _b2 = Last([Rank, .. shape.WeightShape[1..]]));

            LoRAFactor Uniform(long[] size) => new(Trainable(InitialValues.KaimingUniform(size, random)));
            // A scalar that starts at 0 lets all factors start at random values.
            LoRAFactor Last(long[] size) => HasScalar ? Uniform(size) : new LoRAFactor(Trainable(zeros(size)));
        }

        protected override IReadOnlyList<string> ScalarTargets { get; } = ["a2.weight", "b2.weight"];

        protected override Tensor Product(Tensor weight)
        {
            ArgumentNullException.ThrowIfNull(weight);
            using var scope = NewDisposeScope();
            // [out, in, positions] · a₁ · a₂: the small products first.
            var positions = weight.flatten(1).reshape(weight.shape[0], weight.shape[1], -1).transpose(1, 2);
            var ofInputs = positions.matmul(_a1.weight.flatten(1)).matmul(Scaled(_a2.weight).flatten(1)).transpose(1, 2);
            var added = _b1.weight.flatten(1).mm(Scaled(_b2.weight).flatten(1));
            return ((ofInputs.reshape(weight.shape) + added.reshape(weight.shape)) * Scale).MoveToOuterDisposeScope();
        }

        /// <summary>W(x + s·a₁a₂x) + s·b₁b₂x: the frozen product is taken once, of a changed input.</summary>
        protected override Tensor Forward(Tensor input, Func<Tensor, Tensor> original, Generator? random)
        {
            ArgumentNullException.ThrowIfNull(original);
            if (random is not null && (Dropout > 0 || RankDropout > 0)) return base.Forward(input, original, random);
            using var scope = NewDisposeScope();
            var strength = Scale * Multiplier;
            var output = original(input + InputChange(input) * strength);
            return Accumulate(output, Layer.Shape.Apply(input, Scaled(_b2.weight)), _b1.weight, strength).MoveToOuterDisposeScope();
        }

        protected override Tensor Term(Tensor input, Generator? random)
        {
            using var scope = NewDisposeScope();
            var added = Layer.Shape.Apply(input, Scaled(_b2.weight));
            var term = Layer.Shape.Apply(InputChange(input), Layer.Values()) + Expanded(added, _b1.weight.to(input.dtype));
            return DropOutputs(term * Scale, random).MoveToOuterDisposeScope();
        }

        /// <summary>a₁a₂x, which is made of the channels of each position alone.</summary>
        private Tensor InputChange(Tensor input) => Expanded(Expanded(input, Scaled(_a2.weight)), _a1.weight);

        /// <summary>ΔW is a sum of two products, each of two factors that are trained.</summary>
        private protected override void Weaken(double ratio)
        {
            foreach (var factor in new[] { _a1, _a2, _b1, _b2 }) factor.weight.mul_(Math.Sqrt(ratio));
        }
    }

    /// <summary>GLoRA in files, as LyCORIS writes it.</summary>
    internal sealed record GLoRAFormat() : AdapterFormat("GLoRA", ["a1.weight", "a2.weight", "b1.weight", "b2.weight"], ["alpha"])
    {
        public override AdapterOptions OptionsFor(AdapterModule module)
        {
            var (a1, a2) = (module["a1.weight"].Shape, module["a2.weight"].Shape);
            var (b1, b2) = (module["b1.weight"].Shape, module["b2.weight"].Shape);
            var dimensions = a1.Count;
            if (dimensions is not (2 or 4) || new[] { a2, b1, b2 }.Any(shape => shape.Count != dimensions) || a2[0] < 1
                || a1[1] != a2[0] || b1[1] != a2[0] || b2[0] != a2[0] || a1[0] != a2[1])
                throw module.Fault($"has factors that do not fit each other: {string.Join(", ", module.Tensors.Values)}",
                    "a1 must be [in, rank], a2 [rank, in], b1 [out, rank] and b2 [rank, in], all of one rank: save the file again.");
            return new GLoRAOptions { Rank = (int)a2[0], Alpha = module.Alpha ?? a2[0] };
        }
    }
}

namespace StableTune
{
    /// <summary>Adds GLoRA to any builder that has a place for adapters.</summary>
    public static class GLoRAExtensions
    {
        /// <summary>Trains a GLoRA.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">Rank, alpha, parts, layers, dropouts; null for the defaults.</param>
        public static TBuilder WithGLoRA<TBuilder>(this TBuilder builder, GLoRAOptions? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new GLoRAOptions());

        /// <summary>Trains a GLoRA: <c>WithGLoRA(o => o with { Rank = 8 })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithGLoRA<TBuilder>(this TBuilder builder, Func<GLoRAOptions, GLoRAOptions> change)
            where TBuilder : IAdapterSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithGLoRA(change(new GLoRAOptions()));
        }
    }
}
