namespace StableTune.Training;

/// <summary>Decides where a result goes and writes it there, complete or not at all (see <see cref="AtomicFile"/>).</summary>
public interface ISaver
{
    /// <summary>What is wrong with the saver's own options, asked before the run.</summary>
    IEnumerable<OptionProblem> Validate() => [];

    /// <summary>Writes what there is to write at this moment. Called on the training thread, without gradients.</summary>
    /// <returns>The paths of the files written; empty when there was nothing to write.</returns>
    IReadOnlyList<string> Save(SaveMoment moment);
}

/// <summary>Why something is saved.</summary>
public enum SaveReason
{
    /// <summary>So many steps are done.</summary>
    Step,

    /// <summary>An epoch is done.</summary>
    Epoch,

    /// <summary>The run has gone through.</summary>
    End,

    /// <summary>The run was cancelled, or ended by a fault: the last good weights.</summary>
    Interrupted,
}

/// <summary>What a saver is given.</summary>
public sealed record SaveMoment
{
    /// <summary>Why something is saved.</summary>
    public required SaveReason Reason { get; init; }

    /// <summary>Optimizer steps done.</summary>
    public required int Step { get; init; }

    /// <summary>The epoch, from 1.</summary>
    public required int Epoch { get; init; }

    /// <summary>What was trained.</summary>
    public required IReadOnlyList<ITrainingTarget> Targets { get; init; }

    /// <summary>The options of the run.</summary>
    public required TrainingPlan Plan { get; init; }

    /// <summary>What is known about the run for the file's metadata.</summary>
    public required RunDescription Run { get; init; }
}
