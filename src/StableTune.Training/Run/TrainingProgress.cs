namespace StableTune;

/// <summary>What a run is doing.</summary>
public enum TrainingPhase
{
    /// <summary>Reading the model, filling caches: see <see cref="TrainingProgress.Work"/>.</summary>
    Preparing,

    /// <summary>Taking steps.</summary>
    Training,

    /// <summary>Measuring the loss on images that are held out.</summary>
    Validating,

    /// <summary>Drawing sample pictures.</summary>
    Sampling,

    /// <summary>Writing results.</summary>
    Saving,
}

/// <summary>Where a training run stands. Reported after every step, and while longer preparations run.</summary>
public sealed record TrainingProgress
{
    /// <summary>What is being done.</summary>
    public required TrainingPhase Phase { get; init; }

    /// <summary>The preparation at hand, in the phase <see cref="TrainingPhase.Preparing"/>; else null.</summary>
    public WorkProgress? Work { get; init; }

    /// <summary>Optimizer steps done.</summary>
    public int Step { get; init; }

    /// <summary>Optimizer steps in all; 0 while it is not known.</summary>
    public int TotalSteps { get; init; }

    /// <summary>The epoch, from 1; 0 before training.</summary>
    public int Epoch { get; init; }

    /// <summary>Epochs in all.</summary>
    public int TotalEpochs { get; init; }

    /// <summary>The loss of the last step; NaN before the first.</summary>
    public double Loss { get; init; } = double.NaN;

    /// <summary>The mean loss over the last epoch's worth of steps, as sd-scripts' <c>avr_loss</c>; NaN before the first step.</summary>
    public double AverageLoss { get; init; } = double.NaN;

    /// <summary>The samples of the last step, each with its timestep and its loss; empty before the first step, and for a method that has
    /// no timesteps.</summary>
    public IReadOnlyList<SampleLoss> Samples { get; init; } = [];

    /// <summary>The mean loss of samples by timestep, over the run so far; null where there are none.</summary>
    public TimestepHistogram? LossByTimestep { get; init; }

    /// <summary>The learning rate of each parameter group in the last step, by the group's name.</summary>
    public IReadOnlyDictionary<string, double> LearningRates { get; init; } = new Dictionary<string, double>();

    /// <summary>Norm of all gradients before clipping; NaN where it was not computed.</summary>
    public double GradientNorm { get; init; } = double.NaN;

    /// <summary>
    /// Further numbers of the step, as what is trained tells them: <c>max_norm/average_key_norm</c>. Where the loss is read late they may
    /// be those of the step that runs. In float16 also <c>loss_scale</c>, what the loss was multiplied by, and <c>skipped_steps</c>, the
    /// steps so far that changed nothing; the latter also with <see cref="NonFiniteOptions.Skip"/>.
    /// </summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>Time spent in training steps, without sampling and saving.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>
    /// Of <see cref="Elapsed"/>, the time that steps waited for their data: images still being read and prepared, or cached latents being
    /// read. Next to nothing where
    /// the loader works ahead fast enough; a large share says that it is the bottleneck.
    /// </summary>
    public TimeSpan DataWait { get; init; }

    /// <summary>Estimated time left for training steps; null before it can be known.</summary>
    public TimeSpan? Remaining { get; init; }

    /// <summary>Optimizer steps per second over the last steps.</summary>
    public double StepsPerSecond { get; init; }

    /// <summary>Memory of this process in use, bytes.</summary>
    public long ResidentBytes { get; init; }

    /// <summary>One line for people: "caching latents 3/8", "training 12/100".</summary>
    public override string ToString() => Work?.ToString()
        ?? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Phase.ToString().ToLowerInvariant()} {Step}/{TotalSteps}");
}
