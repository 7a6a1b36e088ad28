using StableTune.Data;
using StableTune.Optimizers;
using StableTune.Schedules;

namespace StableTune.Training;

/// <summary>The loop of a run: epochs, steps, and what happens between them.</summary>
internal sealed class TrainingLoop(TrainingPlan plan, TrainingStep step, IOptimizer optimizer, Func<int, IEnumerable<Batch>> batches, TrainingEvents events)
{
    private readonly LossAverage _average = new();
    private readonly List<double> _losses = [];
    private readonly StepClock _clock = new(plan.Clock);
    private readonly ILrSchedule _schedule = plan.Schedule.Create(events.TotalSteps);
    private readonly Tensor[] _trained = [.. optimizer.Groups.SelectMany(g => g.Parameters).Select(p => p.Value)];

    public IReadOnlyList<double> Losses => _losses;

    public double AverageLoss => _average.Value;

    public TimeSpan Elapsed => _clock.Elapsed;

    public TimeSpan DataWait => _clock.DataWait;

    public int Step => _losses.Count;

    public int Epoch { get; private set; }

    /// <summary>Trains to the last step.</summary>
    /// <exception cref="OperationCanceledException">Cancelled between two steps.</exception>
    public void Run(CancellationToken cancellationToken)
    {
        while (Step < events.TotalSteps)
        {
            Epoch++;
            var progress = RunEpoch(cancellationToken);
            events.AfterEpoch(progress);
        }
    }

    private TrainingProgress RunEpoch(CancellationToken cancellationToken)
    {
        var (batchInEpoch, progress) = (0, Progress(double.NaN, []));
        using var epoch = batches(Epoch).GetEnumerator();
        while (true)
        {
            _clock.Start();                                                  // waiting for data counts: it is time that training takes
            var microSteps = NextBatches(epoch);
            if (microSteps.Count == 0) break;
            _clock.DataArrived();
            var (norm, rates) = TakeStep(microSteps, ref batchInEpoch);
            _clock.Stop();

            progress = Progress(norm, rates);
            events.AfterStep(progress);
            if (Step == events.TotalSteps) break;
            cancellationToken.ThrowIfCancellationRequested();
        }

        return progress;
    }

    /// <summary>The batches of the next step; none at the end of the epoch. They belong to the caller.</summary>
    private List<Batch> NextBatches(IEnumerator<Batch> epoch)
    {
        var taken = new List<Batch>();
        try
        {
            while (taken.Count < plan.GradientAccumulation && epoch.MoveNext()) taken.Add(epoch.Current);
            return taken;
        }
        catch
        {
            foreach (var batch in taken) batch.Dispose();
            throw;
        }
    }

    /// <summary>One optimizer step: gradients of all batches, clipped together, one update.</summary>
    /// <returns>The norm of all gradients before clipping, and each group's rate.</returns>
    private (double Norm, double[] Rates) TakeStep(List<Batch> microSteps, ref int batchInEpoch)
    {
        var sum = 0.0;
        double[] rates;
        try
        {
            rates = LearningRates();
            foreach (var batch in microSteps)
            {
                var loss = step.Run(batch, plan.GradientAccumulation);
                _average.Add(batchInEpoch++, loss);
                sum += loss;
            }
        }
        finally
        {
            foreach (var batch in microSteps) batch.Dispose();
        }

        // Also without clipping: gradients that are not finite would destroy the weights, and what is saved then.
        var norm = GradientNorm.Clip(_trained, plan.MaxGradientNorm ?? double.PositiveInfinity);
        if (!double.IsFinite(norm)) throw new TrainingDivergedException("norm of the gradients", norm, microSteps.SelectMany(b => b.Items).Select(i => i.Path));
        optimizer.Step(rates);
        ForgetGradients();
        _losses.Add(sum / microSteps.Count);
        return (norm, rates);
    }

    private double[] LearningRates()
    {
        var factor = _schedule.Factor(Step);
        if (!double.IsFinite(factor)) throw new InvalidOperationException($"The learning-rate schedule \"{plan.Schedule.Name}\" gave {factor} for step {Step}: a factor must be a finite number.");
        return [.. optimizer.Groups.Select(g => g.LearningRate * factor)];
    }

    private void ForgetGradients()
    {
        foreach (var parameter in _trained) parameter.grad = null;
    }

    private TrainingProgress Progress(double norm, double[] rates) => new()
    {
        Phase = TrainingPhase.Training,
        Step = Step,
        TotalSteps = events.TotalSteps,
        Epoch = Epoch,
        TotalEpochs = events.TotalEpochs,
        Loss = _losses.Count > 0 ? _losses[^1] : double.NaN,
        AverageLoss = _average.Value,
        GradientNorm = norm,
        LearningRates = rates.Zip(optimizer.Groups).ToDictionary(p => p.Second.Name, p => p.First),
        Elapsed = _clock.Elapsed,
        DataWait = _clock.DataWait,
        Remaining = _clock.Remaining(events.TotalSteps - Step),
        StepsPerSecond = _clock.StepsPerSecond,
        ResidentBytes = Environment.WorkingSet,
    };
}
