using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>Options of diag-OFT as LyCORIS has it: small orthogonal blocks in any layer.</summary>
    public sealed record DiagOftOptions : LyCorisOftOptions
    {
        /// <summary>
        /// The size of blocks, or their number where that is smaller (<c>network_dim</c>); where it does not divide the outputs, the
        /// nearest below it that does, as LyCORIS has it. Default 4.
        /// </summary>
        public int Rank { get; init; } = 4;

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (Rank < 1) yield return Problem(Rank, "blocks must have at least 1 channel", "4 to 16 is customary");
        }

        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new BlockRotationAdapter(layer, this);

        /// <inheritdoc/>
        public override AdapterDescription Describe() => Describe("diag-oft", Rank);

        internal override OrthogonalBlocks Divide(AdaptedLayer layer)
        {
            var (size, count) = Factorization.Of(layer.Shape.OutFeatures, Rank);
            return new OrthogonalBlocks(count, size);
        }
    }

    /// <summary>Diag-OFT and BOFT in files of LyCORIS, which are told by the dimensions of their blocks.</summary>
    internal sealed record LycorisOftFormat() : AdapterFormat("OFT (LyCORIS)", ["oft_blocks"], ["rescale", "alpha"])
    {
        public override AdapterOptions OptionsFor(AdapterModule module)
        {
            var hasRescale = module.Tensors.ContainsKey("rescale");
            var constraint = module.Alpha ?? 0;
            return module["oft_blocks"].Shape switch
            {
                [> 0 and var count, > 0 and var size, var columns] when columns == size => new DiagOftOptions
                {
                    Rank = (int)size, Constraint = constraint, Rescaled = hasRescale, Form = new OrthogonalBlocks(count, size),
                },
                [> 0 and var stages, > 0 and var count, > 0 and var size, var columns] when columns == size
                    && BoftOptions.StagesOf(count) == stages && size % 2 == 0 => new BoftOptions
                    {
                        Rank = (int)size, Constraint = constraint, Rescaled = hasRescale,
                        Form = new OrthogonalBlocks(count, size, stages),
                    },
                _ => throw module.Fault($"has blocks of a strange shape: {module["oft_blocks"]}",
                    "They must be [blocks, size, size], or [log2(blocks) + 1, blocks, size, size] of an even size: save the file again."),
            };
        }
    }
}

namespace StableTune
{
    /// <summary>Adds diag-OFT to any builder that has a place for adapters.</summary>
    public static class DiagOftExtensions
    {
        /// <summary>Trains a diag-OFT.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">The options; null for the defaults.</param>
        public static TBuilder WithDiagOft<TBuilder>(this TBuilder builder, DiagOftOptions? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new DiagOftOptions());

        /// <summary>Trains a diag-OFT: <c>WithDiagOft(o => o with { Rank = 8, Rescaled = true })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithDiagOft<TBuilder>(this TBuilder builder, Func<DiagOftOptions, DiagOftOptions> change)
            where TBuilder : IAdapterSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithDiagOft(change(new DiagOftOptions()));
        }
    }
}
