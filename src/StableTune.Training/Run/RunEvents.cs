using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging;
using StableTune.Optimizers;

namespace StableTune.Training;

/// <summary>What the events of a run are told to, and what for.</summary>
internal sealed record EventParts
{
    public required TrainingPlan Plan { get; init; }

    public required RunLength Length { get; init; }

    public required RunDescription Run { get; init; }

    public required IReadOnlyList<AttachedTrainable> Trainables { get; init; }

    public required IReadOnlyList<ITrainingObserver> Observers { get; init; }

    public required IOptimizer Optimizer { get; init; }

    /// <summary>The weights that are evaluated and saved.</summary>
    public required EvaluationWeights Evaluation { get; init; }

    public TrainingSampler? Sampler { get; init; }

    /// <summary>Measures the loss on images that are held out; null where none are.</summary>
    public Func<double>? Validation { get; init; }

    public IProgress<TrainingProgress>? Progress { get; init; }
}

/// <summary>What happens between steps: observers are told, samples drawn, results saved.</summary>
internal sealed partial class RunEvents(EventParts parts) : IResumable
{
    private static readonly ValidationOptions s_eachEpoch = new();

    private readonly TrainingPlan _plan = parts.Plan;
    private readonly IReadOnlyList<ITrainingObserver> _observers = parts.Observers;
    private readonly List<string> _samples = [];
    private (int Step, int Epoch) _now;
    private double _leastLoss = double.PositiveInfinity;
    private bool _resultIsSaved, _ended;

    public string Name => "events";

    /// <summary>Sample pictures written so far.</summary>
    public IReadOnlyList<string> Samples => _samples;

    /// <summary>The last loss on images that are held out; NaN before it was measured.</summary>
    public double ValidationLoss { get; private set; } = double.NaN;

    /// <summary>How often it was measured.</summary>
    public int Validations { get; private set; }

    /// <summary>The folder of the last state that was written; null before.</summary>
    public string? LastState { get; private set; }

    /// <summary>Writes the state of the run into a folder; null where there is none to write now.</summary>
    public Func<Func<string, string>?> StateWriter { get; set; } = () => null;

    /// <summary>Whether something happens after this step that needs the run to stand still.</summary>
    public bool IsDueAfter(RunPosition position) =>
        position.Step == parts.Length.TotalSteps || position.Batch >= parts.Length.BatchesPerEpoch
        || (parts.Validation is not null && Validation.IsDueAfterStep(position.Step))
            || _plan.Samples?.IsDueAfterStep(position.Step) == true || _plan.Save.IsDueAfterStep(position.Step);

    public void Start(RunPosition position, bool isResumed)
    {
        _now = (position.Step, position.Epoch);
        var trained = parts.Optimizer.Groups.SelectMany(group => group.Parameters).Sum(parameter => parameter.Value.numel());
        var start = new TrainingStart(_plan, parts.Length.TotalSteps, parts.Length.TotalEpochs, trained) { Warnings = parts.Run.Warnings,
            ResumedAt = isResumed ? position : null };
        foreach (var observer in _observers) observer.OnStart(start);
        if (_plan.Samples is { Before: true } && (!isResumed || position.Step == 0)) Sample(SampleMoment.Before);
    }

    /// <summary>Tells of a step, and nothing more.</summary>
    public void Report(TrainingProgress state)
    {
        _now = (state.Step, state.Epoch);
        parts.Progress?.Report(state);
        foreach (var observer in _observers) observer.OnStep(state);
    }

    public void AfterStep(TrainingProgress state)
    {
        Report(state);
        if (Validation.IsDueAfterStep(state.Step)) Validate(state, afterEpoch: false);
        if (_plan.Samples?.IsDueAfterStep(state.Step) == true && !IsDrawnAtTheEnd(state)) Sample(SampleMoment.AtStep(state.Step));
        if (_plan.Save.IsDueAfterStep(state.Step)) Save(SaveReason.Step);
    }

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
        foreach (var observer in _observers) observer.OnEpoch(state);
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
        _resultIsSaved = true;
        if (_plan.Samples is { After: true }) Sample(SampleMoment.After(_now.Step));
        var faults = End(null);
        if (faults.Count > 0) ExceptionDispatchInfo.Throw(faults[0]);
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
        if (_now.Step > 0 && !_resultIsSaved)
        {
            Attempt(() => Tell(TrainingPhase.Saving), faults);
            var (files, unsaved) = SaveWhereItWorks();
            if (files.Length > 0)
                foreach (var observer in _observers) Attempt(() => observer.OnSave(Moment(SaveReason.Interrupted), files), faults);
            if (fault is OperationCanceledException && unsaved.Count > 0) worst = unsaved[0];
            faults.InsertRange(0, unsaved.Where(f => f != worst));
        }

        faults.AddRange(End(worst));
        foreach (var further in faults) FailedMeanwhile(_plan.Logger ?? NullLogger.Instance, further);
        return worst;
    }

    private string[] Save(SaveReason reason)
    {
        Tell(TrainingPhase.Saving);
        var moment = Moment(reason);
        var files = new List<string>();
        Write(moment, saver => files.AddRange(saver()));
        foreach (var observer in _observers) observer.OnSave(moment, files);
        return [.. files];
    }

    private (string[] Files, List<Exception> Faults) SaveWhereItWorks()
    {
        var (files, faults) = (new List<string>(), new List<Exception>());
        Write(Moment(SaveReason.Interrupted), saver => Attempt(() => files.AddRange(saver()), faults));
        return ([.. files], faults);
    }

    /// <summary>Lets every saver write the weights that are saved, with the state; or the trained ones with the state, and then the
    /// average.</summary>
    private void Write(SaveMoment moment, Action<Func<IReadOnlyList<string>>> each)
    {
        using var inference = no_grad();
        // Of the best there is one: what was measured.
        if (parts.Evaluation.SavesBoth && moment.Reason != SaveReason.Best)
        {
            foreach (var saver in _plan.Savers) each(() => saver.Save(moment));
            moment = moment with { Variant = SaveMoment.Average, WriteState = null };
        }

        using var evaluation = parts.Evaluation.Use();
        moment = moment with { WriteState = parts.Evaluation.Outside(moment.WriteState) };
        foreach (var saver in _plan.Savers) each(() => saver.Save(moment));
    }

    /// <summary>Tells every observer, once, that the run has ended.</summary>
    /// <returns>What they threw.</returns>
    private List<Exception> End(Exception? fault)
    {
        _ended = true;
        var faults = new List<Exception>();
        foreach (var observer in _observers) Attempt(() => observer.OnEnd(new TrainingEnd(_now.Step, fault)), faults);
        return faults;
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

    private SaveMoment Moment(SaveReason reason) =>
        new() { Reason = reason, Step = _now.Step, Epoch = _now.Epoch, TotalEpochs = parts.Length.TotalEpochs,
        Trainables = parts.Trainables, Plan = _plan, Run = parts.Run,
        WriteState = StateWriter() is { } write ? folder => LastState = write(folder) : null };

    private void Sample(SampleMoment moment, bool isShared = true)
    {
        if (parts.Sampler is not { } sampler) return;
        Tell(TrainingPhase.Sampling);
        using var evaluation = parts.Evaluation.Use();
        var files = sampler.Draw(moment, isShared);
        _samples.AddRange(files);
        foreach (var observer in _observers) observer.OnSample(_now.Step, files);
    }

    private ValidationOptions Validation => _plan.Validation ?? s_eachEpoch;

    private void Validate(TrainingProgress state, bool afterEpoch)
    {
        if (parts.Validation is not { } validation) return;
        Tell(TrainingPhase.Validating);
        using (parts.Evaluation.Use()) ValidationLoss = validation();
        Validations++;
        var measured = new TrainingValidation(state.Step, state.Epoch, afterEpoch, ValidationLoss, state.AverageLoss);
        foreach (var observer in _observers) observer.OnValidation(measured);
        if (!_plan.Save.KeepBest || !(ValidationLoss < _leastLoss)) return;
        _leastLoss = ValidationLoss;
        Save(SaveReason.Best);
    }

    private bool IsDrawnAtTheEnd(TrainingProgress state) => _plan.Samples is { After: true } && state.Step == parts.Length.TotalSteps;

    private void Tell(TrainingPhase phase) => parts.Progress?.Report(new TrainingProgress
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
