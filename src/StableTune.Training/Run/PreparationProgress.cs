namespace StableTune.Training;

/// <summary>Tells the listener of a run about work that comes before the first step.</summary>
internal sealed class PreparationProgress(IProgress<TrainingProgress> run) : IProgress<WorkProgress>
{
    /// <summary>Progress of the preparation, sent on to a run's listener; null when nobody listens.</summary>
    public static IProgress<WorkProgress>? For(IProgress<TrainingProgress>? run) => run is null ? null : new PreparationProgress(run);

    public void Report(WorkProgress value) =>
        run.Report(new TrainingProgress { Phase = TrainingPhase.Preparing, Work = value, ResidentBytes = Environment.WorkingSet });
}
