using System.Runtime.ExceptionServices;
using System.Text.Json.Nodes;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Hub;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Training;

/// <summary>One run from the first file read to the last file written: prepared, assembled, and run. Owns everything it makes.</summary>
internal sealed class TrainingRun(
    TrainingPlan plan, TrainingDataset? dataset, ModelConfiguration? model, IProgress<TrainingProgress>? progress,
    RunProcesses processes) : IDisposable
{
    private static readonly string s_product = $"StableTune {typeof(TrainingRun).Assembly.GetName().Version?.ToString(3) ?? "0"}";

    private readonly OwnedThings _owned = new();

    public TrainingResult Execute(CancellationToken cancellationToken)
    {
        try
        {
            return Train(cancellationToken);
        }
        catch (Exception fault)                                              // whatever it is, the other processes wait for this one
        {
            processes.Fail(fault);
            throw;
        }
    }

    private TrainingResult Train(CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        using var gradients = enable_grad();                                 // whatever the calling thread was doing
        cancellationToken.ThrowIfCancellationRequested();
        foreach (var observer in plan.Observers) observer.OnPrepare(plan);
        plan.Control?.Begin();                                               // what is asked for during the preparation counts
        if (plan.AllowTf32) _owned.Add(new TensorFloat());
        if (plan.Deterministic) _owned.Add(new DeterministicAlgorithms());
        var session = new RunSession(plan);
        using var state = OpenState(cancellationToken);
        if (state is not null) session.Load(state.Of(session.Name));
        var prepared = new RunPreparation(plan, _owned, model, PreparationProgress.For(progress), processes)
            .Prepare(dataset, cancellationToken);
        var facts = PlanFacts.Of(plan, Identity(prepared));
        if (state is not null) Compare(state, facts, prepared, session);
        if (processes.AreSeveral)
            processes.Compare(PlanFacts.OfProcess(plan, facts, new ProcessFacts(DatasetIdentity.HashOf(prepared.Dataset),
                WeightDigest.Of(prepared.Model), prepared.Model.Scheduler.Prediction.ToString(), state?.Identity)));
        WarnOfMemory(prepared, dataset, session);
        var run = new RunAssembly(plan, prepared, _owned, session, progress, processes).Assemble(cancellationToken);
        if (state is not null) Restore(state, run);
        else if (plan.Start is { } start && prepared.Dataset is { } first) Begin(start, first, run);
        var images = DatasetIdentity.Of(prepared.Dataset);
        run.Events.State = () => run.Loop.IsBetweenSteps ? Content(run, facts, images) : null;
        // Whole weights are cast in turn, and blocks of all their sizes would leave gaps.
        if (prepared.Model.Device.type == DeviceType.CPU)
            _owned.Add(HostMemory.Keep(plan.KeptMemoryBytes, ofAnySize: plan.TrainedParts == ModelParts.None));
        return Run(run with { IsResumed = state is not null }, prepared, cancellationToken);
    }

    private TrainingResult Run(AssembledRun run, PreparedRun prepared, CancellationToken cancellationToken)
    {
        try
        {
            run.Events.Start(run.Loop.Position, run.IsResumed, run.Loop.FirstStep);
            run.Loop.Run(cancellationToken);
            var files = run.Events.Finish();
            if (plan.KeepModel || plan.GivenModel is not null) run.Events.LeaveEvaluationWeights();
            if (plan.KeepModel)
            {
                prepared.Waiting?.End();
                _owned.Keep();
            }

            return new TrainingResult
            {
                Steps = run.Loop.Position.Step, Epochs = run.Loop.Position.Epoch, Losses = run.Loop.Losses,
                AverageLoss = run.Loop.AverageLoss, LossByTimestep = run.Loop.LossByTimestep,
                WasStopped = run.Loop.IsStopped, TrainingTime = run.Loop.Elapsed, DataWait = run.Loop.DataWait,
                PeakMemoryBytes = run.Peak.Bytes,
                Files = files, Samples = run.Events.Samples,
                Warnings = [.. run.Description.Warnings, .. plan.Observers.SelectMany(observer => observer.Warnings)],
                BytesSent = processes.Group?.BytesSent ?? 0, ObserverFaults = run.Events.ObserverFaults,
                Model = plan.KeepModel ? prepared.Model : null, OwnsModel = plan.GivenModel is null,
                Trainables = plan.KeepModel ? run.Trainables : [],
            };
        }
        catch (Exception fault)
        {
            if (!run.Loop.HasAgreedToEnd) processes.Fail(fault);
            var told = MemoryShortage.Is(fault) ? MemoryShortage.Explain(fault, plan, prepared.Model, run.Optimizer) : fault;
            var worst = run.Events.Interrupt(told);
            if (worst != fault) ExceptionDispatchInfo.Throw(worst);
            throw;
        }
    }

    /// <summary>Says before the first step where it will hardly fit.</summary>
    private void WarnOfMemory(PreparedRun prepared, TrainingDataset? images, RunSession session)
    {
        var model = prepared.Model;
        if (!model.Parts.HasFlag(ModelParts.UNet)) return;
        var estimate = new MemoryEstimator(plan, images, model, model.Device).Estimate();
        // The weights are there already.
        var missing = estimate.StepPeak - estimate.Process - estimate.FrozenWeights - estimate.Free;
        if (missing > 0) session.Warnings.Add(estimate.Shortage);
    }

    private SavedState? OpenState(CancellationToken cancellationToken) => plan.Resume switch
    {
        null => null,
        { HubPlace: { } place } => SavedState.Open(Fetch(place, cancellationToken)),
        { Latest: true, Path: var folder } => SavedState.Latest(folder!) is { } latest ? SavedState.Open(latest) : null,
        { Path: var folder } => SavedState.Open(folder!),
    };

    /// <summary>The folder of a state that lies on the hub.</summary>
    private string Fetch(HubName place, CancellationToken cancellationToken)
    {
        using var hub = new HubClient((plan.Model.Hub ?? new HubOptions()) with { CheckForUpdates = true }, plan.Logger);
        var fetching = PreparationProgress.For(progress);
        return hub.Resolve(place, HubSelection.All, fetching, cancellationToken).Path;
    }

    private static string Identity(PreparedRun prepared) =>
        $"{prepared.Fingerprint.Version}, text {prepared.Fingerprint.TextHash[..16]}, VAE {prepared.Fingerprint.VaeHash[..16]}";

    /// <summary>A state that was written for something else is refused, with the differences; or they are told, where that is
    /// allowed.</summary>
    private void Compare(SavedState state, IReadOnlyDictionary<string, string> facts, PreparedRun prepared, RunSession session)
    {
        string[] differences = [.. PlanFacts.Differences(facts, state.Plan),
            .. DatasetIdentity.Differences(DatasetIdentity.Of(prepared.Dataset), state.Dataset)];
        if (differences.Length == 0) return;
        var list = string.Concat(differences.Select(difference => $"{Environment.NewLine}    {difference}"));
        if (plan.Resume is not { AllowDifferences: true })
            throw new InvalidFileException(
                state.Path, $"the state was written for another plan:{list}{Environment.NewLine}",
                "Resume with the plan that it was written for, or allow differences (ResumeOptions.AllowDifferences).");
        session.Warnings.Add($"The run goes on from {state.Path}, which was written for another plan:{list}");
    }

    /// <summary>Images that were left out because they cannot be read may have made the run shorter than it was planned.</summary>
    private void Begin(StartOptions start, TrainingDataset images, AssembledRun run)
    {
        var (steps, first) = (plan.StepsPerEpoch(images), start.Position(plan.StepsPerEpoch(images), plan.GradientAccumulation));
        if (first.Step >= plan.EffectiveLength.TotalSteps(steps))
            throw new InvalidOptionsException([new($"{nameof(TrainingPlan)}.{nameof(plan.Start)}", $"step {first.Step}",
                $"with the images that can be read the run is {plan.EffectiveLength.TotalSteps(steps)} steps long",
                "begin earlier, or mend the images")]);
        run.Loop.BeginAt(first);
    }

    /// <summary>
    /// Gives every part of the run back what it wrote into the state. Observers and samples may be others than those of the state; then
    /// they begin anew. All else must be there.
    /// </summary>
    private static void Restore(SavedState state, AssembledRun run)
    {
        using var scope = NewDisposeScope();
        foreach (var part in run.Resumables)
        {
            if (state.Has(part.Name)) part.Load(state.Of(part.Name));
            else if (!run.MayBeNew.Contains(part))
                throw new InvalidFileException(state.Path, $"it holds nothing of \"{part.Name}\".", SavedState.Damaged);
        }

        run.Loop.StartAt(state.Position);
        foreach (var replica in run.Replicas?.Others ?? [])
            foreach (var part in replica.Trainables.Prepend<IResumable>(replica.Random)) part.Load(state.Of(part.Name));
        run.Replicas?.CopyWeights();
    }

    private StateContent Content(AssembledRun run, IReadOnlyDictionary<string, string> facts, JsonObject images) => new()
    {
        Position = run.Loop.Position, Product = s_product, WrittenAt = plan.Clock.GetUtcNow(), Plan = facts, Dataset = images,
        Parts = run.Resumables,
    };

    public void Dispose() => _owned.Dispose();
}
