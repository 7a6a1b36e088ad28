using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>
    /// Options of LoKr: ΔW is the Kronecker product of a small and a larger matrix, of which the larger may be a low-rank product.
    /// </summary>
    public sealed record LoKrOptions : FactoredAdapterOptions
    {
        /// <summary>
        /// One of the two numbers into which inputs and outputs are split, or the largest for the smaller of them where it does not divide
        /// (<c>factor</c>). -1, the default, for those nearest to the square root, which make the smallest file.
        /// </summary>
        public int Factor { get; init; } = -1;

        /// <summary>Whether the smaller matrix may be a low-rank product too (<c>decompose_both</c>). Default false.</summary>
        public bool DecomposeBoth { get; init; }

        /// <summary>Whether both matrices are trained as they are, without a rank (<c>full_matrix</c>). Default false.</summary>
        public bool FullMatrix { get; init; }

        /// <summary>
        /// Whether the larger of the numbers that outputs are split into belongs to the smaller matrix (<c>unbalanced_factorization</c>).
        /// Default false.
        /// </summary>
        public bool Unbalanced { get; init; }

        /// <summary>What a file says of the factors; null to follow the options.</summary>
        internal LoKrForm? Form { get; init; }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (Factor is < 1 and not -1)
                yield return Problem(Factor, "the factor must be at least 1, or -1",
                    "-1 splits near the square root, 4 to 16 is customary");
        }

        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new LoKrAdapter(this, layer, random);

        /// <inheritdoc/>
        public override AdapterDescription Describe()
        {
            var arguments = new List<KeyValuePair<string, object?>> { new("algo", "lokr"), new("factor", PythonRepr.Of(Factor)) };
            if (DecomposeBoth) arguments.Add(new("decompose_both", "True"));
            if (FullMatrix) arguments.Add(new("full_matrix", "True"));
            if (Unbalanced) arguments.Add(new("unbalanced_factorization", "True"));
            return Describe("lycoris.kohya", arguments);
        }

        /// <summary>How the product of a layer is split.</summary>
        internal LoKrForm FormFor(AdaptedLayer layer)
        {
            var (outputs, inputs) = (layer.Shape.OutFeatures, layer.Shape.InFeatures);
            if (Form is { } form && outputs % form.Rows == 0 && inputs % form.Columns == 0) return form;
            var (rows, larger) = Factorization.Of(outputs, Factor);
            if (Unbalanced) (rows, larger) = (larger, rows);
            var (columns, largerColumns) = Factorization.Of(inputs, Factor);
            // A file whose factors do not multiply to the layer is told so by the shapes that it should have.
            if (Form is { } given) return given with { Rows = rows, Columns = columns };
            var rank = RankFor(layer);
            return new LoKrForm(rows, columns,
                IsFirstFull: FullMatrix || !DecomposeBoth || 2 * rank >= Math.Max(rows, columns),
                IsSecondFull: FullMatrix || 2 * rank >= Math.Max(larger, largerColumns),
                IsTucker: UseTucker);
        }

        internal override bool IsUnscaled(AdaptedLayer layer) => FormFor(layer) is { IsFirstFull: true, IsSecondFull: true };
    }

    /// <summary>How a Kronecker product is split.</summary>
    /// <param name="Rows">Rows of the first matrix; times those of the second they are the layer's outputs.</param>
    /// <param name="Columns">Columns of the first matrix; times those of the second they are the layer's inputs.</param>
    /// <param name="IsFirstFull">Whether the first matrix is no low-rank product.</param>
    /// <param name="IsSecondFull">Whether the second is none.</param>
    /// <param name="IsTucker">Whether the second is decomposed over its kernel too.</param>
    internal sealed record LoKrForm(long Rows, long Columns, bool IsFirstFull, bool IsSecondFull, bool IsTucker);

    /// <summary>
    /// ΔW = scale · W₁ ⊗ W₂: each element of W₁, [a, c], times the whole of W₂, [b, d] or [b, d, kh, kw], where out = a·b and in = c·d.
    /// Scale is 1 where both are full. Starts at ΔW = 0, because W₂ (or its second factor) is 0.
    /// </summary>
    /// <remarks>
    /// Edalati et al., KronA, arXiv:2212.10650; Yeh et al., arXiv:2309.14859; names and initial values as in LyCORIS, which merges with the
    /// scale squared: not here.
    /// </remarks>
    internal sealed class LoKrAdapter : FactoredAdapter
    {
        private readonly Parameter? lokr_w1, lokr_w1_a, lokr_w1_b, lokr_w2, lokr_w2_a, lokr_w2_b, lokr_t2;     // the keys in files
        private readonly LoKrForm _form;

        public LoKrAdapter(LoKrOptions options, AdaptedLayer layer, Generator random) : base(nameof(LoKrAdapter), layer, options)
        {
            using var scope = NewDisposeScope();
            _form = options.FormFor(layer);
            var kernel = layer.Shape.WeightShape[2..];
            var (a, c) = (_form.Rows, _form.Columns);
            var (b, d) = (layer.Shape.OutFeatures / a, layer.Shape.InFeatures / c);
            if (_form.IsFirstFull) lokr_w1 = Uniform(a, c);
            else (lokr_w1_a, lokr_w1_b) = (Uniform(a, Rank), Uniform(Rank, c));
            if (_form.IsSecondFull)
            {
                lokr_w2 = Last([b, d, .. kernel]);
            }
            else if (_form.IsTucker && layer.IsWindowed)
            {
                (lokr_t2, lokr_w2_a) = (Uniform([Rank, Rank, .. kernel]), Uniform(Rank, b));
                lokr_w2_b = Last([Rank, d]);
            }
            else
            {
                lokr_w2_a = Uniform(b, Rank);
                lokr_w2_b = Last([Rank, kernel.Aggregate(d, (product, n) => product * n)]);
            }

            ScalarTargets = [_form.IsFirstFull ? nameof(lokr_w1) : nameof(lokr_w1_a)];
            RegisterComponents();
            Decompose();

            Parameter Uniform(params long[] size) => Trainable(InitialValues.KaimingUniform(size, random));
            // A scalar that starts at 0 lets all factors start at random values.
            Parameter Last(long[] size) => HasScalar ? Uniform(size) : Trainable(zeros(size));
        }

        protected override IReadOnlyList<string> ScalarTargets { get; }

        protected override bool DecomposesOutputs => false;

        protected override Tensor Product(Tensor weight)
        {
            using var scope = NewDisposeScope();
            var (first, second) = Scaled();
            long[] ones = [.. second.shape[2..].Select(_ => 1L)];
            var product = first.reshape([_form.Rows, 1, _form.Columns, 1, .. ones]) * second.unsqueeze(1).unsqueeze(0L);
            return product.reshape(Layer.Shape.WeightShape).MoveToOuterDisposeScope();
        }

        /// <summary>(W₁ ⊗ W₂) x = W₁ X W₂ᵀ with x laid out as X, [c, d]: nothing as large as the weight is made.</summary>
        protected override Tensor Term(Tensor input, Generator? random)
        {
            using var scope = NewDisposeScope();
            var (first, second) = Scaled();
            first = first.to(input.dtype);
            var term = Layer.Shape is LinearShape ? OverTokens(input, first, second) : OverPixels(input, first, second);
            return DropOutputs(term, random).MoveToOuterDisposeScope();
        }

        private Tensor OverTokens(Tensor input, Tensor first, Tensor second)
        {
            var x = input.reshape(-1, _form.Columns, second.shape[1]);
            var y = StartsWithSecond(second) ? first.matmul(Products.Linear(x, second)) : Products.Linear(first.matmul(x), second);
            return y.reshape([.. input.shape[..^1], Layer.Shape.OutFeatures]);
        }

        /// <summary>The second matrix is a convolution of each of the c groups of channels, and the first mixes the groups.</summary>
        private Tensor OverPixels(Tensor input, Tensor first, Tensor second)
        {
            var (batch, height, width) = (input.shape[0], input.shape[2], input.shape[3]);
            Tensor y;
            if (StartsWithSecond(second))
            {
                var convolved = Layer.Shape.Apply(input.reshape(-1, second.shape[1], height, width), second);
                (height, width) = (convolved.shape[2], convolved.shape[3]);
                y = first.matmul(convolved.reshape(batch, _form.Columns, -1));
            }
            else
            {
                var mixed = first.matmul(input.reshape(batch, _form.Columns, -1));
                y = Layer.Shape.Apply(mixed.reshape(-1, second.shape[1], height, width), second);
                (height, width) = (y.shape[2], y.shape[3]);
            }

            return y.reshape(batch, Layer.Shape.OutFeatures, height, width);
        }

        /// <summary>Whether W₁ (X W₂ᵀ) takes fewer multiplications than (W₁ X) W₂ᵀ.</summary>
        private bool StartsWithSecond(Tensor second)
        {
            var (outputs, inputs) = (second.shape[0], second.shape[1]);
            var (rows, columns) = (_form.Rows, _form.Columns);
            return columns * (second.numel() + rows * outputs) <= rows * (second.numel() + columns * inputs);
        }

        /// <summary>W₁ and W₂, of which the smaller holds the scale.</summary>
        private (Tensor First, Tensor Second) Scaled()
        {
            var first = lokr_w1 is null ? Scaled(lokr_w1_a!).mm(lokr_w1_b!) : Scaled(lokr_w1);
            var second = lokr_w2 ?? (lokr_t2 is null ? LowRank() : einsum("p q h w, p o, q i -> o i h w", lokr_t2, lokr_w2_a!, lokr_w2_b!));
            if (Scale == 1) return (first, second);
            return first.numel() <= second.numel() ? (first * Scale, second) : (first, second * Scale);
        }

        private Tensor LowRank() => lokr_w2_a!.mm(lokr_w2_b!)
            .reshape([lokr_w2_a!.shape[0], Layer.Shape.InFeatures / _form.Columns, .. Layer.Shape.WeightShape[2..]]);
    }

    /// <summary>LoKr in files, as LyCORIS writes it: each of the two matrices as it is or as two factors.</summary>
    internal sealed record LoKrFormat() : AdapterFormat("LoKr", [],
        ["lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2", "alpha", "dora_scale"])
    {
        public override bool Recognizes(IReadOnlyCollection<string> names)
        {
            ArgumentNullException.ThrowIfNull(names);
            return names.Any(name => name.StartsWith("lokr_", StringComparison.Ordinal)) && names.All(IsKnown);
        }

        public override AdapterOptions OptionsFor(AdapterModule module)
        {
            var isFirstFull = module.Tensors.ContainsKey("lokr_w1");
            var isSecondFull = module.Tensors.ContainsKey("lokr_w2");
            var isTucker = module.Tensors.ContainsKey("lokr_t2");
            var first = module[isFirstFull ? "lokr_w1" : "lokr_w1_a"].Shape;
            var columns = isFirstFull ? first : module["lokr_w1_b"].Shape;
            var second = module[isSecondFull ? "lokr_w2" : "lokr_w2_b"].Shape;
            var alpha = module.Alpha;
            // Without low-rank factors the rank is told by nothing but alpha, which then does not count.
            long rank = !isFirstFull ? first.Count == 2 ? first[1] : 0 : !isSecondFull ? second[0]
                : alpha is >= 1 and <= int.MaxValue / 2 ? (long)alpha : 1;
            var fits = rank > 0 && first.Count == 2 && columns.Count == 2 && first.Concat(columns).All(size => size > 0)
                && (isFirstFull || columns[0] == rank)
                && (isSecondFull ? second.Count is 2 or 4 && !isTucker
                    : second.Count == 2 && second[0] == rank && module["lokr_w2_a"].Shape is { Count: 2 } a && a[isTucker ? 0 : 1] == rank)
                && (!isTucker || (module["lokr_t2"].Shape is { Count: 4 } core && core[0] == rank && core[1] == rank));
            if (!fits)
                throw module.Fault($"has factors that do not fit each other: {string.Join(", ", module.Tensors.Values)}",
                    "lokr_w1 must be [a, c], or lokr_w1_a [a, rank] and lokr_w1_b [rank, c]; lokr_w2 [b, d] or [b, d, height, width], or " +
                    "lokr_w2_a [b, rank] and lokr_w2_b [rank, d], with lokr_t2 [rank, rank, height, width] lokr_w2_a is [rank, b]: " +
                    "save the file again.");
            return new LoKrOptions
            {
                Rank = (int)rank, Alpha = alpha ?? rank, UseTucker = isTucker,
                WeightDecompose = module.Tensors.ContainsKey("dora_scale"), DecomposeOutputs = module.DecomposesOutputs,
                Form = new LoKrForm(first[0], columns[1], isFirstFull, isSecondFull, isTucker),
            };
        }
    }
}

namespace StableTune
{
    /// <summary>Adds LoKr to any builder that has a place for adapters.</summary>
    public static class LoKrExtensions
    {
        /// <summary>Trains a LoKr.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">Factor, rank, alpha, parts, layers, dropouts; null for the defaults.</param>
        public static TBuilder WithLoKr<TBuilder>(this TBuilder builder, LoKrOptions? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new LoKrOptions());

        /// <summary>Trains a LoKr: <c>WithLoKr(o => o with { Factor = 8, FullMatrix = true })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithLoKr<TBuilder>(this TBuilder builder, Func<LoKrOptions, LoKrOptions> change)
            where TBuilder : IAdapterSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithLoKr(change(new LoKrOptions()));
        }
    }
}
