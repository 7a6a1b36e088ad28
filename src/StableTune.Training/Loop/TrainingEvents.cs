using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace StableTune.Training;

/// <summary>What happens between steps: observers are told, samples drawn, results saved.</summary>
internal sealed partial class TrainingEvents(
    TrainingPlan plan, IReadOnlyList<ITrainingTarget> targets, RunDescription run, IReadOnlyList<ITrainingObserver> observers,
    TrainingSampler? sampler, Func<double>? validation, IProgress<TrainingProgress>? progress)
{
    private static readonly ValidationOptions s_eachEpoch = new();

    private readonly List<string> _samples = [];
    private (int Step, int Epoch) _now;
    private bool _resultIsSaved, _ended;

    public int TotalSteps => run.TotalSteps;

    public int TotalEpochs => run.TotalEpochs;

    public IReadOnlyList<string> Warnings => run.Warnings;

    /// <summary>Sample pictures written so far.</summary>
    public IReadOnlyList<string> Samples => _samples;

    public void Start(long trainedParameters)
    {
        foreach (var observer in observers) observer.OnStart(new TrainingStart(plan, TotalSteps, TotalEpochs, trainedParameters) { Warnings = run.Warnings });
        if (plan.Samples is { Before: true }) Sample(SampleMoment.Before);
    }

    public void AfterStep(TrainingProgress state)
    {
        _now = (state.Step, state.Epoch);
        progress?.Report(state);
        foreach (var observer in observers) observer.OnStep(state);
        if (Validation.IsDueAfterStep(state.Step)) Validate(state, afterEpoch: false);
        if (plan.Samples?.IsDueAfterStep(state.Step) == true && !IsDrawnAtTheEnd(state)) Sample(SampleMoment.AtStep(state.Step));
        if (plan.Save.IsDueAfterStep(state.Step)) Save(SaveReason.Step);
    }

    public void AfterEpoch(TrainingProgress state)
    {
        foreach (var observer in observers) observer.OnEpoch(state);
        if (Validation.IsDueAfterEpoch(state.Epoch)) Validate(state, afterEpoch: true);
        if (plan.Samples?.IsDueAfterEpoch(state.Epoch) == true && !IsDrawnAtTheEnd(state)) Sample(SampleMoment.AtEpoch(state.Epoch));
        if (plan.Save.IsDueAfterEpoch(state.Epoch, TotalEpochs)) Save(SaveReason.Epoch);
    }

    /// <summary>The last saves and samples of a run that went through.</summary>
    public IReadOnlyList<string> Finish()
    {
        var files = Save(SaveReason.End);
        _resultIsSaved = true;
        if (plan.Samples is { After: true }) Sample(SampleMoment.After(_now.Step));
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
                foreach (var observer in observers) Attempt(() => observer.OnSave(Moment(SaveReason.Interrupted), files), faults);
            if (fault is OperationCanceledException && unsaved.Count > 0) worst = unsaved[0];
            faults.InsertRange(0, unsaved.Where(f => f != worst));
        }

        faults.AddRange(End(worst));
        foreach (var further in faults) FailedMeanwhile(plan.Logger ?? NullLogger.Instance, further);
        return worst;
    }

    private string[] Save(SaveReason reason)
    {
        Tell(TrainingPhase.Saving);
        var moment = Moment(reason);
        using var inference = no_grad();
        string[] files = [.. plan.Savers.SelectMany(saver => saver.Save(moment))];
        foreach (var observer in observers) observer.OnSave(moment, files);
        return files;
    }

    private (string[] Files, List<Exception> Faults) SaveWhereItWorks()
    {
        var (files, faults) = (new List<string>(), new List<Exception>());
        using var inference = no_grad();
        foreach (var saver in plan.Savers) Attempt(() => files.AddRange(saver.Save(Moment(SaveReason.Interrupted))), faults);
        return ([.. files], faults);
    }

    /// <summary>Tells every observer, once, that the run has ended.</summary>
    /// <returns>What they threw.</returns>
    private List<Exception> End(Exception? fault)
    {
        _ended = true;
        var faults = new List<Exception>();
        foreach (var observer in observers) Attempt(() => observer.OnEnd(new TrainingEnd(_now.Step, fault)), faults);
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

    private SaveMoment Moment(SaveReason reason) => new() { Reason = reason, Step = _now.Step, Epoch = _now.Epoch, Targets = targets, Plan = plan, Run = run };

    private void Sample(SampleMoment moment)
    {
        if (sampler is null) return;
        Tell(TrainingPhase.Sampling);
        var files = sampler.Draw(moment);
        _samples.AddRange(files);
        foreach (var observer in observers) observer.OnSample(_now.Step, files);
    }

    private ValidationOptions Validation => plan.Validation ?? s_eachEpoch;

    private void Validate(TrainingProgress state, bool afterEpoch)
    {
        if (validation is null) return;
        Tell(TrainingPhase.Validating);
        var measured = new TrainingValidation(state.Step, state.Epoch, afterEpoch, validation(), state.AverageLoss);
        foreach (var observer in observers) observer.OnValidation(measured);
    }

    private bool IsDrawnAtTheEnd(TrainingProgress state) => plan.Samples is { After: true } && state.Step == TotalSteps;

    private void Tell(TrainingPhase phase) => progress?.Report(new TrainingProgress
    {
        Phase = phase, Step = _now.Step, TotalSteps = TotalSteps, Epoch = _now.Epoch, TotalEpochs = TotalEpochs, ResidentBytes = Environment.WorkingSet,
    });

    [LoggerMessage(10, LogLevel.Error, "Something failed while the run was ended")]
    private static partial void FailedMeanwhile(ILogger logger, Exception fault);
}
