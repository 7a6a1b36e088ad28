using StableTune.Formats;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>Decides where a result goes and writes it there, complete or not at all (see <see cref="AtomicFile"/>).</summary>
public interface ISaver : IValidated
{
    /// <summary>What is wrong with the saver in this plan, asked before the run.</summary>
    /// <param name="plan">The options of the run.</param>
    IEnumerable<OptionProblem> Fits(TrainingPlan plan) => [];

    /// <summary>The files that it will have written at the end: the run does not start where one of them is a file of the model, or
    /// exists and is not to be overwritten.</summary>
    /// <param name="plan">The options of the run.</param>
    IEnumerable<SaverOutput> Outputs(TrainingPlan plan) => [];

    /// <summary>Writes what there is to write at this moment. Called on the training thread, without gradients.</summary>
    /// <returns>The paths of the files written; empty when there was nothing to write.</returns>
    IReadOnlyList<string> Save(SaveMoment moment);

    /// <summary>Takes what <see cref="Save"/> would write now, so that it can be written while training goes on
    /// (<see cref="SaveOptions.InBackground"/>). Null, the default, where it must be written at once: then <see cref="Save"/> is called.
    /// Called on the training thread, without gradients.</summary>
    /// <param name="moment">What is saved, and when.</param>
    /// <param name="copies">Takes the copies, and says when they are too many; they live until all is written.</param>
    /// <returns>Writes, on another thread, and gives the paths of the files written. Must not touch what is trained.</returns>
    Func<IReadOnlyList<string>>? Prepare(SaveMoment moment, PayloadCopies copies) => null;
}

/// <summary>A file or folder that a saver will write.</summary>
/// <param name="Option">The option that names it, for messages.</param>
/// <param name="Path">The path.</param>
public readonly record struct SaverOutput(string Option, string Path);

/// <summary>Why something is saved.</summary>
public enum SaveReason
{
    /// <summary>So many steps are done.</summary>
    Step,

    /// <summary>An epoch is done.</summary>
    Epoch,

    /// <summary>The run has gone through.</summary>
    End,

    /// <summary>The loss on held-out images is the least so far.</summary>
    Best,

    /// <summary>The run was cancelled, or ended by a fault: the last good weights.</summary>
    Interrupted,
}

/// <summary>Something that is trained or applied, with its options.</summary>
/// <param name="Options">The options.</param>
/// <param name="Instance">The thing itself, attached.</param>
public sealed record AttachedTrainable(TrainableOptions Options, ITrainable Instance);

/// <summary>What a saver is given.</summary>
public sealed record SaveMoment
{
    /// <summary>The <see cref="Variant"/> of a moving average: "ema".</summary>
    public const string Average = "ema";

    /// <summary>
    /// What the file's name says behind the result's own name, as several forms of one result are written: "ema" for
    /// <c>frog-ema.safetensors</c>. Null, the default, for the usual name.
    /// </summary>
    public string? Variant { get; init; }

    /// <summary>Why something is saved.</summary>
    public required SaveReason Reason { get; init; }

    /// <summary>Optimizer steps done.</summary>
    public required int Step { get; init; }

    /// <summary>The epoch, from 1.</summary>
    public required int Epoch { get; init; }

    /// <summary>
    /// How long training stood still for this save, once it is written: for the whole of it, or, in the background, for what was copied and
    /// waited for. Zero before.
    /// </summary>
    public TimeSpan Pause { get; init; }

    /// <summary>Epochs in all; the last may be cut short. Default 1.</summary>
    public int TotalEpochs { get; init; } = 1;

    /// <summary>What is trained or applied.</summary>
    public required IReadOnlyList<AttachedTrainable> Trainables { get; init; }

    /// <summary>The options of the run.</summary>
    public required TrainingPlan Plan { get; init; }

    /// <summary>What is known about the run for the file's metadata.</summary>
    public required RunDescription Run { get; init; }

    /// <summary>
    /// Writes the state of the run into a folder, from which <see cref="ResumeOptions"/> goes on; null where there is none to write: a
    /// fault in the middle of a step has no state that
    /// could be continued.
    /// </summary>
    public Func<string, string>? WriteState { get; init; }

    /// <summary>
    /// Takes the state of the run as it is now, and gives what writes it into a folder later, on any thread; null where the copies would
    /// take too much memory. Null where <see cref="WriteState"/> is.
    /// </summary>
    public Func<string, PayloadCopies, Func<string>?>? PrepareState { get; init; }
}
