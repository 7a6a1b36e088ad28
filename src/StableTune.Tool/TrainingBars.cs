namespace StableTune.Tool;

/// <summary>A run's progress on the bars of the program: preparing, then steps with the loss beside them.</summary>
internal sealed class TrainingBars(IProgress<WorkProgress> bars) : IProgress<TrainingProgress>
{
    public void Report(TrainingProgress value)
    {
        if (value.Work is { } work) bars.Report(work);
        else if (value.Phase == TrainingPhase.Training)
            bars.Report(new WorkProgress
            {
                Stage = "training", Done = value.Step, Total = value.TotalSteps,
                Item = FormattableString.Invariant($"loss {value.AverageLoss:F4}, {value.StepsPerSecond:F2} it/s"),
            });
    }
}
