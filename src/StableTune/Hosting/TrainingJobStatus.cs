using System.Collections.Immutable;

namespace StableTune;

/// <summary>Where a training of a <see cref="TrainingQueue"/> stands.</summary>
public enum TrainingJobState
{
    /// <summary>It waits for its turn.</summary>
    Queued,

    /// <summary>It is being prepared, trains, draws or saves: see <see cref="TrainingProgress.Phase"/>.</summary>
    Running,

    /// <summary>It stands still between two steps, or will after the present one.</summary>
    Paused,

    /// <summary>It went through, and its results are written.</summary>
    Completed,

    /// <summary>It was ended early, and its results are written as if it had been so long.</summary>
    Stopped,

    /// <summary>It was cancelled. What had been trained by then is saved, with its state where states are written.</summary>
    Cancelled,

    /// <summary>It failed: see <see cref="TrainingJobStatus.Fault"/>.</summary>
    Failed,
}

/// <summary>What is known of a training at one moment.</summary>
public sealed record TrainingJobStatus
{
    /// <summary>Whether it waits, runs, or how it ended.</summary>
    public TrainingJobState State { get; init; }

    /// <summary>The latest report of the run; null before the first.</summary>
    public TrainingProgress? Progress { get; init; }

    /// <summary>Files that were saved so far, in order.</summary>
    public ImmutableList<string> Files { get; init; } = [];

    /// <summary>Sample pictures that were drawn so far, in order, contact sheets included.</summary>
    public ImmutableList<string> Samples { get; init; } = [];

    /// <summary>What is odd about the run but works.</summary>
    public ImmutableList<string> Warnings { get; init; } = [];

    /// <summary>What ended a run that failed; null otherwise.</summary>
    public Exception? Fault { get; init; }

    /// <summary>When it was put into the queue.</summary>
    public DateTimeOffset QueuedAt { get; init; }

    /// <summary>When its turn came; null before.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it ended; null before.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Whether nothing will change any more.</summary>
    public bool HasEnded => State >= TrainingJobState.Completed;
}

/// <summary>The loss of a step.</summary>
/// <param name="Step">The step, from 1.</param>
/// <param name="Loss">Its loss.</param>
/// <param name="Average">The mean over the last epoch's worth of steps.</param>
public readonly record struct StepLoss(int Step, double Loss, double Average);
