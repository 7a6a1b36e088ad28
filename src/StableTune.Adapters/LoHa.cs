using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>Options of LoHa: a product, element by element, of two low-rank matrices, which reaches the square of the rank.</summary>
    public sealed record LoHaOptions : FactoredAdapterOptions
    {
        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new LoHaAdapter(this, layer, random);

        /// <inheritdoc/>
        public override AdapterDescription Describe() => Describe("lycoris.kohya", [new("algo", "loha")]);
    }

    /// <summary>ΔW = (alpha / rank) · W₁ ⊙ W₂, each Wᵢ = AᵢBᵢ, or Tᵢ ×₁ Aᵢ ×₂ Bᵢ with Tucker. Starts at ΔW = 0, because A₂ = 0.</summary>
    /// <remarks>
    /// Hyeon-Woo et al., FedPara, arXiv:2108.06098; names and initial values as in LyCORIS, which merges with the scale squared: not here.
    /// </remarks>
    internal sealed class LoHaAdapter : FactoredAdapter
    {
        private readonly Parameter hada_w1_a, hada_w1_b, hada_w2_a, hada_w2_b;                     // the keys in files
        private readonly Parameter? hada_t1, hada_t2;

        public LoHaAdapter(LoHaOptions options, AdaptedLayer layer, Generator random) : base(nameof(LoHaAdapter), layer, options)
        {
            using var scope = NewDisposeScope();
            var shape = layer.Shape;
            var kernel = options.UseTucker && layer.IsWindowed ? shape.WeightShape[2..] : null;
            var columns = kernel is null ? shape.WeightShape[1..].Aggregate(1L, (product, n) => product * n) : shape.InFeatures;
            long[] a = kernel is null ? [shape.OutFeatures, Rank] : [Rank, shape.OutFeatures], b = [Rank, columns];
            if (kernel is not null) (hada_t1, hada_t2) = (Normal([Rank, Rank, .. kernel], 0.1), Normal([Rank, Rank, .. kernel], 0.1));
            (hada_w1_b, hada_w1_a) = (Normal(b, 1), Normal(a, 0.1));
            (hada_w2_b, hada_w2_a) = (Normal(b, 1), HasScalar ? Normal(a, 0.1) : Trainable(zeros(a)));
            RegisterComponents();
            Decompose();

            Parameter Normal(long[] size, double deviation) => Trainable(InitialValues.Normal(size, deviation, random));
        }

        /// <summary>Whether ΔW is a product of two matrices of rank² that are smaller than ΔW itself.</summary>
        private bool IsLean => hada_t1 is null
            && (double)Rank * Rank * (hada_w1_a.shape[0] + hada_w1_b.shape[1]) < (double)hada_w1_a.shape[0] * hada_w1_b.shape[1];

        protected override IReadOnlyList<string> ScalarTargets { get; } = ["hada_w1_a"];

        protected override bool DecomposesOutputs => false;

        protected override Tensor Product(Tensor weight)
        {
            using var scope = NewDisposeScope();
            // Both products are as large as the weight: they are made again in the backward pass instead of being kept.
            Tensor[] cores = hada_t1 is null ? [] : [hada_t1, hada_t2!];
            Tensor[] factors = [Scaled(hada_w1_a), hada_w1_b, hada_w2_a, hada_w2_b, .. cores];
            return ActivationCheckpoint.RunDeterministic(Hadamard, factors).reshape(Layer.Shape.WeightShape).MoveToOuterDisposeScope();
        }

        protected override Tensor Forward(Tensor input, Func<Tensor, Tensor> original, Generator? random)
        {
            if (!IsLean || (random is not null && Dropout > 0)) return base.Forward(input, original, random);
            using var scope = NewDisposeScope();
            var (down, up) = LeanFactors();
            if (OutputMask(random) is { } mask) up = up * mask.unsqueeze(1);
            return Accumulate(original(input), Layer.Shape.Apply(input, down), up, Scale * Multiplier).MoveToOuterDisposeScope();
        }

        protected override Tensor Term(Tensor input, Generator? random)
        {
            using var scope = NewDisposeScope();
            return DropOutputs(Layer.Shape.Apply(input, Product(Layer.Values())), random).MoveToOuterDisposeScope();
        }

        /// <summary>
        /// (A₁B₁ ⊙ A₂B₂) = up · down, where up holds the products of each column of A₁ with each of A₂, [out, r²], and down those of the
        /// rows of B₁ and B₂, [r², in] or [r², in, kh, kw]: nothing as large as the weight is made.
        /// </summary>
        private (Tensor Down, Tensor Up) LeanFactors()
        {
            var up = (Scaled(hada_w1_a).unsqueeze(2) * hada_w2_a.unsqueeze(1)).flatten(1);
            var down = hada_w1_b.unsqueeze(1) * hada_w2_b.unsqueeze(0L);
            return (down.reshape([(long)Rank * Rank, .. Layer.Shape.WeightShape[1..]]), up);
        }

        private Tensor Hadamard(Tensor[] f)
        {
            using var scope = NewDisposeScope();
            var (first, second) = f.Length == 4 ? (f[0].mm(f[1]), f[2].mm(f[3])) : (Tucker(f[4], f[0], f[1]), Tucker(f[5], f[2], f[3]));
            return (first * second * Scale).MoveToOuterDisposeScope();
        }

        /// <summary>[r, r, kh, kw] with its first dimension turned into out, its second into in.</summary>
        private static Tensor Tucker(Tensor core, Tensor a, Tensor b) => einsum("p q h w, p o, q i -> o i h w", core, a, b);
    }

    /// <summary>LoHa in files, as LyCORIS writes it.</summary>
    internal sealed record LoHaFormat()
        : AdapterFormat("LoHa", ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"], ["hada_t1", "hada_t2", "alpha", "dora_scale"])
    {
        public override AdapterOptions OptionsFor(AdapterModule module)
        {
            var useTucker = module.Tensors.ContainsKey("hada_t1") || module.Tensors.ContainsKey("hada_t2");
            foreach (var (a, b, core) in new[] { ("hada_w1_a", "hada_w1_b", "hada_t1"), ("hada_w2_a", "hada_w2_b", "hada_t2") })
            {
                var (left, right) = (module[a].Shape, module[b].Shape);
                var fits = left is { Count: 2 } && right is { Count: 2 } && right[0] > 0 && left[useTucker ? 0 : 1] == right[0]
                    && right[0] == module["hada_w1_b"].Shape[0];
                if (useTucker) fits = fits && module[core].Shape is { Count: 4 } shape && shape[0] == right[0] && shape[1] == right[0];
                if (!fits)
                    throw module.Fault($"has factors that do not fit each other: {string.Join(", ", module.Tensors.Values)}",
                        "hada_w1_a and hada_w2_a must be [out, rank] and hada_w1_b and hada_w2_b [rank, in]; with hada_t1 and hada_t2, " +
                        "which are [rank, rank, height, width], the former are [rank, out]: save the file again.");
            }

            var rank = (int)module["hada_w1_b"].Shape[0];
            return new LoHaOptions
            {
                Rank = rank, Alpha = module.Alpha ?? rank, UseTucker = useTucker,
                WeightDecompose = module.Tensors.ContainsKey("dora_scale"), DecomposeOutputs = module.DecomposesOutputs,
            };
        }
    }
}

namespace StableTune
{
    /// <summary>Adds LoHa to any builder that has a place for adapters.</summary>
    public static class LoHaExtensions
    {
        /// <summary>Trains a LoHa.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">Rank, alpha, parts, layers, dropouts; null for the defaults.</param>
        public static TBuilder WithLoHa<TBuilder>(this TBuilder builder, LoHaOptions? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new LoHaOptions());

        /// <summary>Trains a LoHa: <c>WithLoHa(o => o with { Rank = 8, UseTucker = true })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithLoHa<TBuilder>(this TBuilder builder, Func<LoHaOptions, LoHaOptions> change)
            where TBuilder : IAdapterSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithLoHa(change(new LoHaOptions()));
        }

        /// <summary>Trains a LoHa of this rank.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="rank">The rank of each factor, at least 1.</param>
        /// <param name="alpha">The addition is multiplied by alpha / rank; 0 means the rank.</param>
        public static TBuilder WithLoHa<TBuilder>(this TBuilder builder, int rank, float alpha = 1f)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithLoHa(new LoHaOptions { Rank = rank, Alpha = alpha });
    }
}
