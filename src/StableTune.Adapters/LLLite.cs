using System.Globalization;
using System.Text.RegularExpressions;
using StableTune.Adapters;
using StableTune.Tensors;

namespace StableTune.Adapters
{
    /// <summary>
    /// Options of ControlNet-LLLite: small modules in front of the UNet's attention layers, which a control picture steers
    /// (<see cref="AdapterNetwork.SetControl"/>).
    /// </summary>
    public sealed record LLLiteOptions : AdapterOptions
    {
        /// <summary>Adapts what sd-scripts does: queries, keys and values of self-attentions and queries of cross-attentions, in the UNet's
        /// way down and its middle.</summary>
        public LLLiteOptions()
        {
            Parts = AdapterParts.UNet;
            Layers = LayerSelection.SdScripts with
            {
                Include = [@"\.attn1\.to_[qkv]$", @"\.attn2\.to_q$"], Exclude = [@"^unet\.up_blocks\."],
            };
        }

        /// <summary>Channels of the embedded control picture (<c>cond_emb_dim</c>), an even number. Default 32.</summary>
        public int ConditionDim { get; init; } = 32;

        /// <summary>Width of the modules (<c>network_dim</c>). Default 64.</summary>
        public int Dim { get; init; } = 64;

        /// <summary>Probability of a zero in each element in front of the last projection, while training. 0 to below 1.</summary>
        public double Dropout { get; init; }

        /// <summary>How often the picture is halved beyond an eighth, plus one; null to tell it by the layer's place.</summary>
        internal int? Depth { get; init; }

        /// <inheritdoc/>
        public override string KeyPrefix => "lllite";

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (ConditionDim < 2 || ConditionDim % 2 != 0)
                yield return Problem(ConditionDim, "it must be even and at least 2", "32 is customary");
            if (Dim < 1) yield return Problem(Dim, "the width must be at least 1", "64 is customary");
            if (Dropout is not (>= 0 and < 1))
                yield return Problem(Dropout, "a dropout must be at least 0 and below 1", "0 switches it off");
            if (Parts != AdapterParts.UNet) yield return Problem(Parts, "a control picture steers the UNet alone", "choose UNet");
        }

        /// <inheritdoc/>
        public override bool Takes(AdaptedLayer layer)
        {
            ArgumentNullException.ThrowIfNull(layer);
            return layer.Shape is LinearShape && (Depth ?? LLLiteDepth.Of(layer)) is not null;
        }

        /// <inheritdoc/>
        public override NetworkAdapter Create(AdaptedLayer layer, Generator random)
        {
            ArgumentNullException.ThrowIfNull(layer);
            var depth = LLLiteDepth.Of(layer) ?? Depth ?? throw new NotSupportedException(
                $"Nothing says at which resolution {layer} lies: LLLite is for layers of the UNet's blocks, down to a 32nd of the image.");
            return new LLLiteAdapter(this, layer, depth, random);
        }

        /// <inheritdoc/>
        public override AdapterDescription Describe() => new("networks.control_net_lllite", Dim)
        {
            Dropout = Dropout > 0 ? Dropout : null,
            Arguments = new OrderedDictionary<string, object?> { ["cond_emb_dim"] = PythonRepr.Of(ConditionDim) },
        };
    }

    /// <summary>At which resolution a layer of the UNet lies: 1 for an eighth of the image, 2 for a 16th, 3 for a 32nd.</summary>
    internal static partial class LLLiteDepth
    {
        /// <summary>The depth by the layer's name in files; null for places that LLLite does not know.</summary>
        public static int? Of(AdaptedLayer layer)
        {
            if (Place().Match(layer.Name) is not { Success: true } place) return null;
            var number = int.Parse(place.Groups["number"].ValueSpan, CultureInfo.InvariantCulture);
            return place.Groups["name"].Value switch
            {
                "input_blocks" => number <= 2 ? 1 : number <= 5 ? 2 : 3,
                "middle_block" => 3,
                _ => number <= 2 ? number + 1 : null,
            };
        }

        [GeneratedRegex(@"_unet_(?<name>input_blocks|middle_block|down_blocks)_(?<number>\d+)_")]
        private static partial Regex Place();
    }

    /// <summary>
    /// x' = x + m · up(relu(mid(concat(c, relu(down(x)))))) in front of the layer, where c is the control picture, made smaller by
    /// convolutions to the resolution of the layer. Starts without effect, because up is 0.
    /// </summary>
    /// <remarks>sd-scripts' <c>control_net_lllite</c>, which draws the bias of up at random: here it starts at 0 as well.</remarks>
    internal sealed class LLLiteAdapter : NetworkAdapter
    {
        private readonly LLLiteChain _condition, _down, _mid, _up;
        private readonly double _dropout;

        public LLLiteAdapter(LLLiteOptions options, AdaptedLayer layer, int depth, Generator random) : base(nameof(LLLiteAdapter), layer)
        {
            using var scope = NewDisposeScope();
            var (half, whole, width, inputs) = (options.ConditionDim / 2, options.ConditionDim, options.Dim, layer.Shape.InFeatures);
            _dropout = options.Dropout;
            long[][] sizes = depth switch
            {
                1 => [[half, 3, 4, 4], [whole, half, 2, 2]],
                2 => [[half, 3, 4, 4], [whole, half, 4, 4]],
                _ => [[half, 3, 4, 4], [half, half, 4, 4], [whole, half, 2, 2]],
            };
            register_module("conditioning1", _condition = Drawn(sizes));
            register_module("down", _down = Drawn([width, inputs]));
            register_module("mid", _mid = Drawn([width, width + whole]));
            register_module("up", _up = new LLLiteChain([(Trainable(zeros(inputs, width)), Trainable(zeros(inputs)))]));

            // As PyTorch draws new layers.
            LLLiteChain Drawn(params long[][] each) => new([.. each.Select(size =>
                (Trainable(InitialValues.KaimingUniform(size, random)), Trainable(InitialValues.BiasOf(size, random))))]);
        }

        public override bool UsesRandomness => _dropout > 0;

        public override bool UsesControl => true;

        public override bool CanMerge => false;

        public override Tensor Forward(Tensor input, Func<Tensor, Tensor> original)
        {
            ArgumentNullException.ThrowIfNull(original);
            if (Multiplier == 0 || Control is null) return original(input);
            using var scope = NewDisposeScope();
            return original(input + Change(input) * Multiplier).MoveToOuterDisposeScope();
        }

        protected override Tensor Term(Tensor input)
        {
            using var scope = NewDisposeScope();
            var term = Control is null ? zeros_like(Layer.Shape.Apply(input, Layer.Values()))
                : Layer.Shape.Apply(Change(input), Layer.Values());
            return term.MoveToOuterDisposeScope();
        }

        /// <summary>There is none: what is added depends on the control picture.</summary>
        /// <exception cref="NotSupportedException">Always.</exception>
        public override Tensor DeltaWeight(Tensor weight) =>
            throw new NotSupportedException("ControlNet-LLLite changes no weights: what it adds depends on the control picture.");

        /// <summary>The control picture at the layer's resolution, [B, tokens, channels].</summary>
        internal Tensor Embedding(ScalarType type)
        {
            using var scope = NewDisposeScope();
            var picture = Control ?? throw new InvalidOperationException("There is no control picture: call AdapterNetwork.SetControl.");
            return _condition.Run(picture.to(Layer.Weight.device).to(type)).flatten(2).transpose(1, 2).MoveToOuterDisposeScope();
        }

        private Tensor Change(Tensor input)
        {
            var condition = Embedding(input.dtype);
            if (input.dim() != 3 || condition.shape[1] != input.shape[1] || input.shape[0] % condition.shape[0] != 0)
                throw new InvalidOperationException(
                    $"The control picture is [{string.Join(", ", Control!.shape)}], which gives {condition.shape[1]} places for each of " +
                    $"{condition.shape[0]} image(s), where {Layer.Path} has an input of [{string.Join(", ", input.shape)}]. Give one " +
                    "picture of the image's size for each image, or one for all: [B, 3, height, width], eight times the latents.");
            // One picture serves all images of a batch, as with guidance, where each comes twice.
            condition = condition.repeat(input.shape[0] / condition.shape[0], 1, 1);
            var hidden = _mid.Run(cat([condition, nn.functional.relu(_down.Run(input))], 2));
            hidden = nn.functional.relu(hidden);
            if (training && _dropout > 0)
            {
                using var random = StepRandom();
                var share = StepShare ?? new BatchShare(0, (int)hidden.shape[0], (int)hidden.shape[0]);
                var drawn = rand([share.Total, .. hidden.shape[1..]], generator: random);
                var mask = share.Cut(drawn).gt(_dropout).to(hidden.device).to(hidden.dtype);
                hidden = hidden * mask / (1 - _dropout);
            }

            return _up.Run(hidden);
        }
    }

    /// <summary>Layers that follow each other with rectifiers in between, named by their places as in a <c>Sequential</c>.</summary>
    internal sealed class LLLiteChain : nn.Module
    {
        private readonly (Parameter Weight, Parameter Bias)[] _layers;

        public LLLiteChain((Parameter Weight, Parameter Bias)[] layers) : base(nameof(LLLiteChain))
        {
            _layers = layers;
            for (var i = 0; i < layers.Length; i++) register_module($"{2 * i}", new LLLiteLayer(layers[i].Weight, layers[i].Bias));
        }

        public Tensor Run(Tensor input)
        {
            using var scope = NewDisposeScope();
            for (var i = 0; i < _layers.Length; i++)
            {
                var (weight, bias) = _layers[i];
                input = i == 0 ? input : nn.functional.relu(input);
                input = weight.dim() == 2 ? Products.Linear(input, weight, bias)
                    : Products.Conv2d(input, weight, bias, new ConvolutionGeometry(weight.shape[2..], [0, 0], [1, 1]));
            }

            return input.MoveToOuterDisposeScope();
        }
    }

    /// <summary>Weight and bias of a layer, by the names that files use.</summary>
    internal sealed class LLLiteLayer : nn.Module
    {
        public LLLiteLayer(Parameter weight, Parameter bias) : base(nameof(LLLiteLayer))
        {
            register_parameter("weight", weight);
            register_parameter("bias", bias);
        }
    }

    /// <summary>LLLite in files of sd-scripts.</summary>
    internal sealed record LLLiteFormat() : AdapterFormat("ControlNet-LLLite",
        [.. new[] { "conditioning1.0", "conditioning1.2", "down.0", "mid.0", "up.0" }.SelectMany(WeightAndBias)],
        [.. WeightAndBias("conditioning1.4")])
    {
        public override string KeyPrefix => "lllite";

        public override AdapterOptions OptionsFor(AdapterModule module)
        {
            var (down, mid) = (module["down.0.weight"].Shape, module["mid.0.weight"].Shape);
            var last = module["conditioning1.2.weight"].Shape;
            var condition = mid.Count == 2 && down.Count == 2 ? mid[1] - down[0] : 0;
            if (condition < 2 || condition % 2 != 0 || mid[0] != down[0] || last.Count != 4)
                throw module.Fault($"has layers that do not fit each other: down.0.weight is {module["down.0.weight"]}, " +
                    $"mid.0.weight is {module["mid.0.weight"]}",
                    "mid must be [width, width + channels of the picture]: save the file again.");
            return new LLLiteOptions
            {
                Dim = (int)down[0], ConditionDim = (int)condition,
                Depth = module.Tensors.ContainsKey("conditioning1.4.weight") ? 3 : last[2] == 2 ? 1 : 2,
            };
        }

        private static string[] WeightAndBias(string layer) => [$"{layer}.weight", $"{layer}.bias"];
    }
}

namespace StableTune
{
    /// <summary>Adds ControlNet-LLLite to any builder that has a place for adapters.</summary>
    public static class LLLiteExtensions
    {
        /// <summary>Trains a ControlNet-LLLite; each step needs its control pictures.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">Widths, layers, dropout; null for the defaults.</param>
        public static TBuilder WithLLLite<TBuilder>(this TBuilder builder, LLLiteOptions? options = null)
            where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new LLLiteOptions());

        /// <summary>Trains a ControlNet-LLLite: <c>WithLLLite(o => o with { Dim = 32 })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithLLLite<TBuilder>(this TBuilder builder, Func<LLLiteOptions, LLLiteOptions> change)
            where TBuilder : IAdapterSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithLLLite(change(new LLLiteOptions()));
        }
    }
}
