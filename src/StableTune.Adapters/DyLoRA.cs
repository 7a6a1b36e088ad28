using StableTune.Adapters;

namespace StableTune.Adapters
{
    /// <summary>
    /// Options of DyLoRA: a LoRA of which each step trains one unit of ranks, drawn at random, so that any smaller rank works too.
    /// </summary>
    public sealed record DyLoRAOptions : FactoredAdapterOptions
    {
        /// <summary>Ranks that are trained together; ranks must be divisible by it (<c>unit</c>, <c>block_size</c>). Default 1.</summary>
        public int Unit { get; init; } = 1;

        /// <summary>
        /// Whether all ranks take part in each step and alpha / rank · √(rank / drawn rank) scales them, as in sd-scripts'
        /// <c>networks.dylora</c>. Default false: only ranks up to the drawn unit take part, scaled by alpha · unit / drawn rank, as in the
        /// paper and in LyCORIS.
        /// </summary>
        public bool AsSdScripts { get; init; }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            const string off = "leave it off";
            if (Unit < 1) yield return Problem(Unit, "there must be at least 1 rank in a unit", "1 to 4 is customary");
            else if (Rank % Unit != 0) yield return Problem(Rank, $"the rank must be divisible by the unit, {Unit}", "change one of them");
            else if (ConvRank is { } rank && rank % Unit != 0)
                yield return Problem(ConvRank, $"the rank must be divisible by the unit, {Unit}", "change one of them");
            if (RankDropout > 0) yield return Problem(RankDropout, "DyLoRA leaves out ranks by itself", "set it to 0");
            if (UseTucker) yield return Problem(UseTucker, "a core cannot be cut into ranks", off);
            if (UseScalar) yield return Problem(UseScalar, "no program trains DyLoRA with a scalar", off);
            if (WeightDecompose) yield return Problem(WeightDecompose, "magnitudes would belong to one of the ranks alone", off);
        }

        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random)
        {
            var rank = RankFor(layer);
            return rank % Unit == 0 ? new DyLoRAAdapter(this, layer, random)
                : throw new InvalidOptionsException([new($"{nameof(DyLoRAOptions)}.{nameof(Unit)}", Unit,
                    $"it does not divide {rank}, the rank of {layer}", "change the unit or the rank")]);
        }

        /// <inheritdoc/>
        public override AdapterDescription Describe() => AsSdScripts
            ? Describe("networks.dylora", [new("unit", PythonRepr.Of(Unit))])
            : Describe("lycoris.kohya", [new("algo", "dylora"), new("block_size", PythonRepr.Of(Unit))]);

        /// <summary>
        /// LyCORIS divides alpha by the number of units, its files say alpha / rank: they hold alpha · unit here, so that all readers
        /// compute what was trained.
        /// </summary>
        internal override float AlphaFactor => AsSdScripts ? 1 : Unit;
    }

    /// <summary>
    /// ΔW = scale · up · down of which a step takes the ranks up to a drawn unit, and trains that unit alone. Starts at ΔW = 0, because
    /// up = 0.
    /// </summary>
    /// <remarks>Valipour et al., DyLoRA, arXiv:2210.07558; each unit is a parameter of its own, so that no other has a gradient.</remarks>
    internal sealed class DyLoRAAdapter : FactoredAdapter
    {
        private readonly int _unit;
        private readonly bool _takesAll;
        private readonly Parameter[] _down, _up;

        public DyLoRAAdapter(DyLoRAOptions options, AdaptedLayer layer, Generator random) : base(nameof(DyLoRAAdapter), layer, options)
        {
            using var scope = NewDisposeScope();
            (_unit, _takesAll) = (options.Unit, options.AsSdScripts);
            var shape = layer.Shape.WeightShape;
            long[] ones = [.. shape[2..].Select(_ => 1L)];
            (_down, _up) = (new Parameter[Rank / _unit], new Parameter[Rank / _unit]);
            for (var i = 0; i < _down.Length; i++)
            {
                _down[i] = Trainable(InitialValues.KaimingUniform([_unit, .. shape[1..]], random));
                _up[i] = Trainable(zeros([shape[0], _unit, .. ones]));
            }

            // As LyCORIS names them; TorchSharp takes no dots in the names of parameters, so they are those of lists.
            register_module("down_list", new DyLoRAUnits(_down));
            register_module("up_list", new DyLoRAUnits(_up));
        }

        /// <summary>Draws which unit is trained: a seam, so that recorded draws can be put in its place.</summary>
        internal Func<int, Generator, int> DrawUnit { get; set; } = (count, random) =>
        {
            using var draw = randint(0, count, [1], generator: random);
            return (int)draw.to(ScalarType.Int64).item<long>();
        };

        public override bool UsesRandomness => true;

        protected override IReadOnlyList<string> ScalarTargets { get; } = [];

        public override bool IsUpFactor(string parameter)
        {
            ArgumentNullException.ThrowIfNull(parameter);
            return parameter.StartsWith("up_list.", StringComparison.Ordinal);
        }

        protected override Tensor Forward(Tensor input, Func<Tensor, Tensor> original, Generator? random)
        {
            ArgumentNullException.ThrowIfNull(original);
            using var scope = NewDisposeScope();
            var (down, up, scale) = Factors(random);
            var hidden = Hidden(input, down, random);
            return Accumulate(original(input), hidden, up, (float)(scale * Multiplier)).MoveToOuterDisposeScope();
        }

        protected override Tensor Term(Tensor input, Generator? random)
        {
            using var scope = NewDisposeScope();
            var (down, up, scale) = Factors(random);
            return (Expanded(Hidden(input, down, random), up.to(input.dtype)) * scale).MoveToOuterDisposeScope();
        }

        protected override Tensor Product(Tensor weight)
        {
            using var scope = NewDisposeScope();
            var (down, up, scale) = Factors(random: null);
            return (up.flatten(1).mm(down.flatten(1)) * scale).reshape(Layer.Shape.WeightShape).MoveToOuterDisposeScope();
        }

        /// <inheritdoc/>
        public override IReadOnlyDictionary<string, Tensor> SavedTensors()
        {
            using var frozen = no_grad();
            return new Dictionary<string, Tensor>
            {
                ["lora_down.weight"] = cat(_down, 0), ["lora_up.weight"] = cat(_up, 1), ["alpha"] = ModuleTensors.Named(this)["alpha"],
            };
        }

        public override void LoadTensors(IReadOnlyDictionary<string, Tensor> tensors)
        {
            ArgumentNullException.ThrowIfNull(tensors);
            base.LoadTensors(tensors);
            using var frozen = no_grad();
            using var scope = NewDisposeScope();
            for (var i = 0; i < _down.Length; i++)
            {
                if (tensors.TryGetValue("lora_down.weight", out var down)) _down[i].copy_(down.narrow(0, (long)i * _unit, _unit));
                if (tensors.TryGetValue("lora_up.weight", out var up)) _up[i].copy_(up.narrow(1, (long)i * _unit, _unit));
            }
        }

        private Tensor Hidden(Tensor input, Tensor down, Generator? random)
        {
            var hidden = Layer.Shape.Apply(input, down);
            return random is null || Dropout == 0 ? hidden : hidden * SampleMask(hidden.shape, Dropout, random, hidden) / (1 - Dropout);
        }

        /// <summary>The factors that take part, and their scale; without a draw all of them, as files are read.</summary>
        private (Tensor Down, Tensor Up, double Scale) Factors(Generator? random)
        {
            if (random is null) return (cat(_down, 0), cat(_up, 1), Scale);
            var drawn = DrawUnit(_down.Length, random);
            double share = (double)_down.Length / (drawn + 1);
            var units = Enumerable.Range(0, _takesAll ? _down.Length : drawn + 1);
            return (cat([.. units.Select(i => Trained(_down[i], i))], 0), cat([.. units.Select(i => Trained(_up[i], i))], 1),
                Scale * (_takesAll ? Math.Sqrt(share) : share));

            Tensor Trained(Parameter unit, int index) => index == drawn ? unit : unit.detach();
        }
    }

    /// <summary>The units of one factor, by their numbers.</summary>
    internal sealed class DyLoRAUnits : nn.Module
    {
        public DyLoRAUnits(IReadOnlyList<Parameter> units) : base(nameof(DyLoRAUnits))
        {
            for (var i = 0; i < units.Count; i++) register_parameter($"{i}", units[i]);
        }
    }
}

namespace StableTune
{
    /// <summary>Adds DyLoRA to any builder that has a place for adapters.</summary>
    public static class DyLoRAExtensions
    {
        /// <summary>Trains a DyLoRA.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">Rank, unit, alpha, parts, layers; null for the defaults.</param>
        public static TBuilder WithDyLoRA<TBuilder>(this TBuilder builder, DyLoRAOptions? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new DyLoRAOptions());

        /// <summary>Trains a DyLoRA: <c>WithDyLoRA(o => o with { Rank = 16, Unit = 4 })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithDyLoRA<TBuilder>(this TBuilder builder, Func<DyLoRAOptions, DyLoRAOptions> change)
            where TBuilder : IAdapterSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithDyLoRA(change(new DyLoRAOptions()));
        }
    }
}
