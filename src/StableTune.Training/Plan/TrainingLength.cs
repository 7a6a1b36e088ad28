namespace StableTune;

/// <summary>How long to train: a number of optimizer steps, or of epochs.</summary>
public abstract record TrainingLength
{
    private TrainingLength() { }

    /// <summary>So many optimizer steps; one step may take several batches (gradient accumulation).</summary>
    public static TrainingLength Steps(int count) => new OfSteps(count);

    /// <summary>So many passes over all images with their repeats.</summary>
    public static TrainingLength Epochs(int count) => new OfEpochs(count);

    /// <summary>The number that was asked for.</summary>
    public abstract int Count { get; init; }

    /// <summary>Optimizer steps in all.</summary>
    /// <param name="stepsPerEpoch">Optimizer steps in one epoch, at least 1.</param>
    /// <exception cref="OverflowException">More steps than an <see cref="int"/> counts.</exception>
    public int TotalSteps(int stepsPerEpoch) => checked((int)ExactSteps(stepsPerEpoch));

    internal abstract long ExactSteps(int stepsPerEpoch);

    /// <summary>Whether steps were asked for.</summary>
    internal virtual bool IsInSteps => false;

    /// <summary>Epochs in all; the last may be cut short when steps were asked for.</summary>
    /// <param name="stepsPerEpoch">Optimizer steps in one epoch, at least 1.</param>
    public int TotalEpochs(int stepsPerEpoch) => (int)((TotalSteps(stepsPerEpoch) + (long)stepsPerEpoch - 1) / stepsPerEpoch);

    private sealed record OfSteps(int Count) : TrainingLength
    {
        public override int Count { get; init; } = Count;

        internal override long ExactSteps(int stepsPerEpoch) => Count;

        internal override bool IsInSteps => true;

        public override string ToString() => $"{Count} steps";
    }

    private sealed record OfEpochs(int Count) : TrainingLength
    {
        public override int Count { get; init; } = Count;

        internal override long ExactSteps(int stepsPerEpoch) => (long)Count * stepsPerEpoch;

        public override string ToString() => $"{Count} epochs";
    }
}
