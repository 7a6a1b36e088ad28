using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>
    /// Options of BOFT as LyCORIS has it: orthogonal blocks that follow each other with the channels exchanged in between, as in a
    /// butterfly, so that every output may depend on every other.
    /// </summary>
    public sealed record BoftOptions : LyCorisOftOptions
    {
        /// <summary>
        /// The largest size of blocks (<c>network_dim</c>): the largest even size up to it is taken of which a power of two make the
        /// outputs. Default 8.
        /// </summary>
        public int Rank { get; init; } = 8;

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (Rank < 2) yield return Problem(Rank, "blocks must have at least 2 channels", "8 to 32 is customary");
        }

        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new ButterflyAdapter(layer, this);

        /// <inheritdoc/>
        public override AdapterDescription Describe() => Describe("boft", Rank);

        internal override OrthogonalBlocks Divide(AdaptedLayer layer) =>
            Factorization.EvenBlocks(layer.Shape.OutFeatures, Rank) is var (size, count)
                ? new OrthogonalBlocks(count, size, StagesOf(count))
                : throw Indivisible(layer, nameof(Rank), Rank,
                    $"no even size up to it divides {layer.Shape.OutFeatures} outputs into a power of two of blocks");

        /// <summary>How many transforms so many blocks need: log₂ + 1.</summary>
        internal static long StagesOf(long blocks) => (long)Math.Log2(blocks) + 1;
    }

    /// <summary>Block-diagonal rotations that follow each other, with the channels exchanged in between.</summary>
    /// <remarks>Liu et al., BOFT, arXiv:2311.06243; as in LyCORIS.</remarks>
    internal sealed class ButterflyAdapter(AdaptedLayer layer, BoftOptions options)
        : OrthogonalAdapter(nameof(ButterflyAdapter), layer, options)
    {
        private protected override Tensor Turn(Tensor rows, Tensor skew, float multiplier)
        {
            using var scope = NewDisposeScope();
            var (batch, width, positions) = (rows.shape[0], rows.shape[1], rows.shape[2]);
            var rotations = CayleyRotation.Change(skew).to(rows.dtype) * multiplier;
            var turned = rows;
            for (var stage = 0L; stage < Blocks.Stages; stage++)
            {
                // A block holds halves of two neighbouring runs of 2^stage half-blocks.
                var run = (1L << (int)stage) * Blocks.Size / 2;
                var exchanged = turned.reshape(batch, width / (2 * run), 2, run, positions).transpose(2, 3)
                    .reshape(batch, Blocks.Count, Blocks.Size, positions);
                exchanged = exchanged + rotations.select(0L, stage).matmul(exchanged);
                turned = exchanged.reshape(batch, width / (2 * run), run, 2, positions).transpose(2, 3).reshape(rows.shape);
            }

            return (turned - rows).MoveToOuterDisposeScope();
        }
    }
}

namespace StableTune
{
    /// <summary>Adds BOFT to any builder that has a place for adapters.</summary>
    public static class BoftExtensions
    {
        /// <summary>Trains a BOFT.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">The options; null for the defaults.</param>
        public static TBuilder WithBoft<TBuilder>(this TBuilder builder, BoftOptions? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new BoftOptions());

        /// <summary>Trains a BOFT: <c>WithBoft(o => o with { Rank = 16 })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithBoft<TBuilder>(this TBuilder builder, Func<BoftOptions, BoftOptions> change)
            where TBuilder : IAdapterSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithBoft(change(new BoftOptions()));
        }
    }
}
