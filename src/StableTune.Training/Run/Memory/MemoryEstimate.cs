using System.Globalization;
using System.Text;
using StableTune.Torch;

namespace StableTune;

/// <summary>What a run will need of memory, estimated before it starts: see <see cref="Trainer.EstimateMemory"/>. All in bytes.</summary>
public sealed record MemoryEstimate
{
    /// <summary>Where the run takes place.</summary>
    public required Device Device { get; init; }

    /// <summary>What the process holds already, libtorch and .NET; 0 on a GPU.</summary>
    public long Process { get; init; }

    /// <summary>Frozen base weights of the parts that stay on the device.</summary>
    public required long FrozenWeights { get; init; }

    /// <summary>Trained weights.</summary>
    public required long TrainedWeights { get; init; }

    /// <summary>Their gradients.</summary>
    public required long Gradients { get; init; }

    /// <summary>What the optimizer remembers.</summary>
    public required long OptimizerState { get; init; }

    /// <summary>What a step keeps for its backward pass and computes with, at the largest size of the images.</summary>
    public required long Activations { get; init; }

    /// <summary>Freed memory of the CPU that is kept for the next tensors (<see cref="TrainingPlan.KeptMemoryBytes"/>) and lies idle at the
    /// peak; 0 on a GPU.</summary>
    public long Kept { get; init; }

    /// <summary>The peak of a training step.</summary>
    public long StepPeak => Process + FrozenWeights + TrainedWeights + Gradients + OptimizerState + Activations + Kept;

    /// <summary>The peak while images are encoded before training; 0 where they are not.</summary>
    public long CachingPeak { get; init; }

    /// <summary>The peak while samples are drawn; 0 without samples.</summary>
    public long SamplingPeak { get; init; }

    /// <summary>The most of all of them.</summary>
    public long Peak => Math.Max(StepPeak, Math.Max(CachingPeak, SamplingPeak));

    /// <summary>What can be had on the device besides what the process holds; null where nobody says.</summary>
    public long? Free { get; init; }

    /// <summary>Whether it will fit; null where the free memory is not known.</summary>
    public bool? Fits => Free is { } free ? Peak - Process <= free : null;

    /// <summary>Calls of the builder that would make it smaller, the most effective first.</summary>
    public IReadOnlyList<string> Advice { get; init; } = [];

    /// <summary>What could not be counted.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>A table for people.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (var (name, bytes) in new[]
        {
            ("process", Process), ("frozen weights", FrozenWeights), ("trained weights", TrainedWeights), ("gradients", Gradients),
            ("optimizer state", OptimizerState), ("activations", Activations), ("kept, lying idle", Kept),
            ("peak of a step", StepPeak), ("peak of caching", CachingPeak), ("peak of sampling", SamplingPeak),
            ($"free on {Device}", Free ?? 0),
        })
            if (bytes > 0) text.AppendLine(CultureInfo.InvariantCulture, $"{name,-20}{TrainingMemoryException.Size(bytes),12}");
        foreach (var note in Notes) text.AppendLine(note);
        if (Fits == false) text.AppendLine(Shortage);
        return text.ToString();
    }

    /// <summary>What to say where it does not fit.</summary>
    internal string Shortage =>
        $"The run needs about {TrainingMemoryException.Size(Peak)}, and {TrainingMemoryException.Size((Free ?? 0) + Process)} can be had "
        + $"on {Device}. To need less: {string.Join("; ", Advice)}.";
}
