using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Models;

namespace StableTune.Trainables;

/// <summary>How adapters are trained: rates of the parts, initial weights. What they compute is said by
/// <see cref="Adapter"/>.</summary>
public sealed partial record AdapterTrainableOptions : TrainableOptions
{
    /// <summary>The kind of adapter: rank, alpha, parts, layers ...</summary>
    public required AdapterOptions Adapter { get; init; }

    /// <summary>The learning rate of the UNet's adapters; null for the run's. With 0 the UNet gets none.</summary>
    public double? UNetRate { get; init; }

    /// <summary>The learning rate of the text encoder's adapters; null for the run's. With 0 the text encoder gets none.</summary>
    public double? TextEncoderRate { get; init; }

    /// <summary>The learning rate of the adapters of SDXL's second text encoder; null for that of the first. With 0 it gets
    /// none.</summary>
    public double? SecondTextEncoderRate { get; init; }

    /// <summary>
    /// A file whose weights the adapters begin with (sd-scripts: <c>network_weights</c>); null, the default, for fresh ones. Of
    /// weights that do not fit none are taken, and
    /// an adapter that is only applied (<see cref="TrainableOptions.Trained"/> is false) takes kind, ranks and alphas from the file
    /// too.
    /// </summary>
    public string? InitialWeights { get; init; }

    /// <summary>
    /// Whether kind, ranks and alphas are those of <see cref="InitialWeights"/> (sd-scripts: <c>dim_from_weights</c>), so that exactly the
    /// layers of the file are trained on. <see cref="Adapter"/> then says parts and dropouts alone. Default false.
    /// </summary>
    public bool RanksFromWeights { get; init; }

    /// <summary>
    /// The largest Frobenius norm that an adapter's ΔW may have: after each step, what is above is made weaker (sd-scripts:
    /// <c>scale_weight_norms</c>). 1 is a start. Null, the default, for no limit.
    /// </summary>
    public double? MaxNorm { get; init; }

    /// <summary>How strongly adapters that are not trained act. Default 1.</summary>
    public float Multiplier { get; init; } = 1f;

    /// <inheritdoc/>
    public override string DefaultName => Adapter.GetType().Name.Replace("Options", "", StringComparison.Ordinal).ToLowerInvariant();

    /// <inheritdoc/>
    public override ModelParts ActsThrough => ModelParts.UNet | ModelParts.TextEncoder;

    /// <inheritdoc/>
    public override IReadOnlyList<string> FileExtensions => AdapterFiles.Extensions;

    /// <inheritdoc/>
    public override bool TrainsTextEncoder(TrainingPlan plan) => Trained && (TrainedParts(plan) & AdapterParts.TextEncoder) != 0;

    /// <inheritdoc/>
    public override bool ChangesTextEncoder(TrainingPlan plan) => (TrainedParts(plan) & AdapterParts.TextEncoder) != 0;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        foreach (var problem in Adapter.Validate()) yield return problem;
        if (UNetRate is { } unet && !IsRate(unet)) yield return Problem(UNetRate, Rule, "1e-4 is customary; 0 leaves the UNet out");
        if (TextEncoderRate is { } text && !IsRate(text))
            yield return Problem(TextEncoderRate, Rule, "5e-5 is customary; 0 leaves the text encoder out");
        if (SecondTextEncoderRate is { } second && !IsRate(second))
            yield return Problem(SecondTextEncoderRate, Rule, "5e-5 is customary; 0 leaves the second text encoder out");
        if (!Trained && InitialWeights is null)
            yield return Problem(InitialWeights, "adapters that are not trained change nothing without weights",
                "name their file, or train them");
        foreach (var problem in RateProblems()) yield return problem;
        if (MaxNorm is { } limit && !(limit > 0 && double.IsFinite(limit)))
            yield return Problem(MaxNorm, "the limit must be a positive number", "1 is a start; null for no limit");
        if (RanksFromWeights && InitialWeights is null)
            yield return Problem(RanksFromWeights, "there is no file to take ranks from", "set InitialWeights");
        if (InitialWeights is { } path && !File.Exists(path))
            yield return Problem(InitialWeights, "there is no such file", "name an adapter file, or leave it unset");
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Fits(TrainingPlan plan)
    {
        if (Trained && (Adapter.Parts & plan.Parts) != AdapterParts.None && TrainedParts(plan) == AdapterParts.None)
            yield return Problem(TrainedParts(plan), "every part has a learning rate of 0, so nothing would be trained",
                "set a learning rate, or choose other parts", "TrainedParts");
        if (RanksFromWeights && (plan.UpBlocksOnly || BlockRates is not null))
            yield return Problem(RanksFromWeights, "the file says which layers are trained, in whichever blocks",
                "leave up blocks and rates by block away, or give ranks yourself", nameof(RanksFromWeights));
        if (plan.GivenModel is { } given)
            foreach (var problem in LayerProblems(plan, given)) yield return problem;
    }

    /// <inheritdoc/>
    public override IEnumerable<long[]> TrainedShapes(TrainingPlan plan, StableDiffusionModel model) =>
        PlannedLayers(plan, model).Select(layer => new[] { layer.Parameters });

    /// <inheritdoc/>
    public override bool TakesControlImages => IsOfFile || Adapter is LLLiteOptions;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, TrainingDataset dataset) =>
        Adapter is LLLiteOptions && !IsOfFile ? ControlPictures.Problems(dataset, "ControlNet-LLLite") : [];

    /// <summary>Whether a file says which layers get which adapters.</summary>
    internal bool IsOfFile => !Trained || RanksFromWeights;

    /// <summary>A selection that leaves no layer of the model, or a file that does not fit it: told before anything is loaded.</summary>
    private IReadOnlyList<OptionProblem> LayerProblems(TrainingPlan plan, StableDiffusionModel model)
    {
        var parts = TrainedParts(plan);
        if (parts == AdapterParts.None || Validate().Any()) return [];
        if (IsOfFile)
            return AdapterFileCheck.Problems(
                InitialWeights!, ModelHosts.Of(model, parts), $"{nameof(AdapterTrainableOptions)}.{nameof(InitialWeights)}");
        try
        {
            AdapterNetwork.Layers(ModelHosts.Of(model, parts), EffectiveAdapter(plan, model.Version == ModelVersion.Sdxl));
            return [];
        }
        catch (InvalidOptionsException e)
        {
            return e.Problems;
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, Checkpoints.ModelConfiguration model)
    {
        using (var shapes = model.WithoutWeights())
            foreach (var problem in LayerProblems(plan, shapes)) yield return problem;
        if (model.Details.Version == ModelVersion.Sdxl) yield break;
        const string rule = "only SDXL has a second text encoder", remedy = "leave it unset";
        if (SecondTextEncoderRate > 0) yield return Problem(SecondTextEncoderRate, rule, remedy);
        else if (SecondTextEncoderRate is null && plan.SecondTextEncoderLearningRate is > 0 and var rate)
            yield return new OptionProblem(
                $"{nameof(TrainingPlan)}.{nameof(TrainingPlan.SecondTextEncoderLearningRate)}", rate, rule, remedy);
    }

    /// <summary>The parts that are left when those with a learning rate of 0 are taken away. What is only applied acts wherever its
    /// file says, whatever the run trains.</summary>
    internal AdapterParts TrainedParts(TrainingPlan plan)
    {
        if (!Trained) return Adapter.Parts;
        var parts = Adapter.Parts & plan.Parts;
        if (RateOf(plan, AdapterParts.UNet) == 0) parts &= ~AdapterParts.UNet;
        if (RateOf(plan, AdapterParts.TextEncoder1) == 0) parts &= ~AdapterParts.TextEncoder1;
        if (RateOf(plan, AdapterParts.TextEncoder2) == 0) parts &= ~AdapterParts.TextEncoder2;
        return parts;
    }

    /// <summary>The learning rate of a part.</summary>
    internal double RateOf(TrainingPlan plan, AdapterParts part)
    {
        var text = TextEncoderRate ?? plan.TextEncoderLearningRate;
        return part switch
        {
            AdapterParts.UNet => UNetRate ?? plan.UNetLearningRate,
            AdapterParts.TextEncoder2 => SecondTextEncoderRate ?? plan.SecondTextEncoderLearningRate ?? text,
            _ => text,
        } ?? plan.LearningRate;
    }

    /// <inheritdoc/>
    public override ITrainable Create(TrainingPlan plan) => new AdapterTrainable(this, plan);

    private const string Rule = "a learning rate must not be negative, and finite";

    private static bool IsRate(double rate) => rate >= 0 && double.IsFinite(rate);
}
