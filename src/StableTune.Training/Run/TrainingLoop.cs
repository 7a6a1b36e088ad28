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

    public required TrainingStep Step { get; init; }

    public required IReadOnlyList<ITrainable> Trainables { get; init; }

    public required IOptimizer Optimizer { get; init; }

    public required RunSchedules Schedules { get; init; }

    /// <summary>The batches of an epoch, from one on.</summary>
    public required Func<int, int, IEnumerable<Batch>> Batches { get; init; }

    /// <summary>Whether losses are read a step late, so that the device is never waited for.</summary>
    public bool ReadsLate { get; init; }
}

/// <summary>The loop of a run: epochs, steps, and what happens between them. Knows at every moment where it stands.</summary>
internal sealed class TrainingLoop(LoopParts parts, RunEvents events) : IResumable
{
    private readonly LossAverage _average = new();
    private readonly List<double> _losses = [];
    private readonly TimestepLosses _byTimestep = new();
    private readonly StepClock _clock = new(parts.Plan.Clock);
    private readonly IGradientStage _gradients = parts.Plan.EffectiveGradients;
    private readonly Tensor[] _trained = [.. parts.Optimizer.Groups.SelectMany(group => group.Parameters)
        .Select(parameter => parameter.Value)];
    private readonly Tensor[] _counted = [.. parts.Optimizer.Groups.SelectMany(group => group.Parameters)
        .Select(parameter => parameter.Value), .. parts.Trainables.SelectMany(trainable => trainable.ClippedAlong)];
    private IReadOnlyList<SampleLoss> _samples = [];
    private bool _epochIsDone = true;
    private LaunchedStep? _pending;

    public string Name => "loop";

    public IReadOnlyList<double> Losses => _losses;

    public double AverageLoss => _average.Value;

    public TimestepHistogram? LossByTimestep => _byTimestep.Histogram;

    public TimeSpan Elapsed => _clock.Elapsed;

    public TimeSpan DataWait => _clock.DataWait;

    /// <summary>Where the run stands.</summary>
    public RunPosition Position { get; private set; }

    /// <summary>Whether all that belongs to the position is complete: false while a step is being taken.</summary>
    public bool IsBetweenSteps { get; private set; } = true;

    /// <summary>Trains to the last step.</summary>
    /// <exception cref="OperationCanceledException">Cancelled between two steps.</exception>
    public void Run(CancellationToken cancellationToken)
    {
        while (Position.Step < parts.Length.TotalSteps)
        {
            if (_epochIsDone) Position = Position with { Epoch = Position.Epoch + 1, Batch = 0 };
            _epochIsDone = false;
            var progress = RunEpoch(cancellationToken);
            _epochIsDone = Position.Batch >= parts.Length.BatchesPerEpoch;
            events.AfterEpoch(progress);
        }
    }

    private TrainingProgress RunEpoch(CancellationToken cancellationToken)
    {
        var progress = Progress(Position, double.NaN, parts.Optimizer.EffectiveRates);
        using var epoch = parts.Batches(Position.Epoch, Position.Batch).GetEnumerator();
        while (Position.Step < parts.Length.TotalSteps)
        {
            _clock.Start();                                                  // waiting for data counts: it is time that training takes
            var microSteps = NextBatches(epoch);
            if (microSteps.Count == 0) break;
            _clock.DataArrived();
            IsBetweenSteps = false;
            var launched = Launch(microSteps);
            if (parts.ReadsLate && !events.IsDueAfter(launched.After) && !cancellationToken.IsCancellationRequested)
            {
                if (Interlocked.Exchange(ref _pending, launched) is { } earlier) events.Report(progress = Settle(earlier));
                _clock.Stop();
                continue;
            }

            SettlePending();
            progress = Settle(launched);
            _clock.Stop();
            IsBetweenSteps = true;
            progress = progress with { Elapsed = _clock.Elapsed, DataWait = _clock.DataWait, StepsPerSecond = _clock.StepsPerSecond,
                Remaining = Remaining(Position) };
            events.AfterStep(progress);
            if (Position.Step < parts.Length.TotalSteps) cancellationToken.ThrowIfCancellationRequested();
        }

        SettlePending();
        IsBetweenSteps = true;
        return progress;
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
        double[] rates;
        string[] images = [.. microSteps.SelectMany(batch => batch.Items).Select(item => item.Path)];
        var losses = new List<Tensor>();
        var numbers = new List<double>();
        var samples = new List<SampleReading>();
        try
        {
            rates = parts.Schedules.Rates(Position.Step);
            foreach (var batch in microSteps)
            {
                if (parts.ReadsLate) losses.Add(parts.Step.RunWithoutReading(batch, parts.Plan.GradientAccumulation));
                else numbers.Add(parts.Step.Run(batch, parts.Plan.GradientAccumulation));
                if (parts.Step.Samples is { } told) samples.Add(told);
            }
        }
        finally
        {
            foreach (var batch in microSteps) batch.Dispose();
        }

        var moment = new StepMoment(Position.Step, parts.Length.TotalSteps);
        foreach (var trainable in parts.Trainables) trainable.AfterBackward(moment);
        // Also without clipping: gradients that are not finite would destroy the weights, and what is saved then.
        var norm = _gradients.Apply(_counted);
        var launched = parts.ReadsLate ? UpdateUnread(losses, norm, rates) : UpdateRead(numbers, norm, rates, images);
        foreach (var trainable in parts.Trainables) trainable.AfterStep(moment);
        ForgetGradients();
        Position = Position with { Batch = Position.Batch + microSteps.Count, Step = Position.Step + 1 };
        // An optimizer that finds its own rate has it on the device: it is read with the losses.
        return launched with { After = Position, FirstBatch = Position.Batch - microSteps.Count, Images = images, Samples = samples,
            Rates = parts.Optimizer.RateFactor is null ? [.. parts.Optimizer.EffectiveRates] : rates };
    }

    private LaunchedStep UpdateRead(List<double> losses, Tensor norm, double[] rates, string[] images)
    {
        var value = norm.to(ScalarType.Float64).item<double>();
        if (!double.IsFinite(value))
            throw new TrainingDivergedException("norm of the gradients", value, images) { Step = Position.Step + 1 };
        parts.Optimizer.Step(new StepInfo(rates, Position.Step) { Loss = losses.Average() });
        using var scope = NewDisposeScope();
        var factor = parts.Optimizer.RateFactor?.cpu().to(ScalarType.Float64).item<double>();
        return new LaunchedStep { Losses = [.. losses], Norm = value, RateFactor = factor };
    }

    /// <summary>Asks the device for the update and for the numbers, and waits for neither: where they are not finite, the device leaves
    /// everything as it was.</summary>
    private LaunchedStep UpdateUnread(List<Tensor> losses, Tensor norm, double[] rates)
    {
        using var scope = NewDisposeScope();
        var numbers = stack([.. losses.Select(loss => loss.to(ScalarType.Float64)), norm.to(losses[0].device).to(ScalarType.Float64)]);
        parts.Optimizer.Step(new StepInfo(rates, Position.Step) { IsFinite = numbers.isfinite().all() });
        Tensor[] stepped = [.. _trained.Where(tensor => tensor.grad is not null)];
        var factor = parts.Optimizer.RateFactor ?? ones([], numbers.dtype, numbers.device);
        var all = cat([numbers, factor.to(numbers.device).to(numbers.dtype).reshape(1)]);
        return new LaunchedStep { Reading = LateReading.Begin(all), Stepped = stepped };
    }

    private void SettlePending()
    {
        if (Interlocked.Exchange(ref _pending, null) is { } earlier) events.Report(Settle(earlier));
    }

    /// <summary>Takes in the numbers of a step.</summary>
    /// <exception cref="TrainingDivergedException">They are not finite; nothing was changed by that step.</exception>
    private TrainingProgress Settle(LaunchedStep step)
    {
        if (step.Reading is { } reading)
        {
            var numbers = reading.Read();
            step = step with { Losses = numbers[..^2], Norm = numbers[^2],
                RateFactor = parts.Optimizer.RateFactor is null ? null : numbers[^1] };
            Check(step);
        }

        for (var i = 0; i < step.Losses.Length; i++) _average.Add(step.FirstBatch + i, step.Losses[i]);
        _losses.Add(step.Losses.Average());
        _samples = _byTimestep.Take(step.Samples);
        parts.Schedules.Observe(new ScheduleMetrics(step.After.Step, _losses[^1], _average.Value, events.ValidationLoss)
        {
            Validations = events.Validations,
        });
        return WithFactor(Progress(step.After, step.Norm, step.Rates), step.RateFactor);
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

    private void Check(LaunchedStep step)
    {
        var bad = step.Losses.FirstOrDefault(loss => !double.IsFinite(loss), step.Norm);
        if (double.IsFinite(bad)) return;
        (parts.Optimizer as StatefulOptimizer)?.TakeBackStep(step.Stepped);
        throw new TrainingDivergedException(
            step.Losses.All(double.IsFinite) ? "norm of the gradients" : "loss", bad, step.Images) { Step = step.After.Step };
    }

    private void ForgetGradients()
    {
        foreach (var parameter in _counted) parameter.grad = null;
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
        Metrics = parts.Trainables.SelectMany(trainable => trainable.Metrics).DistinctBy(metric => metric.Key)
            .ToDictionary(StringComparer.Ordinal),
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
    }

    public void Load(StateReader reader)
    {
        _epochIsDone = reader.Long("epoch_is_done") == 1;
        _losses.AddRange(reader.Doubles("losses"));
        _average.Load(reader);
        _clock.Load(reader);
        parts.Schedules.Load(reader);
        _byTimestep.Load(reader.Within("by timestep"));
    }

    /// <summary>Goes on from here; called before <see cref="Run"/>.</summary>
    public void StartAt(RunPosition position) => Position = position;
}

/// <summary>A step that was asked of the device.</summary>
internal sealed record LaunchedStep
{
    /// <summary>Where the run stands after it.</summary>
    public RunPosition After { get; init; }

    /// <summary>The place of its first batch in the epoch.</summary>
    public int FirstBatch { get; init; }

    /// <summary>The images of its batches.</summary>
    public string[] Images { get; init; } = [];

    /// <summary>Each group's rate; without the factor of an optimizer that finds its own.</summary>
    public IReadOnlyList<double> Rates { get; init; } = [];

    /// <summary>The loss of each batch, where it is known.</summary>
    public double[] Losses { get; init; } = [];

    /// <summary>The losses of its batches' samples.</summary>
    public IReadOnlyList<SampleReading> Samples { get; init; } = [];

    /// <summary>The norm of all gradients before clipping, where it is known.</summary>
    public double Norm { get; init; } = double.NaN;

    /// <summary>What the optimizer multiplied the rates by, where it finds its own and that is known.</summary>
    public double? RateFactor { get; init; }

    /// <summary>Losses, norm and rate factor on their way from the device; null where they are known.</summary>
    public LateReading? Reading { get; init; }

    /// <summary>What had gradients.</summary>
    public Tensor[] Stepped { get; init; } = [];
}
