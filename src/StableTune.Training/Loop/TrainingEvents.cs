namespace StableTune.Training;

/// <summary>What happens between steps: observers are told, samples drawn, results saved.</summary>
internal sealed class TrainingEvents(
    TrainingPlan plan, int totalSteps, int totalEpochs, IReadOnlyList<ITrainingTarget> targets, RunDescription run,
    IReadOnlyList<ITrainingObserver> observers, TrainingSampler? sampler, IProgress<TrainingProgress>? progress)
{
    private readonly List<string> _samples = [];
    private (int Step, int Epoch) _now;

    public int TotalSteps => totalSteps;

    public int TotalEpochs => totalEpochs;

    /// <summary>Sample pictures written so far.</summary>
    public IReadOnlyList<string> Samples => _samples;

    public void Start(long trainedParameters)
    {
        foreach (var observer in observers) observer.OnStart(new TrainingStart(plan, totalSteps, totalEpochs, trainedParameters));
        if (plan.Samples is { Before: true }) Sample(SampleMoment.Before);
    }

    public void AfterStep(TrainingProgress state)
    {
        _now = (state.Step, state.Epoch);
        progress?.Report(state);
        foreach (var observer in observers) observer.OnStep(state);
        if (plan.Samples?.IsDueAfterStep(state.Step) == true && state.Step < totalSteps) Sample(SampleMoment.AtStep(state.Step));
        if (plan.Save.IsDueAfterStep(state.Step)) Save(SaveReason.Step);
    }

    public void AfterEpoch(TrainingProgress state)
    {
        foreach (var observer in observers) observer.OnEpoch(state);
        if (plan.Samples?.IsDueAfterEpoch(state.Epoch) == true && state.Step < totalSteps) Sample(SampleMoment.AtEpoch(state.Epoch));
        if (plan.Save.IsDueAfterEpoch(state.Epoch, totalEpochs)) Save(SaveReason.Epoch);
    }

    /// <summary>The last saves and samples of a run that went through.</summary>
    public IReadOnlyList<string> Finish()
    {
        var files = Save(SaveReason.End);
        if (plan.Samples is { After: true }) Sample(SampleMoment.After(_now.Step));
        foreach (var observer in observers) observer.OnEnd(new TrainingEnd(_now.Step, null));
        return files;
    }

    /// <summary>Saves the last good weights of a run that was cancelled or failed. The fault itself goes on to the caller.</summary>
    public void Interrupt(Exception fault)
    {
        try
        {
            if (_now.Step > 0) Save(SaveReason.Interrupted);
        }
        finally
        {
            foreach (var observer in observers) observer.OnEnd(new TrainingEnd(_now.Step, fault));
        }
    }

    private string[] Save(SaveReason reason)
    {
        Tell("saving");
        var moment = new SaveMoment { Reason = reason, Step = _now.Step, Epoch = _now.Epoch, Targets = targets, Plan = plan, Run = run };
        using var inference = no_grad();
        string[] files = [.. plan.Savers.SelectMany(saver => saver.Save(moment))];
        foreach (var observer in observers) observer.OnSave(moment, files);
        return files;
    }

    private void Sample(SampleMoment moment)
    {
        if (sampler is null) return;
        Tell("sampling");
        var files = sampler.Draw(moment);
        _samples.AddRange(files);
        foreach (var observer in observers) observer.OnSample(_now.Step, files);
    }

    private void Tell(string stage) => progress?.Report(new TrainingProgress
    {
        Stage = stage, Step = _now.Step, TotalSteps = totalSteps, Epoch = _now.Epoch, TotalEpochs = totalEpochs, ResidentBytes = Environment.WorkingSet,
    });
}
