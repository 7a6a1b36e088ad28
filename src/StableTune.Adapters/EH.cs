using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>Options of EH, sd-trainer's experiment: one small matrix for each linear layer, shared by all groups of channels.</summary>
    public sealed record EHOptions : AdapterOptions
    {
        /// <summary>Adapts the linear layers of the UNet's transformers.</summary>
        public EHOptions() => Parts = AdapterParts.UNet;

        /// <summary>Groups that inputs and outputs are divided into (<c>num_groups</c>). Default 4.</summary>
        public int Groups { get; init; } = 4;

        /// <inheritdoc/>
        public override string KeyPrefix => "EH";

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (Groups < 1) yield return Problem(Groups, "there must be at least 1 group", "4 is customary");
        }

        /// <inheritdoc/>
        public override bool Takes(AdaptedLayer layer)
        {
            ArgumentNullException.ThrowIfNull(layer);
            return layer.Shape is LinearShape;
        }

        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random)
        {
            ArgumentNullException.ThrowIfNull(layer);
            return layer.Shape.InFeatures % Groups == 0 && layer.Shape.OutFeatures % Groups == 0 ? new EHAdapter(layer, Groups)
                : throw new InvalidOptionsException([new($"{nameof(EHOptions)}.{nameof(Groups)}", Groups,
                    $"the channels of {layer} do not divide into so many groups", "choose another number, or leave the layer out")]);
        }
    }

    /// <summary>ΔW is block-diagonal with the same block E, [out / groups, in / groups], in each group. Starts at E = 0.</summary>
    internal sealed class EHAdapter : NetworkAdapter
    {
        private readonly LoRAFactor _linear;
        private readonly int _groups;

        public EHAdapter(AdaptedLayer layer, int groups) : base(nameof(EHAdapter), layer)
        {
            using var scope = NewDisposeScope();
            _groups = groups;
            _linear = new LoRAFactor(Trainable(zeros(layer.Shape.OutFeatures / groups, layer.Shape.InFeatures / groups)));
            register_module("linear", _linear);
        }

        protected override Tensor Term(Tensor input)
        {
            using var scope = NewDisposeScope();
            var groups = input.reshape([.. input.shape[..^1], _groups, _linear.weight.shape[1]]);
            return Products.Linear(groups, _linear.weight).flatten(-2).MoveToOuterDisposeScope();
        }

        public override Tensor DeltaWeight(Tensor weight)
        {
            using var scope = NewDisposeScope();
            return block_diag([.. Enumerable.Repeat<Tensor>(_linear.weight, _groups)]).MoveToOuterDisposeScope();
        }
    }

    /// <summary>EH in files, as sd-trainer writes it.</summary>
    internal sealed record EHFormat() : AdapterFormat("EH", ["linear.weight"], [])
    {
        public override string KeyPrefix => "EH";

        public override AdapterOptions OptionsFor(AdapterModule module) => module["linear.weight"].Shape is [> 0, > 0]
            ? new EHFileOptions(module["linear.weight"].Shape[1])
            : throw module.Fault($"has a matrix of a strange shape: {module["linear.weight"]}",
                "It must be [out / groups, in / groups]: save the file again.");

        /// <summary>The number of groups follows from the layer's width and the matrix' in the file.</summary>
        private sealed record EHFileOptions(long Columns) : AdapterOptions
        {
            public override string KeyPrefix => "EH";

            public override NetworkAdapter Create(AdaptedLayer layer, Generator random)
            {
                var (groups, rest) = Math.DivRem(layer.Shape.InFeatures, Columns);
                // A matrix that does not fit is told so by the shape that it should have.
                return new EHAdapter(layer, rest == 0 && layer.Shape.OutFeatures % groups == 0 ? (int)groups : 1);
            }
        }
    }
}

namespace StableTune
{
    /// <summary>Adds EH to any builder that has a place for adapters.</summary>
    public static class EHExtensions
    {
        /// <summary>Trains an EH network.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">Groups and layers; null for the defaults.</param>
        public static TBuilder WithEH<TBuilder>(this TBuilder builder, EHOptions? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new EHOptions());

        /// <summary>Trains an EH network: <c>WithEH(o => o with { Groups = 8 })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithEH<TBuilder>(this TBuilder builder, Func<EHOptions, EHOptions> change)
            where TBuilder : IAdapterSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithEH(change(new EHOptions()));
        }
    }
}
