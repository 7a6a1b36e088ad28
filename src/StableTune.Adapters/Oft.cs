using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>Options of OFT as sd-scripts' <c>networks.oft</c> has it: orthogonal blocks in the UNet's attentions.</summary>
    public sealed record OftOptions : OrthogonalAdapterOptions
    {
        /// <summary>Adapts the linear layers of the UNet's attentions.</summary>
        public OftOptions()
        {
            Parts = AdapterParts.UNet;
            Layers = LayerSelection.SdScripts with { UNetClasses = ["Attention", "CrossAttention"] };
        }

        /// <summary>The number of blocks that the outputs of each layer are divided into (<c>network_dim</c>). Default 4.</summary>
        public int Blocks { get; init; } = 4;

        /// <summary>
        /// How far outputs may be turned: the largest norm of all blocks' changes, divided by the number of outputs
        /// (<c>network_alpha</c>). Default 1e-3; 1e-4 to 1e-2 is customary.
        /// </summary>
        public float Constraint { get; init; } = 1e-3f;

        /// <inheritdoc/>
        public override string KeyPrefix => "oft";

        internal override double Limit => Constraint;

        internal override bool ZeroIsUnlimited => false;

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (Blocks < 1) yield return Problem(Blocks, "there must be at least 1 block", "2 to 8 is customary");
            if (!(Constraint > 0 && float.IsFinite(Constraint)))
                yield return Problem(Constraint, "the constraint must be above 0", "1e-4 to 1e-2 is customary");
            if (Parts != AdapterParts.UNet)
                yield return Problem(Parts, "files of this kind hold the UNet alone", "choose UNet, or DiagOftOptions");
        }

        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new BlockRotationAdapter(layer, this);

        /// <inheritdoc/>
        public override AdapterDescription Describe() => new("networks.oft", Blocks, Constraint);

        internal override OrthogonalBlocks Divide(AdaptedLayer layer) => layer.Shape.OutFeatures % Blocks == 0
            ? new OrthogonalBlocks(Blocks, layer.Shape.OutFeatures / Blocks)
            : throw Indivisible(layer, nameof(Blocks), Blocks, $"{layer.Shape.OutFeatures} outputs do not divide into so many blocks");
    }

    /// <summary>OFT in files of sd-scripts.</summary>
    internal sealed record OftFormat() : AdapterFormat("OFT", ["oft_blocks", "alpha"], [])
    {
        public override string KeyPrefix => "oft";

        public override AdapterOptions OptionsFor(AdapterModule module) =>
            module["oft_blocks"].Shape is [> 0 and var count, > 0 and var size, var columns] && columns == size
            ? new OftOptions { Blocks = (int)count, Constraint = module.Alpha!.Value, Form = new OrthogonalBlocks(count, size) }
            : throw module.Fault($"has blocks of a strange shape: {module["oft_blocks"]}",
                "They must be [blocks, size, size]: save the file again.");
    }
}

namespace StableTune
{
    /// <summary>Adds sd-scripts' OFT to any builder that has a place for adapters.</summary>
    public static class OftExtensions
    {
        /// <summary>Trains an OFT as sd-scripts does.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">Blocks, constraint, layers; null for the defaults.</param>
        public static TBuilder WithOft<TBuilder>(this TBuilder builder, OftOptions? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new OftOptions());

        /// <summary>Trains an OFT as sd-scripts does: <c>WithOft(o => o with { Constraint = 1e-2f })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithOft<TBuilder>(this TBuilder builder, Func<OftOptions, OftOptions> change)
            where TBuilder : IAdapterSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithOft(change(new OftOptions()));
        }
    }
}
