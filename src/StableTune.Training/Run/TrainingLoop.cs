using StableTune.Data;
using StableTune.Optimizers;
using StableTune.Schedules;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>What the loop is made of.</summary>
internal sealed record LoopParts
{
    public required TrainingPlan Plan { get; init; }

    public required RunLength Length { get; init; }

    public required IBatchRunner Step { get; init; }

    /// <summary>Where the gradients of a step that is shared come together: those of this process's devices first.</summary>
    public IReadOnlyList<IGradientExchange> Exchanges { get; init; } = [];

    /// <summary>What several processes agree on; null for one.</summary>
    public StepConsensus? Consensus { get; init; }

    public required IReadOnlyList<ITrainable> Trainables { get; init; }

    public required IOptimizer Optimizer { get; init; }

    public required RunSchedules Schedules { get; init; }

    /// <summary>The batches of an epoch, from one on.</summary>
    public required Func<int, int, IEnumerable<Batch>> Batches { get; init; }

    /// <summary>From gradients to weights.</summary>
    public required StepUpdate Update { get; init; }

    /// <summary>The moving average of what is trained; null for none.</summary>
    public WeightAverage? Average { get; init; }

    /// <summary>Measures norms of what is trained for the logs; null where nobody asked.</summary>
    public KeyNorms? Norms { get; init; }

    /// <summary>Whether losses are read a step late, so that the device is never waited for.</summary>
    public bool ReadsLate { get; init; }
}

/// <summary>The loop of a run: epochs, steps, and what happens between them. Knows at every moment where it stands.</summary>
internal sealed class TrainingLoop(LoopParts parts, RunEvents events) : IResumable
{
    private static readonly Dictionary<string, double> s_none = [];

    private readonly LossAverage _average = new();
    private readonly List<double> _losses = [];
    private readonly TimestepLosses _byTimestep = new();
    private readonly StepClock _clock = new(parts.Plan.Clock);
    private IReadOnlyList<SampleLoss> _samples = [];
    private readonly NonFiniteGuard _guard =
        new(parts.Plan.NonFinite, parts.Plan.Precision.ScalesLoss ? parts.Plan.LossScaling : null);
    private bool _epochIsDone = true;
    private int _firstStep;
    private double _scale = double.NaN;
    private LaunchedStep? _pending;

    public string Name => "loop";

    public IReadOnlyList<double> Losses => _losses;

    public double AverageLoss => _average.Value;

    public TimestepHistogram? LossByTimestep => _byTimestep.Histogram;

    public TimeSpan Elapsed => _clock.Elapsed;

    public TimeSpan DataWait => _clock.DataWait;

    /// <summary>Steps that counted as done when the run first began.</summary>
    public int FirstStep => _firstStep;

    /// <summary>Where the run stands.</summary>
    public RunPosition Position { get; private set; }

    /// <summary>Whether all that belongs to the position is complete: false while a step is being taken.</summary>
    public bool IsBetweenSteps { get; private set; } = true;

    /// <summary>Trains to the last step.</summary>
    /// <exception cref="OperationCanceledException">Cancelled between two steps.</exception>
    public void Run(CancellationToken cancellationToken)
    {
        Meet(cancellationToken);
        while (Position.Step < parts.Length.TotalSteps && !IsStopped)
        {
            if (_epochIsDone) Position = Position with { Epoch = Position.Epoch + 1, Batch = 0 };
            _epochIsDone = false;
            var progress = RunEpoch(cancellationToken);
            _epochIsDone = Position.Batch >= parts.Length.BatchesPerEpoch;
            if (_epochIsDone || !IsStopped) events.AfterEpoch(progress);
        }
    }

    private TrainingProgress RunEpoch(CancellationToken cancellationToken)
    {
        var progress = Progress(Position, double.NaN, parts.Optimizer.EffectiveRates);
        using var epoch = parts.Batches(Position.Epoch, Position.Batch).GetEnumerator();
        while (Position.Step < parts.Length.TotalSteps && !IsStopped)
        {
            _clock.Start();                                                  // waiting for data counts: it is time that training takes
            var microSteps = NextBatches(epoch);
            if (microSteps.Count == 0) break;
            _clock.DataArrived();
            IsBetweenSteps = false;
            var launched = Launch(microSteps);
            if (parts.ReadsLate && !events.IsDueAfter(launched.After) && parts.Plan.Control?.HasRequests != true
                && !cancellationToken.IsCancellationRequested)
            {
                _pending = launched;
                _clock.Stop();
                continue;
            }

            progress = Settle(launched);
            _clock.Stop();
            IsBetweenSteps = true;
            progress = progress with { Elapsed = _clock.Elapsed, DataWait = _clock.DataWait, StepsPerSecond = _clock.StepsPerSecond,
                Remaining = Remaining(Position) };
            events.AfterStep(progress);
            Obey(progress, cancellationToken);
            Meet(cancellationToken);
            if (Position.Step < parts.Length.TotalSteps && (parts.Consensus?.IsCancelled ?? cancellationToken.IsCancellationRequested))
                throw new OperationCanceledException(cancellationToken);
        }

        SettlePending();
        IsBetweenSteps = true;
        return progress;
    }

    /// <summary>Whether the run was asked to end.</summary>
    public bool IsStopped => parts.Consensus?.Stops ?? parts.Plan.Control?.IsStopping == true;

    /// <summary>Whether several processes end because all of them know that they were cancelled.</summary>
    public bool HasAgreedToEnd => parts.Consensus?.IsCancelled == true;

    /// <summary>Several processes agree on whether they go on.</summary>
    private void Meet(CancellationToken cancellationToken) => parts.Consensus?.Meet(parts.Plan.Control?.IsStopping == true,
        cancellationToken.IsCancellationRequested,
        [.. parts.Optimizer.Groups.Select(group => parts.Plan.Control?.FactorOf(group.Name) ?? 1)]);

    /// <summary>Does what the host asked for meanwhile.</summary>
    private void Obey(TrainingProgress progress, CancellationToken cancellationToken)
    {
        if (parts.Plan.Control is not { } control) return;
        do
        {
            var (save, sample) = control.Take();
            if (sample) events.SampleNow(progress);
            if (save) events.SaveNow(progress);
            if (!control.IsPaused || cancellationToken.IsCancellationRequested) break;
            control.WaitWhilePaused(cancellationToken);
        }
        while (control.HasRequests && !control.IsStopping);
    }

    /// <summary>The batches of the next step; none at the end of the epoch. They belong to the caller.</summary>
    private List<Batch> NextBatches(IEnumerator<Batch> epoch)
    {
        var taken = new List<Batch>();
        try
        {
            while (taken.Count < parts.Plan.GradientAccumulation && epoch.MoveNext()) taken.Add(epoch.Current);
            return taken;
        }
        catch
        {
            foreach (var batch in taken) batch.Dispose();
            SettlePending();
            IsBetweenSteps = true;
            throw;
        }
    }

    /// <summary>One optimizer step: gradients of all batches, clipped together, one update.</summary>
    private LaunchedStep Launch(List<Batch> microSteps)
    {
        using var scope = NewDisposeScope();
        string[] images = [.. microSteps.SelectMany(batch => batch.Items).Select(item => item.Path)];
        var moment = new StepMoment(Position.Step, parts.Length.TotalSteps);
        var launched = parts.ReadsLate ? LaunchUnread(microSteps, moment) : LaunchRead(microSteps, moment);
        events.BeforeChange();
        foreach (var trainable in parts.Trainables) trainable.AfterStep(moment);
        parts.Norms?.Measure();
        parts.Update.ForgetGradients();
        foreach (var exchange in parts.Exchanges) exchange.Spread(moment);
        Position = Position with { Batch = Position.Batch + microSteps.Count, Step = Position.Step + 1 };
        return launched with { After = Position, FirstBatch = Position.Batch - microSteps.Count, Images = images,
            // An optimizer that finds its own rate has it on the device: it is read with the losses.
            Rates = parts.Optimizer.RateFactor is null ? [.. parts.Optimizer.EffectiveRates] : launched.Rates };
    }

    private LaunchedStep LaunchRead(List<Batch> microSteps, StepMoment moment)
    {
        var losses = new List<double>();
        var samples = new List<SampleReading>();
        StepInfo info;
        try
        {
            info = new StepInfo(Rates(), Position.Step);
            if (parts.Update.Fused is not null) events.BeforeChange();
            parts.Update.Begin(info);
            foreach (var batch in microSteps)
            {
                losses.Add(parts.Step.TryRun(batch, parts.Plan.GradientAccumulation, parts.Update.Scaler?.Scale));
                if (!double.IsFinite(losses[^1])) return new LaunchedStep { Losses = [.. losses], Rates = info.LearningRates };
                samples.AddRange(parts.Step.Samples);
            }
        }
        finally
        {
            foreach (var batch in microSteps) batch.Dispose();
        }

        foreach (var exchange in parts.Exchanges) exchange.Sum();
        events.BeforeChange();
        foreach (var trainable in parts.Trainables) trainable.AfterBackward(moment);
        return parts.Update.Read([.. losses], info) with { Samples = samples, Rates = info.LearningRates };
    }

    private LaunchedStep LaunchUnread(List<Batch> microSteps, StepMoment moment)
    {
        var losses = new List<Tensor>();
        var samples = new List<SampleReading>();
        try
        {
            foreach (var batch in microSteps)
            {
                losses.Add(parts.Step.RunWithoutReading(batch, parts.Plan.GradientAccumulation, parts.Update.Scaler?.Scale));
                samples.AddRange(parts.Step.Samples);
            }
        }
        finally
        {
            foreach (var batch in microSteps) batch.Dispose();
        }

        foreach (var exchange in parts.Exchanges) exchange.Sum();
        events.BeforeChange();
        foreach (var trainable in parts.Trainables) trainable.AfterBackward(moment);
        // The device works at this step already; what became of the one before must be known before weights change again.
        SettlePending();
        var info = new StepInfo(Rates(), Position.Step);
        return parts.Update.Unread(losses, info) with { Samples = samples, Rates = info.LearningRates };
    }

    private void SettlePending()
    {
        if (Interlocked.Exchange(ref _pending, null) is { } earlier) events.Report(Settle(earlier));
    }

    /// <summary>Takes in the numbers of a step.</summary>
    /// <exception cref="TrainingDivergedException">They are not finite; nothing was changed by that step.</exception>
    private TrainingProgress Settle(LaunchedStep launched)
    {
        var step = launched.Read();
        var isFinite = double.IsFinite(step.Norm) && step.Losses.All(double.IsFinite);
        if (!isFinite) parts.Update.TakeBack(step);
        if (_guard.Take(step, events.LastState)) parts.Average?.AfterStep(step.After.Step);
        _scale = step.Scale;
        _losses.Add(step.Losses.Average());
        if (double.IsFinite(_losses[^1]))
        {
            for (var i = 0; i < step.Losses.Length; i++) _average.Add(step.FirstBatch + i, step.Losses[i]);
            parts.Schedules.Observe(new ScheduleMetrics(step.After.Step, _losses[^1], _average.Value, events.ValidationLoss)
            {
                Validations = events.Validations,
            });
        }

        _samples = isFinite ? _byTimestep.Take(step.Samples) : [];
        return WithFactor(Progress(step.After, step.Norm, step.Rates), step.RateFactor);
    }

    /// <summary>The rate of each group; steps that were left out move no schedule.</summary>
    private double[] Rates()
    {
        var rates = parts.Schedules.Rates(Position.Step - _guard.Skipped - _firstStep);
        for (var i = 0; i < rates.Length; i++)
            rates[i] *= parts.Consensus?.FactorOf(i) ?? parts.Plan.Control?.FactorOf(parts.Optimizer.Groups[i].Name) ?? 1;
        return rates;
    }

    /// <summary>The rates multiplied by what the optimizer found, and under sd-scripts' names among the metrics too.</summary>
    private static TrainingProgress WithFactor(TrainingProgress progress, double? factor)
    {
        if (factor is not { } found) return progress;
        var rates = progress.LearningRates.ToDictionary(rate => rate.Key, rate => rate.Value * found);
        return progress with
        {
            LearningRates = rates,
            Metrics = progress.Metrics.Concat(rates.Select(rate => KeyValuePair.Create($"lr/d*lr/{rate.Key}", rate.Value)))
                .ToDictionary(StringComparer.Ordinal),
        };
    }

    private TimeSpan? Remaining(RunPosition position) => _clock.Remaining(parts.Length.TotalSteps - position.Step);

    private TrainingProgress Progress(RunPosition position, double norm, IReadOnlyList<double> rates) => new()
    {
        Phase = TrainingPhase.Training,
        Step = position.Step,
        TotalSteps = parts.Length.TotalSteps,
        Epoch = position.Epoch,
        TotalEpochs = parts.Length.TotalEpochs,
        Loss = _losses.Count > 0 ? _losses[^1] : double.NaN,
        AverageLoss = _average.Value,
        Samples = _samples,
        LossByTimestep = LossByTimestep,
        GradientNorm = norm,
        Metrics = parts.Trainables.SelectMany(trainable => trainable.Metrics).Concat(_guard.Metrics(_scale))
            .Concat(parts.Norms?.Metrics ?? s_none)
            .DistinctBy(metric => metric.Key).ToDictionary(StringComparer.Ordinal),
        LearningRates = rates.Zip(parts.Optimizer.Groups).ToDictionary(pair => pair.Second.Name, pair => pair.First),
        Elapsed = _clock.Elapsed,
        DataWait = _clock.DataWait,
        Remaining = Remaining(position),
        StepsPerSecond = _clock.StepsPerSecond,
        ResidentBytes = Environment.WorkingSet,
    };

    public void Save(StateWriter writer)
    {
        writer.Number("epoch_is_done", _epochIsDone ? 1L : 0L);
        writer.Numbers("losses", _losses);
        _average.Save(writer);
        _clock.Save(writer);
        parts.Schedules.Save(writer);
        _byTimestep.Save(writer.Within("by timestep"));
        _guard.Save(writer);
        writer.Number("first_step", (long)_firstStep);
        var factors = parts.Plan.Control?.RateFactors.OrderBy(factor => factor.Key, StringComparer.Ordinal).ToList() ?? [];
        writer.Texts("rate_groups", factors.Select(factor => factor.Key));
        writer.Numbers("rate_factors", factors.Select(factor => factor.Value));
    }

    public void Load(StateReader reader)
    {
        _epochIsDone = reader.Long("epoch_is_done") == 1;
        _losses.AddRange(reader.Doubles("losses"));
        _average.Load(reader);
        _clock.Load(reader);
        parts.Schedules.Load(reader);
        _byTimestep.Load(reader.Within("by timestep"));
        _guard.Load(reader);
        if (reader.Has("first_step")) _firstStep = (int)reader.Long("first_step");
        if (reader.Has("rate_groups"))
            parts.Plan.Control?.Restore(reader.Texts("rate_groups").Zip(reader.Doubles("rate_factors"), KeyValuePair.Create));
    }

    /// <summary>Goes on from here; called before <see cref="Run"/>.</summary>
    public void StartAt(RunPosition position) => Position = position;

    /// <summary>Begins here, as if it were the first step for all that does not count images; called before <see cref="Run"/>.</summary>
    public void BeginAt(RunPosition position) => (Position, _firstStep, _epochIsDone) = (position, position.Step, position.Batch == 0);
}
