using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging;
using StableTune.Formats;
using StableTune.Optimizers;

namespace StableTune.Training;

/// <summary>What the events of a run are told to, and what for.</summary>
internal sealed record EventParts
{
    public required TrainingPlan Plan { get; init; }

    public required RunLength Length { get; init; }

    public required RunDescription Run { get; init; }

    public required IReadOnlyList<AttachedTrainable> Trainables { get; init; }

    /// <summary>Observers and progress.</summary>
    public required ObserverCalls Calls { get; init; }

    public required IOptimizer Optimizer { get; init; }

    /// <summary>The weights that are evaluated and saved.</summary>
    public required EvaluationWeights Evaluation { get; init; }

    public TrainingSampler? Sampler { get; init; }

    /// <summary>Measures the loss on images that are held out; null where none are.</summary>
    public Func<double>? Validation { get; init; }
}

/// <summary>What happens between steps: observers are told, samples drawn, results saved.</summary>
internal sealed partial class RunEvents(EventParts parts) : IResumable
{
    /// <summary>What copies of saves leave in memory for the next: those of an adapter and its state; a whole model's are given
    /// back.</summary>
    private const long KeptForCopies = 256L << 20;

    private static readonly ValidationOptions s_eachEpoch = new();

    private readonly TrainingPlan _plan = parts.Plan;
    private readonly ObserverCalls _calls = parts.Calls;
    private readonly List<string> _samples = [];
    private (int Step, int Epoch) _now;
    private double _leastLoss = double.PositiveInfinity;
    private readonly CopyMemory _copyMemory = new(KeptForCopies);
    private BackgroundSave? _saving;
    private volatile string? _lastState;
    private bool _resultIsSaved, _ended;

    public string Name => "events";

    /// <summary>Sample pictures written so far.</summary>
    public IReadOnlyList<string> Samples => _samples;

    /// <summary>The last loss on images that are held out; NaN before it was measured.</summary>
    public double ValidationLoss { get; private set; } = double.NaN;

    /// <summary>How often it was measured.</summary>
    public int Validations { get; private set; }

    /// <summary>The folder of the last state that was written; null before.</summary>
    public string? LastState => _lastState;

    /// <summary>What observers and progress have thrown.</summary>
    public IReadOnlyList<ObserverFault> ObserverFaults => _calls.Faults;

    /// <summary>The state of the run now; null where there is none that could be continued.</summary>
    public Func<StateContent?> State { get; set; } = () => null;

    /// <summary>Whether something happens after this step that needs the run to stand still.</summary>
    public bool IsDueAfter(RunPosition position) =>
        _calls.IsEnding || _saving?.IsDone == true
        || position.Step == parts.Length.TotalSteps || position.Batch >= parts.Length.BatchesPerEpoch
        || (parts.Validation is not null && Validation.IsDueAfterStep(position.Step))
            || _plan.Samples?.IsDueAfterStep(position.Step) == true || _plan.Save.IsDueAfterStep(position.Step);

    public void Start(RunPosition position, bool isResumed, int firstStep)
    {
        _now = (position.Step, position.Epoch);
        var trained = parts.Optimizer.Groups.SelectMany(group => group.Parameters).Sum(parameter => parameter.Value.numel());
        var start = new TrainingStart(_plan, parts.Length.TotalSteps, parts.Length.TotalEpochs, trained) { Warnings = parts.Run.Warnings,
            ResumedAt = isResumed ? position : null, FirstStep = firstStep };
        _calls.Tell(nameof(ITrainingObserver.OnStart), observer => observer.OnStart(start));
        _calls.ThrowIfEnding();
        if (_plan.Samples is { Before: true } && (!isResumed || position.Step == 0)) Sample(SampleMoment.Before);
    }

    /// <summary>Tells of a step, and nothing more.</summary>
    public void Report(TrainingProgress state)
    {
        _now = (state.Step, state.Epoch);
        _calls.Report(state);
        _calls.Tell(nameof(ITrainingObserver.OnStep), observer => observer.OnStep(state));
    }

    public void AfterStep(TrainingProgress state)
    {
        Report(state);
        _calls.ThrowIfEnding();
        if (_saving?.IsDone == true) FinishSaving();
        if (Validation.IsDueAfterStep(state.Step)) Validate(state, afterEpoch: false);
        if (_plan.Samples?.IsDueAfterStep(state.Step) == true && !IsDrawnAtTheEnd(state)) Sample(SampleMoment.AtStep(state.Step));
        if (_plan.Save.IsDueAfterStep(state.Step)) Save(SaveReason.Step);
    }

    /// <summary>To be called before what is trained changes: a save that is being written may still read it.</summary>
    public void BeforeChange() => _saving?.CopyRest();

    /// <summary>Saves because the host asked for it.</summary>
    public void SaveNow(TrainingProgress state)
    {
        if (!_plan.Save.IsDueAfterStep(state.Step)) Save(SaveReason.Step);
    }

    /// <summary>Draws samples because the host asked for it.</summary>
    public void SampleNow(TrainingProgress state)
    {
        if (_plan.Samples?.IsDueAfterStep(state.Step) != true) Sample(SampleMoment.AtStep(state.Step), isShared: false);
    }

    public void AfterEpoch(TrainingProgress state)
    {
        _calls.Tell(nameof(ITrainingObserver.OnEpoch), observer => observer.OnEpoch(state));
        _calls.ThrowIfEnding();
        if (Validation.IsDueAfterEpoch(state.Epoch)) Validate(state, afterEpoch: true);
        if (_plan.Samples?.IsDueAfterEpoch(state.Epoch) == true && !IsDrawnAtTheEnd(state)) Sample(SampleMoment.AtEpoch(state.Epoch));
        if (_plan.Save.IsDueAfterEpoch(state.Epoch, parts.Length.TotalEpochs)) Save(SaveReason.Epoch);
    }

    /// <summary>Leaves the weights that were saved in the place of those that were trained, where they are others.</summary>
    public void LeaveEvaluationWeights() =>
        parts.Evaluation.Leave(parts.Optimizer.Groups.SelectMany(group => group.Parameters).Select(parameter => parameter.Value));

    /// <summary>The last saves and samples of a run that went through.</summary>
    public IReadOnlyList<string> Finish()
    {
        var files = Save(SaveReason.End);
        if (_plan.Samples is { After: true }) Sample(SampleMoment.After(_now.Step));
        End(null);
        _calls.ThrowIfEnding();
        return files;
    }

    /// <summary>
    /// Saves the last good weights of a run that was cancelled or failed, with every saver that can, and tells the observers. What
    /// goes wrong meanwhile does not hide the fault, it is logged; but a cancelled run whose weights could not be saved has failed.
    /// </summary>
    /// <returns>What the caller of the run should be told: the fault, or why a cancelled run's weights could not be saved.</returns>
    public Exception Interrupt(Exception fault)
    {
        if (_ended) return fault;
        var faults = new List<Exception>();
        var worst = fault;
        Attempt(FinishSaving, faults);
        if (_now.Step > 0 && !_resultIsSaved)
        {
            Tell(TrainingPhase.Saving);
            var clock = Stopwatch.GetTimestamp();
            var (files, unsaved) = SaveWhereItWorks();
            if (files.Length > 0) Saved(Moment(SaveReason.Interrupted) with { Pause = Stopwatch.GetElapsedTime(clock) }, files);
            if (fault is OperationCanceledException && unsaved.Count > 0) worst = unsaved[0];
            faults.InsertRange(0, unsaved.Where(f => f != worst));
        }

        End(worst);
        foreach (var further in faults) FailedMeanwhile(_plan.Logger ?? NullLogger.Instance, further);
        return worst;
    }

    private string[] Save(SaveReason reason)
    {
        FinishSaving();
        Tell(TrainingPhase.Saving);
        var moment = Moment(reason);
        var files = new List<string>();
        // The last save is waited for anyway.
        if (_plan.Save.InBackground && reason != SaveReason.End) Begin(moment, files);
        else
        {
            var clock = Stopwatch.GetTimestamp();
            Write(moment, (saver, now) => files.AddRange(saver.Save(now)));
            _resultIsSaved |= reason == SaveReason.End;
            Saved(moment with { Pause = Stopwatch.GetElapsedTime(clock) }, files);
        }

        _calls.ThrowIfEnding();
        return [.. files];
    }

    /// <summary>Begins to write what is saved; what can be neither copied nor left in its place is written now.</summary>
    private void Begin(SaveMoment moment, List<string> files)
    {
        var saving = new BackgroundSave(moment, _plan.Save.MaxCopyBytes, _copyMemory);
        using var still = saving.StandStill();
        try
        {
            Write(moment, (saver, now) =>
            {
                // Where an average takes the place of what is trained, it does so for this moment alone.
                var stays = !parts.Evaluation.AreInPlace && !parts.Evaluation.SavesBoth;
                if (!saving.TryPrepare(saver, now, stays)) files.AddRange(saver.Save(now));
            });
        }
        catch
        {
            saving.Dispose();
            throw;
        }

        saving.Start(files);
        _saving = saving;
    }

    /// <summary>Waits for what is being written, and tells of it.</summary>
    /// <exception cref="IOException">It could not be written.</exception>
    private void FinishSaving()
    {
        if (Interlocked.Exchange(ref _saving, null) is not { } saving) return;
        var files = saving.Finish();
        Saved(saving.Moment with { Pause = saving.Pause }, files);
    }

    private void Saved(SaveMoment moment, IReadOnlyList<string> files) =>
        _calls.Tell(nameof(ITrainingObserver.OnSave), observer => observer.OnSave(moment, files));

    private (string[] Files, List<Exception> Faults) SaveWhereItWorks()
    {
        var (files, faults) = (new List<string>(), new List<Exception>());
        Write(Moment(SaveReason.Interrupted), (saver, now) => Attempt(() => files.AddRange(saver.Save(now)), faults));
        return ([.. files], faults);
    }

    /// <summary>Lets every saver write the weights that are saved, with the state; or the trained ones with the state, and then the
    /// average.</summary>
    private void Write(SaveMoment moment, Action<ISaver, SaveMoment> each)
    {
        using var inference = no_grad();
        // Of the best there is one: what was measured.
        if (parts.Evaluation.SavesBoth && moment.Reason != SaveReason.Best)
        {
            foreach (var saver in _plan.Savers) each(saver, moment);
            moment = moment with { Variant = SaveMoment.Average, WriteState = null, PrepareState = null };
        }

        using var evaluation = parts.Evaluation.Use();
        var (write, prepare) = (moment.WriteState, moment.PrepareState);
        if (write is not null && prepare is not null)
            moment = moment with
            {
                WriteState = folder => parts.Evaluation.Outside(() => write(folder)),
                PrepareState = (folder, copies) => parts.Evaluation.Outside(() => prepare(folder, copies)),
            };
        foreach (var saver in _plan.Savers) each(saver, moment);
    }

    /// <summary>Tells every observer, once, that the run has ended.</summary>
    private void End(Exception? fault)
    {
        _ended = true;
        _copyMemory.Dispose();
        _calls.Tell(nameof(ITrainingObserver.OnEnd), observer => observer.OnEnd(new TrainingEnd(_now.Step, fault)));
    }

    private static void Attempt(Action action, List<Exception> faults)
    {
        try
        {
            action();
        }
        catch (Exception fault)                                              // hosts' code: it may throw anything
        {
            faults.Add(fault);
        }
    }

    private SaveMoment Moment(SaveReason reason)
    {
        var moment = new SaveMoment
        {
            Reason = reason, Step = _now.Step, Epoch = _now.Epoch, TotalEpochs = parts.Length.TotalEpochs, Trainables = parts.Trainables,
            Plan = _plan, Run = parts.Run,
        };
        if (State() is not { } state) return moment;
        return moment with
        {
            WriteState = folder =>
            {
                using var scope = NewDisposeScope();
                return _lastState = StateFolder.Write(folder, state);
            },
            PrepareState = (folder, copies) =>
            {
                using var scope = NewDisposeScope();
                return StateFolder.Prepare(folder, state, copies) is { } write ? () => _lastState = write() : null;
            },
        };
    }

    private void Sample(SampleMoment moment, bool isShared = true)
    {
        if (parts.Sampler is not { } sampler) return;
        Tell(TrainingPhase.Sampling);
        BeforeChange();
        using var evaluation = parts.Evaluation.Use();
        var files = sampler.Draw(moment, isShared);
        _samples.AddRange(files);
        _calls.Tell(nameof(ITrainingObserver.OnSample), observer => observer.OnSample(_now.Step, files));
        _calls.ThrowIfEnding();
    }

    private ValidationOptions Validation => _plan.Validation ?? s_eachEpoch;

    private void Validate(TrainingProgress state, bool afterEpoch)
    {
        if (parts.Validation is not { } validation) return;
        Tell(TrainingPhase.Validating);
        BeforeChange();
        using (parts.Evaluation.Use()) ValidationLoss = validation();
        Validations++;
        var measured = new TrainingValidation(state.Step, state.Epoch, afterEpoch, ValidationLoss, state.AverageLoss);
        _calls.Tell(nameof(ITrainingObserver.OnValidation), observer => observer.OnValidation(measured));
        _calls.ThrowIfEnding();
        if (!_plan.Save.KeepBest || !(ValidationLoss < _leastLoss)) return;
        _leastLoss = ValidationLoss;
        Save(SaveReason.Best);
    }

    private bool IsDrawnAtTheEnd(TrainingProgress state) => _plan.Samples is { After: true } && state.Step == parts.Length.TotalSteps;

    private void Tell(TrainingPhase phase) => _calls.Report(new TrainingProgress
    {
        Phase = phase, Step = _now.Step, TotalSteps = parts.Length.TotalSteps, Epoch = _now.Epoch, TotalEpochs = parts.Length.TotalEpochs,
        ResidentBytes = Environment.WorkingSet,
    });

    public void Save(StateWriter writer)
    {
        writer.Texts("samples", _samples);
        writer.Number("validation_loss", ValidationLoss);
        writer.Number("validations", (long)Validations);
        writer.Number("least_validation_loss", _leastLoss);
    }

    public void Load(StateReader reader)
    {
        _samples.AddRange(reader.Texts("samples"));
        ValidationLoss = reader.Double("validation_loss");
        if (reader.Has("validations")) Validations = (int)reader.Long("validations");
        if (reader.Has("least_validation_loss")) _leastLoss = reader.Double("least_validation_loss");
    }

    [LoggerMessage(10, LogLevel.Error, "Something failed while the run was ended")]
    private static partial void FailedMeanwhile(ILogger logger, Exception fault);
}
