using Microsoft.Extensions.Logging;

namespace StableTune.Training;

/// <summary>Tells a host's <see cref="ILogger"/>: start, end, epochs and saves as information, steps as debug messages, faults as
/// errors.</summary>
internal sealed partial class LoggerObserver(ILogger logger) : ITrainingObserver
{
    public void OnStart(TrainingStart start)
    {
        foreach (var warning in start.Warnings) Warned(logger, warning);
        Started(logger, start.TotalSteps, start.TotalEpochs, start.TrainedParameters);
    }

    public void OnStep(TrainingProgress progress) =>
        Stepped(logger, progress.Step, progress.TotalSteps, progress.Loss, progress.AverageLoss);

    public void OnEpoch(TrainingProgress progress) =>
        EpochDone(logger, progress.Epoch, progress.TotalEpochs, progress.AverageLoss, progress.DataWait, progress.Elapsed);

    public void OnSave(SaveMoment moment, IReadOnlyList<string> files) => Saved(logger, moment.Step, string.Join(", ", files));

    public void OnValidation(TrainingValidation validation) => Validated(logger, validation.Step, validation.Loss, validation.Divergence);

    public void OnSample(int step, IReadOnlyList<string> files) => Sampled(logger, step, string.Join(", ", files));

    public void OnEnd(TrainingEnd end)
    {
        if (end.Fault is null) Ended(logger, end.Step);
        else if (end.Fault is OperationCanceledException) Cancelled(logger, end.Step);
        else Failed(logger, end.Fault, end.Step);
    }

    [LoggerMessage(1, LogLevel.Information, "Training {Parameters} parameters for {Steps} steps in {Epochs} epochs")]
    private static partial void Started(ILogger logger, int steps, int epochs, long parameters);

    [LoggerMessage(2, LogLevel.Debug, "Step {Step}/{Steps}: loss {Loss}, average {AverageLoss}")]
    private static partial void Stepped(ILogger logger, int step, int steps, double loss, double averageLoss);

    [LoggerMessage(3, LogLevel.Information,
        "Epoch {Epoch}/{Epochs} done: average loss {AverageLoss}; so far steps waited {DataWait} of {Elapsed} for data")]
    private static partial void EpochDone(ILogger logger, int epoch, int epochs, double averageLoss, TimeSpan dataWait, TimeSpan elapsed);

    [LoggerMessage(4, LogLevel.Information, "Step {Step}: saved {Files}")]
    private static partial void Saved(ILogger logger, int step, string files);

    [LoggerMessage(5, LogLevel.Information, "Step {Step}: sampled {Files}")]
    private static partial void Sampled(ILogger logger, int step, string files);

    [LoggerMessage(6, LogLevel.Information, "Training ended after {Step} steps")]
    private static partial void Ended(ILogger logger, int step);

    [LoggerMessage(7, LogLevel.Warning, "Training was cancelled after {Step} steps")]
    private static partial void Cancelled(ILogger logger, int step);

    [LoggerMessage(8, LogLevel.Error, "Training failed after {Step} steps")]
    private static partial void Failed(ILogger logger, Exception fault, int step);

    [LoggerMessage(11, LogLevel.Information, "Step {Step}: loss on held-out images {Loss}, {Divergence} more than on trained ones")]
    private static partial void Validated(ILogger logger, int step, double loss, double divergence);

    [LoggerMessage(9, LogLevel.Warning, "{Warning}")]
    private static partial void Warned(ILogger logger, string warning);
}
