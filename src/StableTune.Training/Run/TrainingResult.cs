using StableTune.Models;
using StableTune.Training;

namespace StableTune;

/// <summary>What a finished run tells, and where it was asked to (<see cref="TrainingPlan.KeepModel"/>) the model with what was trained
/// on it. Needs to be disposed of only then.</summary>
public sealed record TrainingResult : IDisposable
{
    /// <summary>Optimizer steps taken.</summary>
    public required int Steps { get; init; }

    /// <summary>Epochs begun.</summary>
    public required int Epochs { get; init; }

    /// <summary>The loss of every step, in order.</summary>
    public required IReadOnlyList<double> Losses { get; init; }

    /// <summary>The mean loss over the last epoch's worth of batches.</summary>
    public required double AverageLoss { get; init; }

    /// <summary>The mean loss of samples by timestep, over the whole run, what came before a state that it went on from included; null for
    /// a method that has no timesteps.</summary>
    public TimestepHistogram? LossByTimestep { get; init; }

    /// <summary>Files written at the end, by all savers.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>Sample pictures written, in order; contact sheets included.</summary>
    public required IReadOnlyList<string> Samples { get; init; }

    /// <summary>Whether the run ended early because it was asked to (<see cref="TrainingControl.Stop"/>).</summary>
    public bool WasStopped { get; init; }

    /// <summary>What was odd about the run but worked, images that were skipped among it; see
    /// <see cref="Training.TrainingStart.Warnings"/>.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>What observers and the progress have thrown, which the run did without; empty when all went well.</summary>
    public IReadOnlyList<ObserverFault> ObserverFaults { get; init; } = [];

    /// <summary>Time spent in training steps.</summary>
    public required TimeSpan TrainingTime { get; init; }

    /// <summary>Of <see cref="TrainingTime"/>, the time that steps waited for their data; see
    /// <see cref="TrainingProgress.DataWait"/>.</summary>
    public TimeSpan DataWait { get; init; }

    /// <summary>What this process has sent to the others of the run, in bytes; 0 where it was alone.</summary>
    public long BytesSent { get; init; }

    /// <summary>
    /// The most memory that was needed, bytes; null where nobody says. On the CPU that of the process since it began, in RAM (pages of
    /// mapped weights count); on a CUDA device all that was in use there after a step, by others too.
    /// </summary>
    public long? PeakMemoryBytes { get; init; }

    /// <summary>The model with what was trained attached to it, ready to draw; null unless <see cref="TrainingPlan.KeepModel"/> was set.
    /// Freed with this result, unless the host gave it.</summary>
    public StableDiffusionModel? Model { get; init; }

    /// <summary>What was trained or applied, attached to <see cref="Model"/>; empty unless <see cref="TrainingPlan.KeepModel"/> was set.
    /// Taken off and freed with this result.</summary>
    public IReadOnlyList<AttachedTrainable> Trainables { get; init; } = [];

    internal bool OwnsModel { get; init; }

    /// <summary>Takes what was trained off the model, and frees both.</summary>
    public void Dispose()
    {
        foreach (var trainable in Trainables.Reverse()) trainable.Instance.Dispose();
        if (OwnsModel) Model?.Dispose();
    }
}
