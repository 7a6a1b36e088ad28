using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Models;

namespace StableTune.Trainables;

/// <summary>A learning rate for layers that a regular expression picks.</summary>
/// <param name="Pattern">What must occur in the layer's path with its part in front, see <see cref="LayerSelection.Include"/>.</param>
/// <param name="Rate">The rate, above 0.</param>
public sealed record LayerRate(string Pattern, double Rate);

/// <content>Rates of some of the weights: by block, by layer, and of the factor that starts at zero.</content>
public sealed partial record AdapterTrainableOptions
{
    /// <summary>Learning rates by block of the UNet; null, the default, for one rate.</summary>
    public BlockRates? BlockRates { get; init; }

    /// <summary>
    /// Learning rates of layers by their paths; they win over those of blocks and parts, the first that fits over later ones. Default none.
    /// </summary>
    public IReadOnlyList<LayerRate> LayerRates { get; init; } = [];

    /// <summary>
    /// LoRA+: how many times faster the factor that starts at zero learns (<c>loraplus_lr_ratio</c>); 16 is customary. Null, the default,
    /// for as fast as the other. Hayou et al., arXiv:2402.12354.
    /// </summary>
    public double? UpRatio { get; init; }

    /// <summary>The same ratio for the UNet (<c>loraplus_unet_lr_ratio</c>); null for <see cref="UpRatio"/>.</summary>
    public double? UNetUpRatio { get; init; }

    /// <summary>The same ratio for the text encoders (<c>loraplus_text_encoder_lr_ratio</c>); null for <see cref="UpRatio"/>.</summary>
    public double? TextEncoderUpRatio { get; init; }

    /// <summary>The group and the learning rate of one weight.</summary>
    /// <param name="plan">The options of the run.</param>
    /// <param name="adapter">The adapter.</param>
    /// <param name="parameter">The weight's name within the adapter.</param>
    /// <param name="isSdxl">Whether the model is SDXL.</param>
    internal (string Group, double Rate) RateOf(TrainingPlan plan, NetworkAdapter adapter, string parameter, bool isSdxl)
    {
        var layer = adapter.Layer;
        var isUNet = layer.Part == AdapterParts.UNet;
        var (group, rate) = (GroupOf(plan, layer.Part), RateOf(plan, layer.Part));
        if (isUNet && BlockRates is { } blocks && layer.Block is { } block)
            (group, rate) = ($"unet_block{block}", rate * blocks.Factors(isSdxl)[block]);
        var found = LayerRates.Index().FirstOrDefault(entry => LayerSelection.Occurs(entry.Item.Pattern, layer.FullPath));
        if (found.Item is { } own) (group, rate) = ($"{group} layers {found.Index + 1}", own.Rate);
        return (isUNet ? UNetUpRatio : TextEncoderUpRatio) is var part && (part ?? UpRatio) is { } ratio && adapter.IsUpFactor(parameter)
            ? (group + " plus", rate * ratio) : (group, rate);
    }

    /// <summary>What a run would train, layer by layer. The model may be on <c>META</c>.</summary>
    internal IReadOnlyList<PlannedLayer> PlannedLayers(TrainingPlan plan, StableDiffusionModel model)
    {
        var (isSdxl, hosts) = (model.Version == ModelVersion.Sdxl, ModelHosts.Of(model, TrainedParts(plan)));
        return IsOfFile ? [.. OfFile(plan, hosts, isSdxl)] : [.. OfOptions(plan, hosts, isSdxl)];
    }

    /// <summary>The adapters that the options make, one at a time, to be counted.</summary>
    private IEnumerable<PlannedLayer> OfOptions(TrainingPlan plan, AdapterHosts hosts, bool isSdxl)
    {
        var options = EffectiveAdapter(plan, isSdxl);
        using var random = new Generator(0);
        foreach (var layer in AdapterNetwork.Layers(hosts, options))
        {
            using var adapter = options.Create(layer, random);
            var kind = (options as MixedAdapterOptions)?.KindOf(layer) ?? options;
            yield return Planned(adapter, kind, name => RateOf(plan, adapter, name, isSdxl).Rate);
        }
    }

    private IEnumerable<PlannedLayer> OfFile(TrainingPlan plan, AdapterHosts hosts, bool isSdxl)
    {
        var kinds = new List<AdapterOptions>();
        using var network = AdapterNetwork.FromFile(InitialWeights!, hosts, change: found =>
        {
            kinds.Add(found);
            return found;
        });
        foreach (var (adapter, kind) in network.Adapters.Zip(kinds))
            yield return Planned(adapter, kind, name => RateOf(plan, adapter, name, isSdxl).Rate);
    }

    private PlannedLayer Planned(NetworkAdapter adapter, AdapterOptions kind, Func<string, double> rateOf)
    {
        (string Name, long Count)[] trained = [.. adapter.named_parameters().Where(entry => entry.parameter.requires_grad)
            .Select(entry => (entry.name, entry.parameter.numel()))];
        var factored = adapter as FactoredAdapter;
        return new PlannedLayer(EffectiveName, adapter.Layer.FullPath, adapter.Layer.Shape.ToString()!,
            kind.GetType().Name.Replace("Options", "", StringComparison.Ordinal), factored?.Rank, factored?.Alpha,
            trained.Sum(entry => entry.Count), [.. trained.Select(entry => rateOf(entry.Name)).Distinct()]);
    }

    /// <summary>The kind with the parts, blocks and layers that are left in this run.</summary>
    internal AdapterOptions EffectiveAdapter(TrainingPlan plan, bool isSdxl) => Adapter with
    {
        Parts = TrainedParts(plan), ExcludedBlocks = ExcludedBlocks(isSdxl),
        Layers = plan.UpBlocksOnly ? Adapter.Layers with { Exclude = [.. Adapter.Layers.Exclude, OutsideOfUpBlocks] } : Adapter.Layers,
    };

    private const string OutsideOfUpBlocks = @"^unet\.(?!.*up_blocks)";

    /// <summary>The blocks that get no adapters, because their factor is 0.</summary>
    private IReadOnlyList<int> ExcludedBlocks(bool isSdxl) => BlockRates is null ? Adapter.ExcludedBlocks
        : [.. Adapter.ExcludedBlocks, .. BlockRates.Factors(isSdxl).Index().Where(block => block.Item == 0).Select(block => block.Index)];

    /// <summary>The reference's arguments that say these rates.</summary>
    internal IEnumerable<KeyValuePair<string, object?>> RateArguments()
    {
        if (BlockRates?.Down is { } down) yield return new("down_lr_weight", down.ToString());
        if (BlockRates?.Mid is { } mid) yield return new("mid_lr_weight", mid.ToString());
        if (BlockRates?.Up is { } up) yield return new("up_lr_weight", up.ToString());
        if (BlockRates is { ZeroThreshold: not 0 and var threshold }) yield return new("block_lr_zero_threshold", PythonRepr.Of(threshold));
        if (UpRatio is { } ratio) yield return new("loraplus_lr_ratio", PythonRepr.Of(ratio));
        if (UNetUpRatio is { } unet) yield return new("loraplus_unet_lr_ratio", PythonRepr.Of(unet));
        if (TextEncoderUpRatio is { } text) yield return new("loraplus_text_encoder_lr_ratio", PythonRepr.Of(text));
    }

    /// <summary>One group for all text encoders, or one for each where SDXL's second has a rate of its own.</summary>
    private string GroupOf(TrainingPlan plan, AdapterParts part) => part switch
    {
        AdapterParts.UNet => "unet",
        _ when (SecondTextEncoderRate ?? plan.SecondTextEncoderLearningRate) is null => "textencoder",
        AdapterParts.TextEncoder1 => "textencoder 1",
        _ => "textencoder 2",
    };

    private IEnumerable<OptionProblem> RateProblems()
    {
        foreach (var problem in BlockRates?.Validate() ?? []) yield return problem;
        foreach (var entry in LayerRates)
        {
            if (LayerSelection.Check(entry.Pattern, $"{nameof(AdapterTrainableOptions)}.{nameof(LayerRates)}") is { } fault)
                yield return fault;
            if (!(entry.Rate > 0 && double.IsFinite(entry.Rate)))
                yield return Problem(entry.Rate, "a rate of layers must be positive", "leave layers out by LayerSelection.Exclude",
                    nameof(LayerRates));
        }

        foreach (var (name, ratio) in new[]
        {
            (nameof(UpRatio), UpRatio), (nameof(UNetUpRatio), UNetUpRatio), (nameof(TextEncoderUpRatio), TextEncoderUpRatio),
        })
            if (ratio is { } given && !(given > 0 && double.IsFinite(given)))
                yield return Problem(ratio, "the ratio must be a positive number", "16 is customary; null for equal rates", name);
    }
}
