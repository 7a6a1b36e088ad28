namespace StableTune.Training;

/// <summary>Is told what happens in a run; cannot change it. All members have an empty default. Called on the training thread.</summary>
/// <remarks>An observer that also is <see cref="IResumable"/> is saved with the state of a run, and goes on where it stood. What an
/// observer throws does not end the run, unless <see cref="TrainingPlan.StopOnObserverFault"/> says so: it is logged and
/// counted.</remarks>
public interface ITrainingObserver : IValidated
{
    /// <summary>What the observer could not do in a run that has ended, a sentence or two each; told among the warnings of the result.
    /// Default none.</summary>
    IEnumerable<string> Warnings => [];

    /// <summary>Whether a run ends, with its weights and state saved, when this observer throws, whatever
    /// <see cref="TrainingPlan.StopOnObserverFault"/> says. Default false.</summary>
    bool FaultsEndTheRun => false;

    /// <summary>A run begins, and nothing is loaded yet: the place to look whether what is needed later can be had. An exception refuses
    /// the run.</summary>
    void OnPrepare(TrainingPlan plan) { }

    /// <summary>The run is about to take its first step.</summary>
    void OnStart(TrainingStart start) { }

    /// <summary>An optimizer step is done.</summary>
    void OnStep(TrainingProgress progress) { }

    /// <summary>An epoch is done.</summary>
    void OnEpoch(TrainingProgress progress) { }

    /// <summary>Files were written.</summary>
    void OnSave(SaveMoment moment, IReadOnlyList<string> files) { }

    /// <summary>The loss on held-out images was measured.</summary>
    void OnValidation(TrainingValidation validation) { }

    /// <summary>Sample images were written.</summary>
    void OnSample(int step, IReadOnlyList<string> files) { }

    /// <summary>The run has ended, well or not.</summary>
    void OnEnd(TrainingEnd end) { }
}

/// <summary>What is known when a run starts.</summary>
/// <param name="Plan">Its options.</param>
/// <param name="TotalSteps">Optimizer steps.</param>
/// <param name="TotalEpochs">Epochs, the last perhaps cut short.</param>
/// <param name="TrainedParameters">Numbers that will be trained.</param>
public sealed record TrainingStart(TrainingPlan Plan, int TotalSteps, int TotalEpochs, long TrainedParameters)
{
    /// <summary>What is odd about the run but works: of its images, caches, options, and of the machine. A sentence or two each.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Where the run goes on that is resumed; null for one that begins.</summary>
    public RunPosition? ResumedAt { get; init; }

    /// <summary>Steps that counted as done when the run first began (<see cref="StartOptions"/>): its clock has not seen them. 0
    /// otherwise.</summary>
    public int FirstStep { get; init; }
}

/// <summary>How a run ended.</summary>
/// <param name="Step">The last step done.</param>
/// <param name="Fault">What ended it; null when it went through, <see cref="OperationCanceledException"/> when it was cancelled.</param>
public sealed record TrainingEnd(int Step, Exception? Fault);
