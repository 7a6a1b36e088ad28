using StableTune.Adapters;
using StableTune.Diffusion;
using StableTune.Formats;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Schedules;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>What adapter files say about the run that made them.</summary>
/// <param name="Full">All that is known.</param>
/// <param name="Minimum">What readers need.</param>
internal sealed record RunMetadata(IReadOnlyDictionary<string, string> Full, IReadOnlyDictionary<string, string> Minimum)
{
    private static readonly string Version = typeof(RunMetadata).Assembly.GetName().Version?.ToString(3) ?? "0";

    /// <summary>Folders stay on this machine; a name on the hub is whole.</summary>
    internal static string ModelName(string path) => Path.Exists(path) ? Path.GetFileName(Path.TrimEndingDirectorySeparator(path)) : path;

    public static RunMetadata Describe(SaveRequest request, AdapterTrainableOptions trainable, AdapterDescription network)
    {
        var (moment, outputName) = (request.Moment, Path.GetFileNameWithoutExtension(request.FinalPath));
        var dataset = moment.Run.Dataset;
        var shares = moment.Plan.Distributed.Shares;
        var metadata = new AdapterMetadata
        {
            Network = network,
            Model = new ModelFacts(moment.Run.BaseModel.BaseName(moment.Run.Prediction))
            {
                Name = ModelName(moment.Plan.ModelPath ?? ""),
                OldHash = moment.Run.Sources?.Model?.Old,
                Sha256 = moment.Run.Sources?.Model?.Sha256,
                VaeName = moment.Plan.Model.VaePath is { } vae ? ModelName(vae) : null,
                VaeOldHash = moment.Run.Sources?.Vae?.Old,
                VaeSha256 = moment.Run.Sources?.Vae?.Sha256,
                ClipSkip = moment.Plan.ClipSkip,
                MaxTokenLength = moment.Plan.MaxTokenLength == ClipTokenizer.ChunkBodyLength ? null : moment.Plan.MaxTokenLength,
            },
            Run = Run(moment, outputName),
            Rates = Rates(moment.Plan, trainable, moment.Run.TotalSteps),
            Precision = new PrecisionFacts { MixedPrecision = moment.Plan.Precision.ReferenceName,
                FullFp16 = moment.Plan.Precision == PrecisionPolicy.FullFloat16,
                Fp8Base = moment.Plan.Memory.QuantizedWeights is { Quantization: Float8Quantization },
                Fp8BaseUNet = moment.Plan.Memory.QuantizedWeights is { Quantization: Float8Quantization, Parts: ModelParts.UNet },
                CacheLatents = moment.Run.CachesLatents },
            Loss = WithNoise(Loss(moment.Plan.Loss), moment.Plan) with { PriorLossWeight = dataset?.Options.PriorLossWeight ?? 1 },
            Captions = (dataset is null ? new CaptionFacts() : DatasetDescription.Captions(dataset)) with
            {
                ValidateEverySteps = moment.Plan.Validation?.EveryNSteps,
                ValidateEveryEpochs = moment.Plan.Validation?.EveryNEpochs,
                MaxValidationSteps = moment.Plan.Validation?.MaxSteps,
            },
            Data = dataset is null ? new DataFacts() : DatasetDescription.Data(dataset, shares),
            Datasets = [.. (dataset?.Parts ?? []).Select(part => DatasetDescription.Dataset(part, DatasetDescription.Data(part, shares)))],
            Specification = Specification(moment, outputName),
            IncludeDataNames = request.WriteDataNames,
        };
        return new RunMetadata(metadata.Build(), metadata.Minimum());
    }

    /// <summary>What embedding files say: the specification that web interfaces show. Nothing for a model that it has no name
    /// for.</summary>
    public static IReadOnlyDictionary<string, string> OfEmbedding(SaveRequest request)
    {
        var run = request.Moment.Run;
        var name = run.BaseModel.BaseName(run.Prediction);
        return !ModelSpecification.Knows(name) ? new Dictionary<string, string>()
            : Specification(request.Moment, Path.GetFileNameWithoutExtension(request.FinalPath)).Entries(name, SpecifiedContent.Embedding);
    }

    private static RunFacts Run(SaveMoment moment, string outputName) => new()
    {
        SessionId = moment.Run.SessionId,
        StartedAt = Seconds(moment.Run.StartedAt),
        FinishedAt = Seconds(moment.Plan.Clock.GetUtcNow()),
        OutputName = outputName,
        TrainImages = moment.Run.Dataset?.TrainingImageCount ?? 0,
        ValidationImages = moment.Run.Dataset?.Validation?.Samples.Count ?? 0,
        RegularizationImages = moment.Run.Dataset?.RegularizationImageCount ?? 0,
        BatchesPerEpoch = moment.Run.Dataset?.BatchesPerEpoch ?? 0,
        Epochs = moment.Run.TotalEpochs,
        Epoch = moment.Epoch,
        Steps = moment.Step,
        MaxTrainSteps = moment.Run.TotalSteps,
        Seed = moment.Plan.Seed,
        Trainer = $"StableTune {Version}",
    };

    private static RateFacts Rates(TrainingPlan plan, AdapterTrainableOptions trainable, int totalSteps) => new()
    {
        LearningRate = plan.LearningRate * plan.LearningRateScale,
        UNetLearningRate = plan.LearningRateScale * (trainable.UNetRate ?? plan.UNetLearningRate ?? Zero(plan)),
        TextEncoderLearningRate = plan.LearningRateScale * (trainable.TextEncoderRate ?? plan.TextEncoderLearningRate ?? Zero(plan)),
        SecondTextEncoderLearningRate =
            plan.LearningRateScale * (trainable.SecondTextEncoderRate ?? plan.SecondTextEncoderLearningRate),
        WarmupSteps = Schedule(plan, trainable).WarmupSteps(totalSteps),
        Scheduler = Schedule(plan, trainable).Name,
        Optimizer = plan.Optimizer.ReferenceName,
        MaxGradNorm = plan.MaxGradientNorm ?? 0,
        GradientCheckpointing = plan.GradientCheckpointing,
        GradientAccumulationSteps = plan.GradientAccumulation,
    };

    private static LrScheduleOptions Schedule(TrainingPlan plan, TrainableOptions trainable) =>
        plan.Optimizer.ScheduleOf(trainable.Schedule is { } own ? plan with { Schedule = own } : plan);

    /// <summary>A rate of 0 for all is also that of the parts, as in the reference.</summary>
    private static double? Zero(TrainingPlan plan) => plan.LearningRate == 0 ? 0 : null;

    private static LossFacts Loss(DiffusionLoss loss)
    {
        var facts = PlainLoss(loss);
        return loss.Loss is PseudoHuberLoss huber
            ? facts with { HuberC = huber.C, HuberScale = huber.Scale, HuberSchedule = huber.Schedule.Name } : facts;
    }

    private static LossFacts WithNoise(LossFacts facts, TrainingPlan plan) => NoiseLayer.Of(plan.Noise).Aggregate(
        facts with { ZeroTerminalSnr = plan.ZeroTerminalSnr }, (told, layer) => layer switch
        {
            OffsetNoise offset => told with
            {
                NoiseOffset = offset.Offset, NoiseOffsetRandomStrength = offset.RandomStrength, AdaptiveNoiseScale = offset.AdaptiveScale,
            },
            MultiResolutionNoise levels => told with
            {
                MultiresNoiseIterations = levels.Iterations, MultiresNoiseDiscount = levels.Discount,
            },
            InputPerturbation more => told with { IpNoiseGamma = more.Gamma, IpNoiseGammaRandomStrength = more.RandomStrength },
            _ => told,
        });

    private static LossFacts PlainLoss(DiffusionLoss loss) => new()
    {
        LossType = loss.Loss.Name,
        MinSnrGamma = loss.Weightings.OfType<MinSnrWeighting>().FirstOrDefault()?.Gamma,
        DebiasedEstimation = loss.Weightings.Any(w => w is DebiasedWeighting),
    };

    private static ModelSpecification Specification(SaveMoment moment, string outputName) => new()
    {
        Title = outputName,
        Date = moment.Plan.Clock.GetLocalNow(),
        ImplementationVersion = $"StableTune/{Version}",
        PredictsV = moment.Run.Prediction == ModelPrediction.V,
        // Of several sizes, the one that the others were made from.
        Resolution = (moment.Run.Dataset?.CommonSize ?? moment.Run.Dataset?.Options.Resolution) is { } size ? (size.Width, size.Height)
            : null,
        TimestepRange = moment.Plan.Timesteps.Range is var (first, last) && (first, last) != (0, 1000) ? (first, last) : null,
        EncoderLayer = moment.Plan.ClipSkip,
    };

    private static double Seconds(DateTimeOffset time) => time.ToUnixTimeMilliseconds() / 1000.0;
}
