using System.Runtime.CompilerServices;
using StableTune.Training;

namespace StableTune;

/// <summary>
/// A training in a <see cref="TrainingQueue"/>: what it is doing, what it has reached, and how to pause, stop or cancel it. All members
/// can be used from any thread.
/// </summary>
public sealed class TrainingJob
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _cancellation = new();
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<StepLoss> _losses = [];
    private readonly TimeProvider _clock;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TrainingJobStatus _status;
    private volatile bool _isStopping;

    internal TrainingJob(string id, string name, TrainerBuilder builder, TimeProvider clock)
    {
        (Id, Name, _clock) = (id, name, clock);
        _status = new() { QueuedAt = clock.GetUtcNow() };
        Control = builder.Plan.Control ?? new TrainingControl();
        Trainer = builder.WithControl(Control).WithObserver(new Observer(this)).Build();
    }

    /// <summary>Tells it from all others of the queue; fit for an address.</summary>
    public string Id { get; }

    /// <summary>What people call it.</summary>
    public string Name { get; }

    /// <summary>The run: its plan, its images, its length.</summary>
    public Trainer Trainer { get; }

    /// <summary>Steers the run: saves or draws now, changes rates. <see cref="Pause"/>, <see cref="Resume"/> and <see cref="Stop"/> of the
    /// job do the same, and tell those who watch at once.</summary>
    public TrainingControl Control { get; }

    /// <summary>What is known of it now.</summary>
    public TrainingJobStatus Status
    {
        get
        {
            lock (_lock)
            {
                return _status.State == TrainingJobState.Running && Control.IsPaused
                    ? _status with { State = TrainingJobState.Paused } : _status;
            }
        }
    }

    /// <summary>Ends when the training has ended, in whichever way; <see cref="Status"/> says in which. Never fails.</summary>
    public Task Completion => _completion.Task;

    /// <summary>What the run gave; null unless it went through or was stopped. With <see cref="TrainingPlan.KeepModel"/> it holds the
    /// model, and is the host's to dispose of.</summary>
    public TrainingResult? Result { get; private set; }

    /// <summary>The losses of steps, in order, those behind a step alone: what a chart lacks that has the others already.</summary>
    /// <param name="step">The last step that is known; 0 for all.</param>
    public IReadOnlyList<StepLoss> LossesAfter(int step = 0)
    {
        lock (_lock)
        {
            var first = _losses.Count;
            while (first > 0 && _losses[first - 1].Step > step) first--;
            return _losses[first..];
        }
    }

    /// <summary>
    /// Gives the status now, and again whenever it has changed, to the end of the training. Whoever is slow misses what lay between, and
    /// never holds up the run.
    /// </summary>
    /// <param name="cancellationToken">Ends the watching, not the training.</param>
    public async IAsyncEnumerable<TrainingJobStatus> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Task changed;
            lock (_lock) changed = _changed.Task;
            var status = Status;
            yield return status;
            if (status.HasEnded) yield break;
            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Lets the run stand still after the present step. One that waits for its turn will stand still at its first step.</summary>
    public void Pause()
    {
        Control.Pause();
        Change(status => status);
    }

    /// <summary>Lets a paused run go on.</summary>
    public void Resume()
    {
        Control.Resume();
        Change(status => status);
    }

    /// <summary>Ends the run after the present step, and saves its result as if it had been so long. One that has not begun is
    /// cancelled.</summary>
    public void Stop()
    {
        if (CancelQueued()) return;
        _isStopping = true;                                                  // a run that is just beginning clears its control
        Control.Stop();
    }

    /// <summary>Ends the run after the present step, and saves what was trained under the number of the step, with its state where states
    /// are written. One that has not begun never will.</summary>
    public void Cancel()
    {
        if (!CancelQueued()) _cancellation.Cancel();
    }

    /// <summary>Trains, and keeps what comes of it. Does nothing where it was cancelled before its turn.</summary>
    internal async Task RunAsync(CancellationToken stopping)
    {
        lock (_lock)
        {
            if (_status.State != TrainingJobState.Queued) return;
            _status = _status with { State = TrainingJobState.Running, StartedAt = _clock.GetUtcNow() };
        }

        Change(status => status);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_cancellation.Token, stopping);
        try
        {
            var result = await Trainer.TrainAsync(new Report(this), either.Token).ConfigureAwait(false);
            Result = result;
            End(result.WasStopped ? TrainingJobState.Stopped : TrainingJobState.Completed, null);
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            End(TrainingJobState.Cancelled, null);
        }
        catch (Exception fault)                                              // told in the status; the queue goes on with the next one
        {
            End(TrainingJobState.Failed, fault);
        }
    }

    /// <summary>Cancels it where its turn has not come; false where it has.</summary>
    internal bool CancelQueued()
    {
        lock (_lock)
        {
            if (_status.State != TrainingJobState.Queued) return false;
            _status = _status with { State = TrainingJobState.Cancelled, EndedAt = _clock.GetUtcNow() };
        }

        Change(status => status);
        _completion.TrySetResult();
        return true;
    }

    private void End(TrainingJobState state, Exception? fault)
    {
        Change(status => status with { State = state, Fault = fault, EndedAt = _clock.GetUtcNow() });
        _completion.TrySetResult();
    }

    private void Change(Func<TrainingJobStatus, TrainingJobStatus> change)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            _status = change(_status);
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.SetResult();
    }

    private void Note(TrainingProgress progress)
    {
        lock (_lock)
            if (double.IsFinite(progress.Loss) && progress.Step > (_losses.Count > 0 ? _losses[^1].Step : 0))
                _losses.Add(new StepLoss(progress.Step, progress.Loss, progress.AverageLoss));
        Change(status => status with { Progress = progress });
    }

    /// <summary>Every phase, on the thread that trains.</summary>
    private sealed class Report(TrainingJob job) : IProgress<TrainingProgress>
    {
        void IProgress<TrainingProgress>.Report(TrainingProgress value) => job.Note(value);
    }

    /// <summary>What a report does not tell.</summary>
    private sealed class Observer(TrainingJob job) : ITrainingObserver
    {
        public IEnumerable<OptionProblem> Validate() => [];

        public void OnStart(TrainingStart start)
        {
            if (job._isStopping) job.Control.Stop();
            job.Change(status => status with { Warnings = [.. start.Warnings] });
        }

        public void OnSave(SaveMoment moment, IReadOnlyList<string> files) =>
            job.Change(status => status with { Files = status.Files.AddRange(files) });

        public void OnSample(int step, IReadOnlyList<string> files) =>
            job.Change(status => status with { Samples = status.Samples.AddRange(files) });
    }
}
