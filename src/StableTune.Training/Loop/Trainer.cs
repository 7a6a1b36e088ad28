using StableTune.Data;
using StableTune.Training;

namespace StableTune;

/// <summary>A run that was checked and can start. Made by a builder, or from a plan.</summary>
public sealed class Trainer
{
    private readonly TrainingDataset _dataset;

    /// <summary>Takes a plan that works.</summary>
    /// <param name="plan">The options of the run.</param>
    /// <exception cref="InvalidOptionsException">The plan cannot work; the message lists every problem.</exception>
    public Trainer(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var (dataset, problems) = plan.Inspect();
        InvalidOptionsException.ThrowIfAny(problems);
        (Plan, _dataset) = (plan, dataset!);
    }

    /// <summary>The options of the run.</summary>
    public TrainingPlan Plan { get; }

    /// <summary>Trains on the calling thread, from loading the model to the last saved file.</summary>
    /// <param name="progress">Is told about every step, on the calling thread if its <see cref="IProgress{T}.Report"/> works there.</param>
    /// <param name="cancellationToken">Looked at between steps: the step ends, the weights are saved, then the exception is thrown.</param>
    /// <returns>What was reached and written.</returns>
    /// <exception cref="OperationCanceledException">The run was cancelled; what was trained so far is saved.</exception>
    /// <exception cref="TrainingDivergedException">The loss or the gradients became NaN or infinite; the last good weights are saved.</exception>
    /// <exception cref="InvalidFileException">A file turned out to be damaged.</exception>
    public TrainingResult Train(IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using var run = new TrainingRun(Plan, _dataset, progress);
        return run.Execute(cancellationToken);
    }

    /// <summary>Trains on a thread of its own: the engine's scopes and gradient mode belong to one thread. See <see cref="Train"/>.</summary>
    public Task<TrainingResult> TrainAsync(IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Task.Factory.StartNew(() => Train(progress, cancellationToken), cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
