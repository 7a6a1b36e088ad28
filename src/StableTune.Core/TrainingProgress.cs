namespace StableTune;

/// <summary>Where a training run stands. Reported after every step, and while longer preparations run.</summary>
public sealed record TrainingProgress
{
    /// <summary>What is being done: "loading", "caching latents", "training", "sampling", "saving" ...</summary>
    public required string Stage { get; init; }

    /// <summary>Optimizer steps done (or items, in stages that count items).</summary>
    public required int Step { get; init; }

    /// <summary>Optimizer steps (or items) in all.</summary>
    public required int TotalSteps { get; init; }

    /// <summary>What of it is at hand, for instance the file being downloaded; null where the stage says it all.</summary>
    public string? Item { get; init; }

    /// <summary>The epoch, from 1; 0 before training.</summary>
    public int Epoch { get; init; }

    /// <summary>Epochs in all.</summary>
    public int TotalEpochs { get; init; }

    /// <summary>The loss of the last step; NaN before the first.</summary>
    public double Loss { get; init; } = double.NaN;

    /// <summary>The mean loss over the last epoch's worth of steps, as sd-scripts' <c>avr_loss</c>; NaN before the first step.</summary>
    public double AverageLoss { get; init; } = double.NaN;

    /// <summary>The learning rate of each parameter group in the last step, by the group's name.</summary>
    public IReadOnlyDictionary<string, double> LearningRates { get; init; } = new Dictionary<string, double>();

    /// <summary>Norm of all gradients before clipping; NaN where it was not computed.</summary>
    public double GradientNorm { get; init; } = double.NaN;

    /// <summary>Time spent in training steps, without sampling and saving.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>
    /// Of <see cref="Elapsed"/>, the time that steps waited for their data: images still being read and prepared, or cached latents being read. Next to nothing where
    /// the loader works ahead fast enough; a large share says that it is the bottleneck.
    /// </summary>
    public TimeSpan DataWait { get; init; }

    /// <summary>Estimated time left for training steps; null before it can be known.</summary>
    public TimeSpan? Remaining { get; init; }

    /// <summary>Optimizer steps per second over the last steps.</summary>
    public double StepsPerSecond { get; init; }

    /// <summary>Memory of this process in use, bytes.</summary>
    public long ResidentBytes { get; init; }
}
