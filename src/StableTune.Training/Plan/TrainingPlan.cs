using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using StableTune.Adapters;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Schedules;
using StableTune.Tensors;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune;

/// <summary>Everything that a run is to do: immutable, and checked as a whole before anything is loaded.</summary>
public sealed partial record TrainingPlan : OptionsBase
{
    /// <summary>The base model: a single file, a diffusers folder, or a name on the hub, which is downloaded when it is not in the
    /// cache.</summary>
    public string? ModelPath { get; init; }

    /// <summary>A model that the host has loaded, in the place of <see cref="ModelPath"/>; null, the default, for one that the run loads.
    /// Stays the host's: the run trains it and leaves it loaded.</summary>
    public StableDiffusionModel? GivenModel { get; init; }

    /// <summary>How the model is loaded: another VAE, version, prediction, variant, hub ... Types, device, progress and parts are the
    /// run's to choose: setting them here is refused.</summary>
    public ModelLoadOptions Model { get; init; } = new();

    /// <summary>The images and how they are used.</summary>
    public DatasetPlan Dataset { get; init; } = new();

    /// <summary>How images are read ahead of the steps: threads, memory. What it says of steps is the run's to choose. Changes nothing
    /// that is learnt.</summary>
    public BatchLoaderOptions Loader { get; init; } = new();

    /// <summary>What is trained, or applied without being trained, in the order of attaching.</summary>
    public ImmutableList<TrainableOptions> Trainables { get; init; } = [];

    /// <summary>How a batch becomes a loss. Default: noise is added to latents, and the network predicts it.</summary>
    public TrainingMethodOptions Method { get; init; } = new DenoisingOptions();

    /// <summary>A host's own stages of a step. Default none.</summary>
    public StageOptions Stages { get; init; } = new();

    /// <summary>Which parts of the model may get adapters; an adapter's own options can leave out more. Default all.</summary>
    public AdapterParts Parts { get; init; } = AdapterParts.All;

    /// <summary>
    /// Whether only the UNet's up blocks are trained, or get adapters (sd-trainer: <c>up_only</c>), so that no gradient flows through the
    /// rest of it. Text encoders are not concerned. Default false.
    /// </summary>
    public bool UpBlocksOnly { get; init; }

    /// <summary>The optimizer. Default AdamW.</summary>
    public OptimizerOptions Optimizer { get; init; } = new AdamWOptions();

    /// <summary>The learning-rate schedule. Default constant.</summary>
    public LrScheduleOptions Schedule { get; init; } = new ConstantScheduleOptions();

    /// <summary>The learning rate of every part that has none of its own. Default 1e-4.</summary>
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>The UNet's learning rate; null for <see cref="LearningRate"/>, 0 trains nothing there.</summary>
    public double? UNetLearningRate { get; init; }

    /// <summary>The text encoder's learning rate; null for <see cref="LearningRate"/>, 0 trains nothing there.</summary>
    public double? TextEncoderLearningRate { get; init; }

    /// <summary>The learning rate of SDXL's second text encoder; null for that of the first, 0 trains nothing there.</summary>
    public double? SecondTextEncoderLearningRate { get; init; }

    /// <summary>
    /// Whether every learning rate is multiplied by the images that one step sees: batch size, devices, <see cref="GradientAccumulation"/>
    /// (diffusers and ppdiffusers: <c>scale_lr</c>), so that a rate found with single images serves larger batches. Default false.
    /// </summary>
    public bool ScaleLearningRate { get; init; }

    /// <summary>How long to train. Default 1600 steps.</summary>
    public TrainingLength Length { get; init; } = TrainingLength.Steps(1600);

    /// <summary>Batches whose gradients make one step. Default 1.</summary>
    public int GradientAccumulation { get; init; } = 1;

    /// <summary>The norm to which the gradients of all trained parameters together are clipped; null turns clipping off. Default
    /// 1.</summary>
    public double? MaxGradientNorm { get; init; } = 1.0;

    /// <summary>A host's own way to treat gradients before the update; null, the default, clips them by
    /// <see cref="MaxGradientValue"/> and <see cref="MaxGradientNorm"/>.</summary>
    public IGradientStage? Gradients { get; init; }

    /// <summary>The state that the run goes on from; null, the default, begins anew.</summary>
    public ResumeOptions? Resume { get; init; }

    /// <summary>Steers the run while it goes on; null, the default, for nothing.</summary>
    public TrainingControl? Control { get; init; }

    /// <summary>A later epoch or step that the run begins with; null, the default, for the first.</summary>
    public StartOptions? Start { get; init; }

    /// <summary>Number formats. Default float32.</summary>
    public PrecisionPolicy Precision { get; init; } = PrecisionPolicy.Float32;

    /// <summary>Whether activations are computed again in the backward pass instead of kept: less memory, more time.</summary>
    public bool GradientCheckpointing { get; init; }

    /// <summary>What is computed once and kept: latents of images, text encoder outputs of captions. Default: in memory, whenever that is
    /// possible.</summary>
    public CacheOptions Cache { get; init; } = new();

    /// <summary>Which layer of the text encoder is used, counted from its end, from 1; null for the last.</summary>
    public int? ClipSkip { get; init; }

    /// <summary>Caption tokens that count: 75, 150, 225 ... Default 75.</summary>
    public int MaxTokenLength { get; init; } = 75;

    /// <summary>
    /// Whether captions are padded to the full length. False pads them to the longest of their batch only, as the first DreamBooth of
    /// diffusers had it (sd-scripts: <c>no_token_padding</c>): with 75 tokens, and captions are encoded in every step. Default true.
    /// </summary>
    public bool PadTokens { get; init; } = true;

    /// <summary>Whether padding is hidden from a text encoder like BERT's; null for what the model's configuration says, mostly no.
    /// CLIP's has no mask.</summary>
    public bool? UseAttentionMask { get; init; }

    /// <summary>
    /// Whether brackets weigh parts of captions, as in "a (red:1.3) cat" (sd-scripts: <c>weighted_captions</c>): each token's vector is
    /// multiplied by its
    /// weight. A comma inside brackets does not go together with shuffling. Default false: brackets are text.
    /// </summary>
    public bool WeightedCaptions { get; init; }

    /// <summary>Steps of a trial run (sd-trainer: <c>test_steps</c>), whatever <see cref="Length"/> says; null, the default, trains for
    /// the whole length.</summary>
    public int? TestSteps { get; init; }

    /// <summary>When the loss on held-out images (<see cref="DatasetOptions.ValidationSplit"/>) is measured; null, the default, after
    /// each epoch where there are some.</summary>
    public ValidationOptions? Validation { get; init; }

    /// <summary>Seeds every random stream of the run. Default 42.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Where noise comes from. Default normal noise.</summary>
    public INoiseSource Noise { get; init; } = new NormalNoise();

    /// <summary>Where timesteps come from. Default uniform over all.</summary>
    public ITimestepSource Timesteps { get; init; } = new UniformTimesteps();

    /// <summary>
    /// Whether the model's schedule is stretched so that its last timestep is nothing but noise (sd-scripts: <c>zero_terminal_snr</c>), for
    /// what is trained, for samples, and for a whole model that is saved, which then says so. Weightings of the loss go by the signal-to-
    /// noise ratios of before, as in sd-scripts. Meant for models that predict velocity. Default false: as the model's configuration says.
    /// </summary>
    /// <remarks>Lin et al., Common diffusion noise schedules and sample steps are flawed, arXiv:2305.08891.</remarks>
    public bool ZeroTerminalSnr { get; init; }

    /// <summary>The loss and its weightings by timestep. Default mean squared error without weighting.</summary>
    public DiffusionLoss Loss { get; init; } = new();

    /// <summary>When results are saved besides at the end.</summary>
    public SaveOptions Save { get; init; } = new();

    /// <summary>Whether results may take the place of files that exist. Default false: the run does not start then.</summary>
    public bool Overwrite { get; init; }

    /// <summary>
    /// Whether the result hands back the model with what was trained on it (<see cref="TrainingResult.Model"/>), so that a program can
    /// draw with it; it must then be disposed of. Default false.
    /// </summary>
    public bool KeepModel { get; init; }

    /// <summary>What writes results.</summary>
    public ImmutableList<ISaver> Savers { get; init; } = [];

    /// <summary>Pictures drawn to see what was learnt; null for none.</summary>
    public SampleOptions? Samples { get; init; }

    /// <summary>Who is told what happens.</summary>
    public ImmutableList<ITrainingObserver> Observers { get; init; } = [];

    /// <summary>
    /// Whether the norms of all trained tensors and of their gradients are told with each step, mean and largest
    /// (<c>norm/avg_key_norm</c>, <c>norm/max_key_norm</c>, <c>norm/avg_grad_norm</c>, <c>norm/max_grad_norm</c> in
    /// <see cref="TrainingProgress.Metrics"/>). The device is waited for in each step. Default false.
    /// </summary>
    public bool TellKeyNorms { get; init; }

    /// <summary>
    /// Whether a run ends, with its weights and state saved, when an observer or the progress throws. Default false: what they throw is
    /// logged, once for each kind, and counted (<see cref="TrainingResult.ObserverFaults"/>), and the run goes on without it. An
    /// <see cref="OperationCanceledException"/> cancels the run in any case.
    /// </summary>
    public bool StopOnObserverFault { get; init; }

    /// <summary>Log messages; null for none.</summary>
    public ILogger? Logger { get; init; }

    /// <summary>Where the run takes place; null for the first CUDA device if there is one, else the CPU.</summary>
    public Device? Device { get; init; }

    /// <summary>Several devices and processes that share each step's batch. Default one device in one process.</summary>
    public DistributedOptions Distributed { get; init; } = new();

    /// <summary>
    /// Whether GPUs may multiply float32 numbers in TensorFloat-32 during the run, in products and in convolutions: faster, with 10 bits
    /// of precision in the factors. Default false, which leaves the process's own settings (libtorch's: convolutions may, products may
    /// not).
    /// </summary>
    public bool AllowTf32 { get; init; }

    /// <summary>
    /// Adapter files that are merged into the model before anything is trained (sd-scripts: <c>base_weights</c>), in this order. A model
    /// that the host gave gets its own weights back after the run, unless the result keeps it. Default none.
    /// </summary>
    public ImmutableList<BaseAdapter> BaseAdapters { get; init; } = [];

    /// <summary>
    /// Whether the run uses algorithms that give the same bits each time on a GPU too (<see cref="DeterministicAlgorithms"/>): slower. An
    /// operation that has none throws. On the CPU runs repeat in any case. Default false.
    /// </summary>
    public bool Deterministic { get; init; }

    /// <summary>
    /// On a CPU: how much freed tensor memory is kept for the next step instead of going back to the system, in bytes. More is faster,
    /// because larger blocks are kept too, and raises the peak; 0 keeps none. Default 1 GiB: a step of a full-size model in float32 is then
    /// a quarter to a third shorter than with 32 MiB, and the peak 3 % (256x256) to 20 % (512x512) higher. From 1 GiB on blocks of any size
    /// are kept where no whole weights are trained. See <see cref="HostMemory"/>.
    /// </summary>
    public long KeptMemoryBytes { get; init; } = 1L << 30;

    /// <summary>Gives the meter that the run's numbers are told to, as a host's services have it; null, the default, for the meter of
    /// the process. See <see cref="TrainingTelemetry"/>.</summary>
    public IMeterFactory? Meters { get; init; }

    /// <summary>The clock of logs, progress and metadata.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>
    /// Whether losses are read a step late, so that the device is never waited for: progress then comes one step behind, and a loss that
    /// is no number is told one step later, though nothing is ever written of it. Null, the default, does so on devices other than the
    /// CPU. A schedule that looks at every loss, such as a plateau, reads them at once whatever is set here.
    /// </summary>
    public bool? ReadsLossLate { get; init; }

    /// <summary>How long to train in fact.</summary>
    internal TrainingLength EffectiveLength => TestSteps is { } steps ? TrainingLength.Steps(steps) : Length;

    /// <summary>The factor on every learning rate; see <see cref="ScaleLearningRate"/>.</summary>
    internal double LearningRateScale =>
        ScaleLearningRate ? (double)Dataset.Options.BatchSize * Distributed.Shares * GradientAccumulation : 1;

    /// <summary>Conditions of captions, as this plan wants them.</summary>
    internal TextConditions Encode(IPromptEncoder encoder, IReadOnlyList<string> captions) =>
        !PadTokens ? encoder.EncodeUnpadded(captions, ClipSkip, WeightedCaptions) : WeightedCaptions
        ? encoder.EncodeWeighted(captions, ClipSkip, MaxTokenLength)
        : encoder.Encode(captions, ClipSkip, MaxTokenLength);

    /// <summary>The class images that the data set asks for.</summary>
    internal IEnumerable<ClassImageSource> ClassImages =>
        Dataset.Others.Prepend(Dataset).SelectMany(dataset => dataset.Subsets).Select(subset => subset.Source).OfType<ClassImageSource>();

    /// <summary>Optimizer steps in an epoch; its last step may have fewer batches.</summary>
    internal int StepsPerEpoch(TrainingDataset dataset) =>
        (int)((dataset.BatchesPerEpoch + (long)GradientAccumulation - 1) / GradientAccumulation);

    /// <summary>Whether the text encoder is trained, so that its outputs cannot be cached.</summary>
    internal bool TrainsTextEncoder =>
        Trainables.Any(trainable => trainable.TrainsTextEncoder(this));

    /// <summary>Whether something that is trained or applied changes what the text encoder gives, so that outputs cached by other runs
    /// are not its.</summary>
    internal bool ChangesTextEncoder => Trainables.Any(trainable => trainable.ChangesTextEncoder(this));

    /// <summary>Whether caching latents was asked for in so many words.</summary>
    internal bool AsksForLatents => Cache.Latents == true || Cache.LatentsToDisk;

    /// <summary>Whether caching text encoder outputs was asked for in so many words.</summary>
    internal bool AsksForTextOutputs => Cache.TextEncoderOutputs == true || Cache.TextEncoderOutputsToDisk;

    /// <summary>Whether this run encodes each image once. What was not said is done where it is possible.</summary>
    /// <param name="dataset">The images.</param>
    /// <param name="needsPixels">Whether steps need the pictures, for instance to mask other parts of them in every step.</param>
    internal bool CachesLatents(TrainingDataset dataset, bool needsPixels) =>
        AsksForLatents || (Cache.Latents is null && !needsPixels && !LatentCache.Validate(dataset).Any());

    /// <summary>Whether captions matter: not to a method that runs neither the UNet nor a text encoder.</summary>
    internal bool UsesTexts => (Method.Needs & (MethodNeeds.UNet | MethodNeeds.TextEncoder)) != 0;

    /// <summary>Whether this run encodes each caption once.</summary>
    internal bool CachesTextOutputs(TrainingDataset dataset) => UsesTexts && (
        AsksForTextOutputs || (Cache.TextEncoderOutputs is null && PadTokens && !ChangesTextEncoder && Stages.Captions.Count == 0
            && !TextOutputCache.Validate(dataset).Any()));
}
