using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Training;

namespace StableTune.Trainables;

/// <summary>Trains the model's own weights: the UNet, the text encoders, or both. Saved as a whole model, in the form that the path
/// names.</summary>
public sealed record ModelTrainableOptions : TrainableOptions
{
    /// <summary>The parts that are trained: <see cref="ModelParts.UNet"/>, <see cref="ModelParts.TextEncoder"/>, or both. Default the
    /// UNet.</summary>
    public ModelParts Parts { get; init; } = ModelParts.UNet;

    /// <summary>
    /// Regular expressions for the full names of the tensors that are trained, such as
    /// <c>unet.down_blocks.0.attentions.0.proj_in.weight</c> or <c>text_encoder.text_model...</c>; one that fits anywhere in the
    /// name is enough (<c>\.attn2\.</c> for cross-attention alone; <see cref="LayerSelection.Glob"/> makes one of a pattern with
    /// * and ?). Default none: everything of the <see cref="Parts"/>.
    /// </summary>
    public IReadOnlyList<string> Include { get; init; } = [];

    /// <summary>Regular expressions for tensors that stay as they are, although <see cref="Include"/> takes them. Default none.</summary>
    public IReadOnlyList<string> Exclude { get; init; } = [];

    /// <summary>The UNet's learning rate; null for the run's. 0 leaves it as it is.</summary>
    public double? UNetRate { get; init; }

    /// <summary>The text encoders' learning rate; null for the run's. 0 leaves them as they are.</summary>
    public double? TextEncoderRate { get; init; }

    /// <summary>The learning rate of SDXL's second text encoder; null for the run's, and without one that of the first. 0 leaves it as it
    /// is.</summary>
    public double? SecondTextEncoderRate { get; init; }

    /// <summary>
    /// Learning rates of the UNet's blocks (sd-scripts: <c>block_lr</c>), 0 for a block that stays as it is. 23 for SDXL: time and label
    /// embeddings, input blocks 0 to 8, the three of the middle, output blocks 0 to 8, output. 25 for other models: input blocks 0 to 11
    /// (the time embedding counts with the first), middle, output blocks 0 to 11 (the output counts with the last). Null, the default, for
    /// one rate.
    /// </summary>
    public IReadOnlyList<double>? BlockLearningRates { get; init; }

    /// <summary>Learning rates of the UNet's blocks as factors of its rate; null, the default, for 1 each.</summary>
    public BlockRates? BlockRates { get; init; }

    /// <summary>
    /// The number of optimizer steps after which the text encoders are trained no more (sd-scripts:
    /// <c>stop_text_encoder_training</c>): from then on they stay as they are, bit for bit. 0 or less never trains them; null, the
    /// default, trains them to the end.
    /// </summary>
    public int? StopTextEncoderAt { get; init; }

    /// <inheritdoc/>
    public override string DefaultName => "model";

    /// <inheritdoc/>
    public override ModelParts ActsThrough => ModelParts.UNet | ModelParts.TextEncoder;

    /// <inheritdoc/>
    public override ModelParts KeptParts => ModelParts.All;

    /// <inheritdoc/>
    public override bool TrainsTextEncoder(TrainingPlan plan) => Trained && TrainedParts(plan).HasFlag(ModelParts.TextEncoder);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (Parts == ModelParts.None || (Parts & ~(ModelParts.UNet | ModelParts.TextEncoder)) != 0)
            yield return Problem(Parts, "the UNet and the text encoders can be trained",
                "choose ModelParts.UNet, ModelParts.TextEncoder, or both");
        if (!Trained) yield return Problem(Trained, "a model that is not trained is the base model itself", "leave it out");
        foreach (var (name, rate) in new[]
        {
            (nameof(UNetRate), UNetRate), (nameof(TextEncoderRate), TextEncoderRate),
            (nameof(SecondTextEncoderRate), SecondTextEncoderRate),
        })
            if (rate is { } given && !IsRate(given)) yield return RateProblem(given, name);
        foreach (var rate in BlockLearningRates?.Where(rate => !IsRate(rate)).Take(1) ?? [])
            yield return RateProblem(rate, nameof(BlockLearningRates));
        foreach (var problem in BlockRates?.Validate() ?? []) yield return problem;
        if (BlockRates is not null && BlockLearningRates is not null)
            yield return Problem(BlockRates, "rates of blocks cannot be given twice", "set BlockRates or BlockLearningRates");
        foreach (var (name, patterns) in new[] { (nameof(Include), Include), (nameof(Exclude), Exclude) })
            foreach (var problem in patterns.Select(pattern =>
                LayerSelection.Check(pattern, $"{nameof(ModelTrainableOptions)}.{name}")).OfType<OptionProblem>())
                yield return problem;
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Fits(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (TrainedParts(plan) == ModelParts.None)
            yield return Problem(Parts, "every part has a learning rate of 0, so nothing would be trained",
                "set a learning rate, or choose other parts");
        if ((BlockRates is not null || BlockLearningRates is not null) && !TrainedParts(plan).HasFlag(ModelParts.UNet))
            yield return Problem(BlockRates, "rates of the UNet's blocks are given, and the UNet is not trained", "leave them out");
        if (StopTextEncoderAt > 0 && !TrainedParts(plan).HasFlag(ModelParts.TextEncoder))
            yield return Problem(StopTextEncoderAt, "the text encoder is not trained at all", "leave it out, or choose both parts");
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, ModelConfiguration model)
    {
        ArgumentNullException.ThrowIfNull(model);
        using var shapes = model.WithoutWeights();
        var blocks = new ModelBlocks(shapes.UNet.Options).Count;
        if (BlockLearningRates is { } rates && rates.Count != blocks)
            yield return Problem(string.Join(", ", rates), $"the model has {blocks} blocks, and {rates.Count} rates are given",
                $"give {blocks} numbers, 0 for blocks that stay as they are", nameof(BlockLearningRates));
        else if (!ModelRates.Of(this, plan, shapes).Any())
            yield return Problem(string.Join(", ", Include), "no tensor of the trained parts is left",
                "choose other patterns, parts or rates", nameof(Include));
    }

    /// <inheritdoc/>
    public override IEnumerable<long[]> TrainedShapes(TrainingPlan plan, StableDiffusionModel model) =>
        ModelRates.Of(this, plan, model).Select(tensor => tensor.Value.shape);

    /// <inheritdoc/>
    public override ITrainable Create(TrainingPlan plan) => new ModelTrainable(this, plan);

    /// <summary>The learning rate of a part: the UNet, or a text encoder by its place.</summary>
    internal double RateOf(TrainingPlan plan, ModelParts part, int encoder = 0)
    {
        if (part == ModelParts.UNet) return UNetRate ?? plan.UNetLearningRate ?? plan.LearningRate;
        if (StopTextEncoderAt <= 0) return 0;
        var second = encoder == 1 ? SecondTextEncoderRate ?? (TextEncoderRate is null ? plan.SecondTextEncoderLearningRate : null) : null;
        return second ?? TextEncoderRate ?? plan.TextEncoderLearningRate ?? plan.LearningRate;
    }

    /// <summary>The parts that are left when those with a learning rate of 0 are taken away.</summary>
    internal ModelParts TrainedParts(TrainingPlan plan)
    {
        var parts = Parts;
        if (RateOf(plan, ModelParts.UNet) == 0) parts &= ~ModelParts.UNet;
        if (RateOf(plan, ModelParts.TextEncoder) == 0 && RateOf(plan, ModelParts.TextEncoder, encoder: 1) == 0)
            parts &= ~ModelParts.TextEncoder;
        return parts;
    }

    /// <summary>How a run saves a whole model. Whether a result may be replaced was asked when the plan was checked.</summary>
    internal static ModelSaveOptions SavingFor(SaveRequest request) => new()
    {
        Precision = request.EffectiveType, WriteMetadata = request.WriteMetadata, Overwrite = true, AmongOthers = true,
        Title = Path.GetFileNameWithoutExtension(request.FinalPath),
    };

    private static bool IsRate(double rate) => rate >= 0 && double.IsFinite(rate);

    private OptionProblem RateProblem(double rate, string name) => Problem(rate, "a learning rate must not be negative, and finite",
        "1e-6 to 1e-5 is customary for whole models", name);
}
