using StableTune.Data;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Schedules;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>What a run consists of when everything is attached: ready to take steps.</summary>
internal sealed record AssembledRun(
    TrainingLoop Loop, RunEvents Events, RunDescription Description, IReadOnlyList<AttachedTrainable> Trainables, IOptimizer Optimizer)
{
    /// <summary>All that is written into a state.</summary>
    public required IReadOnlyList<IResumable> Resumables { get; init; }

    /// <summary>
    /// Resumable things that a state need not hold: the run may have observers and samples that the run of the state had not.
    /// </summary>
    public required IReadOnlyList<IResumable> MayBeNew { get; init; }

    /// <summary>The further devices; null for none.</summary>
    public ReplicaSet? Replicas { get; init; }

    /// <summary>Whether the run goes on from a state.</summary>
    public bool IsResumed { get; init; }

    /// <summary>What the run needs of memory.</summary>
    public required PeakMemory Peak { get; init; }
}

/// <summary>The second part of a run: attaches what is trained, and puts method, optimizer, loop and events together.</summary>
internal sealed class RunAssembly(
    TrainingPlan plan, PreparedRun prepared, OwnedThings owned, RunSession session, IProgress<TrainingProgress>? progress,
    RunProcesses processes)
{
    private readonly StableDiffusionModel _model = prepared.Model;

    public AssembledRun Assemble(CancellationToken cancellationToken)
    {
        var stages = new StageList();
        var trainables = Attach(stages);
        ITrainable[] instances = [.. trainables.Select(trainable => trainable.Instance)];
        processes.Share(instances.SelectMany(instance => instance.Groups).SelectMany(group => group.Parameters)
            .Select(parameter => parameter.Value));
        var optimizer = owned.Add(plan.Optimizer.Create([.. trainables.SelectMany(Groups)]));
        var average = plan.Ema is { } ema ? Average(ema, optimizer) : null;
        var scaler = plan.Precision.ScalesLoss ? owned.Add(new LossScaler(plan.LossScaling, _model.Device)) : null;
        MemorySettings.Begin(plan, _model, prepared.Random, owned);
        var length = RunLength.Of(plan, prepared.Dataset);
        var schedules = new RunSchedules(plan.Optimizer.ScheduleOf(plan), optimizer.Groups,
            new ScheduleSetup(length.TotalSteps) { LearningRate = plan.LearningRate * plan.LearningRateScale });
        ITrainingMethod Method(TrainingRandom random) =>
            plan.Method.Create(new MethodSetup { Model = _model, Plan = plan, Trainables = instances, Stages = stages, Random = random });

        var description = Describe(instances, length);
        var hasControl = plan.Trainables.Exists(trainable => trainable.TakesControlImages);
        var sampler = plan.Samples is { } samples ? new TrainingSampler(
            CaptionSamples.Filled(samples, prepared.Dataset, hasControl), _model, plan, instances, stages.Samples)
        {
            Waiting = prepared.Waiting, Processes = processes,
        } : null;
        var observers = Observers();
        var peak = new PeakMemory(_model.Device);
        observers.Add(peak);
        var calls = new ObserverCalls(observers, progress, plan);
        var events = new RunEvents(new EventParts
        {
            Plan = plan, Length = length, Run = description, Trainables = trainables, Calls = calls, Optimizer = optimizer,
            Sampler = sampler,
            Evaluation = new EvaluationWeights(optimizer, average, plan.Ema is { SaveBoth: true }),
            Validation = prepared.Validation is { } held ? () => processes.FromFirst(() => Measure(held)) : null,
        });
        double Measure(ValidationRun held)
        {
            using var tokens = MemorySettings.WholeTokens(_model);
            return held.Measure(Method, instances, cancellationToken);
        }

        var sharing = new SharedStep(plan, prepared, owned, processes);
        var step = sharing.Of(new TrainingStep(owned.Add(Method(prepared.Random)), instances, prepared.Random), instances);
        var loop = new TrainingLoop(new LoopParts
        {
            Plan = plan, Length = length, Trainables = instances, Optimizer = optimizer, Schedules = schedules,
            Step = step, Exchanges = sharing.Exchanges, Consensus = processes.Group is { } group ? new StepConsensus(group) : null,
            Batches = Batches(length, cancellationToken), Average = average, Norms = plan.TellKeyNorms ? new KeyNorms(optimizer) : null,
            Update = new StepUpdate(plan, optimizer, instances)
            {
                Scaler = scaler, Fused = plan.FusedBackward is { } fused
                    ? owned.Add(new FusedBackward(fused, optimizer, plan.EffectiveGradients)) : null,
            },
            ReadsLate = (plan.ReadsLossLate ?? (_model.Device.type != DeviceType.CPU && plan.FusedBackward is null))
                && !schedules.NeedEveryLoss && !processes.AreSeveral,
        }, events);
        IResumable[] mayBeNew = [.. new IResumable?[] { sampler, average, scaler }.OfType<IResumable>(), .. Named(observers, calls)];
        return new AssembledRun(loop, events, description, trainables, optimizer)
        {
            Resumables = [loop, events, session, prepared.Random, optimizer, .. instances, .. mayBeNew], MayBeNew = mayBeNew, Peak = peak,
            Replicas = sharing.Replicas,
        };
    }

    /// <summary>What of a trainable is stepped, with the rates and schedules of this run.</summary>
    private IEnumerable<ParameterGroup> Groups(AttachedTrainable trainable) => trainable.Instance.Groups.Select(group =>
    {
        var schedule = group.Schedule ?? trainable.Options.Schedule;
        if (schedule is not null) schedule = plan.Optimizer.ScheduleOf(plan with { Schedule = schedule });
        return schedule == group.Schedule && !plan.ScaleLearningRate ? group
            : group with { LearningRate = group.LearningRate * plan.LearningRateScale, Schedule = schedule };
    });

    private WeightAverage Average(EmaOptions options, IOptimizer optimizer)
    {
        if (optimizer.UseEvaluationWeights() is { } own)
        {
            own.Dispose();
            throw new InvalidOperationException(
                $"The optimizer ({plan.Optimizer.GetType().Name}) averages weights itself: leave TrainingPlan.Ema unset. Its options "
                    + "should say so (OptimizerOptions.HasEvaluationWeights).");
        }

        return owned.Add(new WeightAverage(options, optimizer.Groups.SelectMany(group => group.Parameters)));
    }

    private List<AttachedTrainable> Attach(StageList stages)
    {
        var setup = new TrainingSetup { Model = _model, Random = prepared.Random, Precision = plan.Precision, Plan = plan,
            Stages = stages };
        var trainables = new List<AttachedTrainable>();
        foreach (var options in plan.Trainables)
        {
            var trainable = options.Create(plan);
            if (plan.KeepModel) owned.AddUnlessKept(trainable);
            else owned.Add(trainable);
            trainable.Attach(setup);
            trainables.Add(new AttachedTrainable(options, trainable));
        }

        CheckNames(trainables);
        return trainables;
    }

    /// <summary>Rates are told, and the optimizer's state is kept, by these names.</summary>
    private static void CheckNames(IReadOnlyList<AttachedTrainable> trainables)
    {
        var groups = trainables.SelectMany(trainable =>
            trainable.Instance.Groups.Select(group => (Owner: trainable.Options.EffectiveName, Group: group))).ToList();
        var names = groups.Select(entry => (entry.Owner, entry.Group.Name))
            .Concat(groups.SelectMany(entry => entry.Group.Parameters.Select(parameter => (entry.Owner, parameter.Name))));
        var taken = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (owner, name) in names)
        {
            if (!taken.TryAdd(name, owner))
                throw new InvalidOperationException(
                    $"\"{name}\" is the name of something that {taken[name]} trains and of something that {owner} trains. Names of "
                        + $"groups and parameters must differ within a run: give each a Name of its own.");
        }
    }

    private Func<int, int, IEnumerable<Batch>> Batches(RunLength length, CancellationToken cancellationToken)
    {
        if (prepared.Dataset is not { } dataset)
            return (_, first) => Enumerable.Range(first, length.BatchesPerEpoch - first).Select(_ => new Batch([""]));
        var loader = owned.Add(new BatchLoader(
            plan.Loader with { MicroSteps = plan.GradientAccumulation, TotalSteps = length.TotalSteps }, prepared.Caches!.Latents,
                prepared.Caches.Text));
        var seeds = new NamedSeeds(plan.Seed);
        // Several processes end together, after a step: not one of them where it waits for a batch.
        var cancelled = processes.AreSeveral ? CancellationToken.None : cancellationToken;
        return (epoch, first) => loader.Load(
            EpochPlan.Create(dataset, seeds, epoch).Part(processes.Place, processes.Count), first, cancelled);
    }

    private RunDescription Describe(IReadOnlyList<ITrainable> instances, RunLength length) => new()
    {
        SessionId = session.Id,
        StartedAt = session.StartedAt,
        TotalSteps = length.TotalSteps,
        TotalEpochs = length.TotalEpochs,
        Dataset = prepared.Dataset,
        BaseModel = _model.Version,
        Prediction = _model.Scheduler.Prediction,
        LearningRateScale = plan.LearningRateScale,
        CachesLatents = prepared.Caches?.Latents is not null,
        Warnings =
        [
            .. prepared.Dataset?.Warnings ?? [], .. prepared.Caches?.Notes ?? [], .. session.Warnings,
            .. PlanWarnings.Of(plan, _model, instances, prepared.Dataset, prepared.Tokenizer),
        ],
        Sources = plan.Savers.Any(saver => saver is TrainableSaver { WriteMetadata: true }) && instances.OfType<AdapterTrainable>().Any()
            ? owned.Add(new SourceHashes(_model.Details?.Path, plan.Model.VaePath, plan.Logger)) : null,
    };

    private List<ITrainingObserver> Observers()
    {
        List<ITrainingObserver> observers = [TrainingTelemetry.Observer(plan.Meters), .. plan.Observers];
        if (plan.Logger is { } logger) observers.Insert(0, new LoggerObserver(logger));
        return observers;
    }

    /// <summary>Observers of one kind are told apart by their order.</summary>
    private static IEnumerable<IResumable> Named(IEnumerable<ITrainingObserver> observers, ObserverCalls calls)
    {
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var observer in observers.OfType<IResumable>())
        {
            var count = counts[observer.Name] = counts.GetValueOrDefault(observer.Name) + 1;
            yield return new ObserverPart($"observers/{observer.Name}{(count == 1 ? "" : $"-{count}")}", observer, calls);
        }
    }

    /// <summary>What an observer remembers. That it cannot say so is no reason to write no state.</summary>
    private sealed class ObserverPart(string name, IResumable part, ObserverCalls calls) : IResumable, IDispensablePart
    {
        public string Name => name;

        public void Save(StateWriter writer) => part.Save(writer);

        public bool TrySave(StateWriter writer) => calls.Try(part, nameof(Save), () => part.Save(writer));

        public void Load(StateReader reader) => part.Load(reader);
    }
}
