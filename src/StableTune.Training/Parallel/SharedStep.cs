using StableTune.Models;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>Makes of a step on one device one that all devices and processes of the run share.</summary>
internal sealed class SharedStep(TrainingPlan plan, PreparedRun prepared, OwnedThings owned, RunProcesses processes)
{
    private readonly List<IGradientExchange> _exchanges = [];

    /// <summary>Where gradients come together: those of this process's devices first.</summary>
    public IReadOnlyList<IGradientExchange> Exchanges => _exchanges;

    /// <summary>The further devices of this process; null for none.</summary>
    public ReplicaSet? Replicas { get; private set; }

    /// <summary>The step of all.</summary>
    /// <param name="first">The step of the first device.</param>
    /// <param name="trainables">What is trained there.</param>
    public IBatchRunner Of(IBatchRunner first, IReadOnlyList<ITrainable> trainables)
    {
        var (step, counted) = (first, Counted(trainables));
        if (prepared.Replicas.Count > 0)
        {
            Replica[] others = [.. prepared.Replicas.Select(Attach)];
            step = Replicas = owned.Add(new ReplicaSet(first, prepared.Model.Device, counted, others));
            _exchanges.Add(Replicas);
            Replicas.CopyWeights();
        }

        if (processes.Group is not { } group) return step;
        _exchanges.Add(new ProcessExchange(group, counted.Parameters));
        return new ProcessStep(step, group);
    }

    private Replica Attach(PreparedReplica replica)
    {
        var (model, random, stages) = (replica.Model, replica.Random, new StageList());
        var setup = new TrainingSetup { Model = model, Random = random, Precision = plan.Precision, Plan = plan, Stages = stages };
        var trainables = new List<ITrainable>();
        foreach (var options in plan.Trainables)
        {
            trainables.Add(owned.Add(options.Create(plan)));
            trainables[^1].Attach(setup);
        }

        MemorySettings.Begin(plan with { Memory = plan.Memory with { CpuThreads = null } }, model, random, owned);
        var method = owned.Add(plan.Method.Create(new MethodSetup
        {
            Model = model, Plan = plan, Trainables = trainables, Stages = stages, Random = random,
        }));
        return new Replica(model.Device, trainables, random, new TrainingStep(method, trainables, random), Counted(trainables));
    }

    private static FlatGradients Counted(IReadOnlyList<ITrainable> trainables) => new(
    [
        .. trainables.SelectMany(trainable => trainable.Groups).SelectMany(group => group.Parameters).Select(parameter => parameter.Value),
        .. trainables.SelectMany(trainable => trainable.ClippedAlong),
    ]);
}
