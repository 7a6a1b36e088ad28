using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using StableTune.Adapters;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Imaging;
using StableTune.Optimizers;
using StableTune.Models;
using StableTune.Schedules;
using StableTune.Trainables;
using StableTune.Losses;
using StableTune.Training;

namespace StableTune;

/// <summary>
/// Describes a training run in plain words. A builder is a pen: each call replaces its plan; <see cref="Build"/> checks the plan and
/// gives a <see cref="Trainer"/> that later calls cannot change.
/// </summary>
/// <example><code>
/// var result = new TrainerBuilder()
///     .WithModel("models/sd15")
///     .WithImages("images/20_sls frog", resolution: 512)
///     .WithLoRA(rank: 16, alpha: 8)
///     .SaveTo("out/frog.safetensors")
///     .Train();
/// </code></example>
public sealed partial class TrainerBuilder : IAdapterSocket<TrainerBuilder>, ITrainableSocket<TrainerBuilder>, ILossSocket<TrainerBuilder>,
    INoiseSocket<TrainerBuilder>
{
    private TrainingPlan _plan = new();
    private DatasetPlan? _dataset;                                           // given as a whole
    private readonly List<Func<DatasetOptions, DatasetOptions>> _datasetChanges = [];
    private readonly List<Func<SubsetOptions, SubsetOptions>> _subsetChanges = [];
    private readonly List<SubsetPlan> _images = [];

    /// <summary>The plan as it stands.</summary>
    public TrainingPlan Plan => _plan with { Dataset = Images() };

    /// <summary>The base model: a single file (<c>.safetensors</c>, <c>.ckpt</c>), a diffusers folder, or a name on the hub such as
    /// "owner/name".</summary>
    /// <param name="path">A path, or a name on the hub.</param>
    /// <param name="options">How it is loaded; null leaves that as set. Types, device, progress and parts are the run's to choose.</param>
    public TrainerBuilder WithModel(string path, ModelLoadOptions? options = null) => Set(_plan with
    {
        ModelPath = path, GivenModel = null,
        Model = options is null ? _plan.Model : options with { VaePath = options.VaePath ?? _plan.Model.VaePath },
    });

    /// <summary>A base model that the program has loaded. It stays the program's: the run trains on it and leaves it loaded.</summary>
    /// <param name="model">The model, with the parts that the run needs.</param>
    public TrainerBuilder WithModel(StableDiffusionModel model) => Set(_plan with { GivenModel = Given(model), ModelPath = null });

    /// <summary>Another VAE than the model's own, for latents, samples and saved models.</summary>
    /// <param name="path">A file of a VAE or of a whole model, the folder of either, or a name on the hub.</param>
    public TrainerBuilder WithVae(string path) => Set(_plan with { Model = _plan.Model with { VaePath = path } });

    /// <summary>
    /// Adds a folder of images with captions in files beside them. A folder named as sd-scripts wants it,
    /// "20_sls frog", gives its repeats and, to images without a caption file, its text.
    /// </summary>
    /// <param name="folder">The folder; no sub-folders are looked at.</param>
    /// <param name="resolution">Side of the square that images are scaled to cover and cropped to, in pixels, a multiple of 8; null
    /// leaves it as set.</param>
    /// <param name="captionExtensions">The extensions of caption files; null is <c>.caption</c> alone, <see cref="CaptionFiles.Any"/>
    /// takes <c>.txt</c> too.</param>
    public TrainerBuilder WithImages(string folder, int? resolution = null, IReadOnlyList<string>? captionExtensions = null) =>
        WithImages(new FolderSource(folder) { CaptionExtensions = captionExtensions ?? CaptionFiles.Default }, resolution);

    /// <summary>Adds a source of images of your own.</summary>
    /// <param name="source">Where the images come from.</param>
    /// <param name="resolution">As in <see cref="WithImages(string, int?, IReadOnlyList{string})"/>.</param>
    public TrainerBuilder WithImages(IDatasetSource source, int? resolution = null)
    {
        _images.Add(new SubsetPlan(Given(source), new SubsetOptions()));
        return resolution is { } side ? WithResolution(side) : this;
    }

    /// <summary>Trains square images of this side.</summary>
    /// <param name="side">Pixels, a multiple of 8; 512 for Stable Diffusion 1.</param>
    public TrainerBuilder WithResolution(int side) => WithResolution(side, side);

    /// <summary>Trains images of this size; with <see cref="WithBuckets"/> of this area.</summary>
    /// <param name="width">Pixels, a multiple of 8.</param>
    /// <param name="height">Pixels, a multiple of 8.</param>
    public TrainerBuilder WithResolution(int width, int height) =>
        Set(options => options with { Resolution = new PixelSize(width, height) });

    /// <summary>Trains each image in about its own shape, as <see cref="AspectBuckets"/> does; the resolution then stands for an
    /// area.</summary>
    /// <param name="buckets">Limits and step; null for the usual ones.</param>
    public TrainerBuilder WithBuckets(AspectBuckets? buckets = null) => Set(options => options with { Bucketing = buckets ?? new() });

    /// <summary>
    /// Takes a whole data set; what else is said of images, resolution, buckets and batch size, before or after, changes it (of several
    /// data sets,
    /// <see cref="DatasetPlan.Others"/>, the first).
    /// </summary>
    /// <param name="dataset">The data set, for instance <c>DatasetBuilder.FromToml("data.toml")</c>; what is said to it later does not
    /// count here.</param>
    public TrainerBuilder WithDataset(DatasetBuilder dataset)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        _dataset = dataset.Plan;
        return this;
    }

    /// <summary>Images in a batch. Default 1.</summary>
    public TrainerBuilder WithBatchSize(int images) => Set(options => options with { BatchSize = images });

    /// <summary>Threads that read and prepare images ahead of the steps. Default: one less than there are processors, 1 to 8.</summary>
    /// <param name="threads">0 does it in the training thread. What is learnt does not depend on it.</param>
    /// <param name="batchesAhead">Batches prepared at most, which bounds the memory; null is twice the threads.</param>
    public TrainerBuilder WithWorkers(int threads, int? batchesAhead = null) =>
        Set(_plan with { Loader = _plan.Loader with { Workers = threads, BatchesAhead = batchesAhead } });

    /// <inheritdoc/>
    public TrainerBuilder WithAdapter(AdapterOptions options) => WithAdapter(options, null);

    /// <summary>Trains adapters.</summary>
    /// <param name="options">The kind: rank, alpha, parts, layers ...</param>
    /// <param name="training">How they are trained: name, rates of the parts, initial weights; null for the plan's rates and fresh
    /// weights.</param>
    public TrainerBuilder WithAdapter(AdapterOptions options, Func<AdapterTrainableOptions, AdapterTrainableOptions>? training)
    {
        var trainable = new AdapterTrainableOptions { Adapter = Given(options) };
        return WithTrainable(training?.Invoke(trainable) ?? trainable);
    }

    /// <summary>Trains a LoRA.</summary>
    /// <param name="adapter">Changes the kind's defaults: <c>o => o with { Rank = 16 }</c>.</param>
    /// <param name="training">Changes how it is trained: <c>t => t with { UNetRate = 1e-4 }</c>.</param>
    public TrainerBuilder WithLoRA(
        Func<LoRAOptions, LoRAOptions> adapter, Func<AdapterTrainableOptions, AdapterTrainableOptions>? training = null) =>
        WithAdapter(Given(adapter)(new LoRAOptions()), training);

    /// <inheritdoc/>
    public TrainerBuilder WithTrainable(TrainableOptions options) => Set(_plan with { Trainables = _plan.Trainables.Add(Given(options)) });

    /// <summary>How a batch becomes a loss. Default: noise is added to latents, and the network predicts it.</summary>
    public TrainerBuilder WithMethod(TrainingMethodOptions method) => Set(_plan with { Method = Given(method) });

    /// <summary>Gives a batch's latents, in the place of cached ones and the VAE.</summary>
    public TrainerBuilder WithStage(ILatentStage stage) => Set(_plan with { Stages = _plan.Stages with { Latents = Given(stage) } });

    /// <summary>Gives a batch's text conditions, in the place of cached ones and the text encoder.</summary>
    public TrainerBuilder WithStage(IContextStage stage) => Set(_plan with { Stages = _plan.Stages with { Context = Given(stage) } });

    /// <summary>Changes captions before they are encoded, in each step, after others that were given; captions are then not encoded
    /// ahead.</summary>
    public TrainerBuilder WithStage(ICaptionStage stage) =>
        Set(_plan with { Stages = _plan.Stages with { Captions = _plan.Stages.Captions.Add(Given(stage)) } });

    /// <summary>Tells the network something besides the text; in the place of the usual stages (SDXL's sizes, an inpainting model's
    /// masks), after others that were given.</summary>
    public TrainerBuilder WithStage(IConditionStage stage) =>
        Set(_plan with { Stages = _plan.Stages with { Conditions = [.. _plan.Stages.Conditions ?? [], Given(stage)] } });

    /// <summary>Changes the target of the prediction; in the place of the usual stage (outputs that are preserved), after others that
    /// were given.</summary>
    public TrainerBuilder WithStage(ITargetStage stage) =>
        Set(_plan with { Stages = _plan.Stages with { Targets = [.. _plan.Stages.Targets ?? [], Given(stage)] } });

    /// <summary>The network that predicts, in the place of the model's UNet.</summary>
    public TrainerBuilder WithNetwork(IDenoisingNetwork network) =>
        Set(_plan with { Stages = _plan.Stages with { Network = Given(network) } });

    /// <summary>Which parts of the model get adapters. Default all.</summary>
    public TrainerBuilder WithParts(AdapterParts parts) => Set(_plan with { Parts = parts });

    /// <summary>Trains the UNet only (sd-scripts: <c>network_train_unet_only</c>); captions are then encoded once.</summary>
    public TrainerBuilder TrainUNetOnly() => WithParts(AdapterParts.UNet);

    /// <summary>Trains the text encoder only (sd-scripts: <c>network_train_text_encoder_only</c>).</summary>
    public TrainerBuilder TrainTextEncoderOnly() => WithParts(AdapterParts.TextEncoder);

    /// <summary>Trains of the UNet its up blocks only (sd-trainer: <c>up_only</c>); no gradient flows through the rest of it.</summary>
    public TrainerBuilder TrainUpBlocksOnly() => Set(_plan with { UpBlocksOnly = true });

    /// <summary>The learning rate. Default 1e-4. What is not given stays as it was.</summary>
    /// <param name="rate">Of every part that has none of its own.</param>
    /// <param name="unet">Of the UNet, where it differs.</param>
    /// <param name="textEncoder">Of the text encoder, where it differs.</param>
    /// <param name="secondTextEncoder">Of SDXL's second text encoder, where it differs from the first; 0 leaves it as it is.</param>
    public TrainerBuilder WithLearningRate(
        double? rate = null, double? unet = null, double? textEncoder = null, double? secondTextEncoder = null) => Set(_plan with
    {
        LearningRate = rate ?? _plan.LearningRate, UNetLearningRate = unet ?? _plan.UNetLearningRate,
        TextEncoderLearningRate = textEncoder ?? _plan.TextEncoderLearningRate, SecondTextEncoderLearningRate = secondTextEncoder
            ?? _plan.SecondTextEncoderLearningRate,
    });

    /// <summary>Multiplies every learning rate by the images that one step sees (diffusers: <c>scale_lr</c>); see
    /// <see cref="TrainingPlan.ScaleLearningRate"/>.</summary>
    public TrainerBuilder WithScaledLearningRate(bool on = true) => Set(_plan with { ScaleLearningRate = on });

    /// <summary>The optimizer. Default AdamW.</summary>
    public TrainerBuilder WithOptimizer(OptimizerOptions options) => Set(_plan with { Optimizer = Given(options) });

    /// <summary>The learning-rate schedule. Default constant.</summary>
    public TrainerBuilder WithSchedule(LrScheduleOptions options) => Set(_plan with { Schedule = Given(options) });

    /// <summary>A constant learning rate after a linear rise from 0.</summary>
    public TrainerBuilder WithWarmup(Warmup warmup) => WithSchedule(new ConstantWithWarmupScheduleOptions { Warmup = warmup });

    /// <summary>How long to train. Default 1600 steps.</summary>
    public TrainerBuilder For(TrainingLength length) => Set(_plan with { Length = Given(length) });

    /// <summary>Batches whose gradients make one step. Default 1.</summary>
    public TrainerBuilder WithGradientAccumulation(int batches) => Set(_plan with { GradientAccumulation = batches });

    /// <summary>The norm to which gradients are clipped; null turns clipping off. Default 1.</summary>
    public TrainerBuilder WithMaxGradientNorm(double? norm) => Set(_plan with { MaxGradientNorm = norm });

    /// <summary>A way of your own to treat gradients before the update, in the place of clipping by their norm.</summary>
    public TrainerBuilder WithGradients(IGradientStage stage) => Set(_plan with { Gradients = Given(stage) });

    /// <summary>Number formats. Default float32.</summary>
    public TrainerBuilder WithPrecision(PrecisionPolicy policy) => Set(_plan with { Precision = Given(policy) });

    /// <summary>Computes activations again in the backward pass instead of keeping them: less memory, more time.</summary>
    public TrainerBuilder WithGradientCheckpointing(bool on = true) => Set(_plan with { GradientCheckpointing = on });

    /// <summary>Whether each image is encoded once; null, the default, decides by model and augmentations.</summary>
    /// <param name="on">Off encodes in every step, with a fresh draw.</param>
    /// <param name="toDisk">Keeps the latents in files, beside the images or in <see cref="CacheOptions.Directory"/>, where the next run
    /// finds them and does without the VAE.</param>
    public TrainerBuilder WithCachedLatents(bool? on = true, bool toDisk = false) =>
        WithCache(cache => cache with { Latents = on, LatentsToDisk = toDisk });

    /// <summary>Whether captions are encoded once; null, the default, decides by what is trained.</summary>
    /// <param name="on">Off encodes in every step.</param>
    /// <param name="toDisk">Keeps the outputs in files, where the next run finds them and does without the text encoder.</param>
    public TrainerBuilder WithCachedTextEncoderOutputs(bool? on = true, bool toDisk = false) =>
        WithCache(cache => cache with { TextEncoderOutputs = on, TextEncoderOutputsToDisk = toDisk });

    /// <summary>Changes options of caches.</summary>
    /// <param name="change">For instance <c>cache => cache with { Directory = "cache" }</c>.</param>
    public TrainerBuilder WithCache(Func<CacheOptions, CacheOptions> change) => Set(_plan with { Cache = Given(change)(_plan.Cache) });

    /// <summary>Which text-encoder layer is used, counted from its end, from 1. Not looked at for SDXL.</summary>
    public TrainerBuilder WithClipSkip(int layer) => Set(_plan with { ClipSkip = layer });

    /// <summary>Caption tokens that count: 75, 150, 225 ... Default 75.</summary>
    public TrainerBuilder WithMaxTokenLength(int tokens) => Set(_plan with { MaxTokenLength = tokens });

    /// <summary>Whether captions are padded to the full length; off pads them to the longest of their batch, see
    /// <see cref="TrainingPlan.PadTokens"/>. Default on.</summary>
    public TrainerBuilder WithTokenPadding(bool on = true) => Set(_plan with { PadTokens = on });

    /// <summary>Whether brackets weigh parts of captions, as in "a (red:1.3) cat". Default off.</summary>
    public TrainerBuilder WithWeightedCaptions(bool on = true) => Set(_plan with { WeightedCaptions = on });

    /// <summary>When the loss on held-out images is measured; needs <see cref="DatasetOptions.ValidationSplit"/>. Unless called, after
    /// each epoch.</summary>
    public TrainerBuilder WithValidation(ValidationOptions options) => Set(_plan with { Validation = Given(options) });

    /// <summary>Makes it a trial run of so many steps, whatever length was asked for.</summary>
    public TrainerBuilder TestRun(int steps) => Set(_plan with { TestSteps = steps });

    /// <summary>Whether padding is hidden from a text encoder like BERT's; unless called, the model's configuration decides. CLIP's has
    /// no mask.</summary>
    public TrainerBuilder WithAttentionMask(bool on = true) => Set(_plan with { UseAttentionMask = on });

    /// <summary>Seeds every random stream of the run. Default 42.</summary>
    public TrainerBuilder WithSeed(long seed) => Set(_plan with { Seed = seed });

    /// <inheritdoc/>
    public TrainerBuilder WithNoise(INoiseSource source) => Set(_plan with { Noise = Given(source) });

    /// <inheritdoc/>
    public TrainerBuilder WithNoiseLayer(NoiseLayer layer) => WithNoise(NoiseLayer.Over(_plan.Noise, Given(layer)));

    /// <summary>Stretches the model's noise schedule so that its last timestep is nothing but noise; see
    /// <see cref="TrainingPlan.ZeroTerminalSnr"/>. For models that predict velocity.</summary>
    public TrainerBuilder WithZeroTerminalSnr(bool on = true) => Set(_plan with { ZeroTerminalSnr = on });

    /// <inheritdoc/>
    public TrainerBuilder WithTimesteps(ITimestepSource source) => Set(_plan with { Timesteps = Given(source) });

    /// <inheritdoc/>
    public TrainerBuilder WithLoss(ILoss loss) => Set(_plan with { Loss = _plan.Loss with { Loss = Given(loss) } });

    /// <inheritdoc/>
    public TrainerBuilder WithLossWeighting(ILossWeighting weighting) =>
        Set(_plan with { Loss = _plan.Loss with { Weightings = [.. _plan.Loss.Weightings, Given(weighting)] } });

    /// <summary>Lets GPUs multiply float32 numbers in TensorFloat-32 during the run: faster, with 10 bits of precision in the factors.
    /// Not called, the process's own settings stay.</summary>
    public TrainerBuilder WithTf32(bool on = true) => Set(_plan with { AllowTf32 = on });

    /// <summary>Merges an adapter file into the model before anything is trained (sd-scripts: <c>base_weights</c>); may be called several
    /// times.</summary>
    /// <param name="path">The file.</param>
    /// <param name="multiplier">How strongly it acts.</param>
    public TrainerBuilder WithBaseAdapter(string path, float multiplier = 1f) =>
        Set(_plan with { BaseAdapters = _plan.BaseAdapters.Add(new BaseAdapter(path, multiplier)) });

    /// <summary>
    /// Lets the run give the same bits each time on a GPU too, more slowly; see <see cref="TrainingPlan.Deterministic"/>.
    /// </summary>
    public TrainerBuilder WithDeterminism(bool on = true) => Set(_plan with { Deterministic = on });

    /// <summary>Checks the whole plan: options, folders, file headers. Reads no weights and no pixels yet.</summary>
    /// <exception cref="InvalidOptionsException">Some options cannot work; the message lists every one.</exception>
    /// <exception cref="NativeBackendException">libtorch is missing, there twice, or does not fit; the message says which package to add
    /// or to remove.</exception>
    public Trainer Build()
    {
        NativeBackend.Load();
        return new(Plan);
    }

    /// <summary>Builds and trains on the calling thread. See <see cref="Trainer.Train"/>.</summary>
    public TrainingResult Train(IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Build().Train(progress, cancellationToken);

    /// <summary>Builds, then trains on a thread of its own. See <see cref="Trainer.TrainAsync"/>.</summary>
    public Task<TrainingResult> TrainAsync(IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Build().TrainAsync(progress, cancellationToken);

    private static T Given<T>(T value, [CallerArgumentExpression(nameof(value))] string name = "") where T : class =>
        value ?? throw new ArgumentNullException(name);

    private static ScalarType? Type(NumberFormat? format) => format switch
    {
        null => null,
        NumberFormat.Float16 => ScalarType.Float16,
        NumberFormat.BFloat16 => ScalarType.BFloat16,
        _ => ScalarType.Float32,
    };

    /// <summary>The data set that was given, with what else was said of images: order does not matter.</summary>
    private DatasetPlan Images()
    {
        var given = _dataset ?? new DatasetPlan();
        var options = _datasetChanges.Aggregate(given.Options, (options, change) => change(options));
        // Class images are drawn as large as the others are trained, unless they were given sizes.
        SubsetPlan Changed(SubsetPlan subset) => new(
            subset.Source is ClassImageSource drawn ? drawn.Sized(options.Resolution) : subset.Source,
            _subsetChanges.Aggregate(subset.Options, (options, change) => change(options)));
        return given with { Subsets = [.. given.Subsets.AddRange(_images).Select(Changed)], Options = options };
    }

    private TrainerBuilder Set(Func<DatasetOptions, DatasetOptions> change)
    {
        _datasetChanges.Add(change);
        return this;
    }

    private TrainerBuilder Set(TrainingPlan plan)
    {
        _plan = plan;
        return this;
    }
}
