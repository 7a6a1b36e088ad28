using StableTune.Data;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>The model on a further device, as far as steps need it.</summary>
/// <param name="Model">The model; the run's.</param>
/// <param name="Random">Random streams like the run's: every device draws for the whole batch.</param>
internal sealed record PreparedReplica(StableDiffusionModel Model, TrainingRandom Random);

/// <summary>A further device with everything attached.</summary>
/// <param name="Device">Where it is.</param>
/// <param name="Trainables">What is trained there.</param>
/// <param name="Random">Its random streams.</param>
/// <param name="Step">Takes its share of a batch to gradients.</param>
/// <param name="Counted">What gets gradients, in the order of the first device's.</param>
internal sealed record Replica(
    Device Device, IReadOnlyList<ITrainable> Trainables, TrainingRandom Random, IBatchRunner Step, FlatGradients Counted);

/// <summary>
/// Several devices in one process: each has a copy of the model and a thread of its own. The batch is cut, each device computes the
/// gradients of its share, the first adds them up and steps, and the others take over its weights, bit for bit.
/// </summary>
internal sealed class ReplicaSet : IBatchRunner, IGradientExchange, IDisposable
{
    private readonly IBatchRunner _first;
    private readonly FlatGradients _counted;
    private readonly IReadOnlyList<Replica> _others;
    private readonly List<ReplicaThread> _threads;
    private readonly Device _device;
    private readonly int _cpuThreads, _cpuThreadsBefore = get_num_threads();

    /// <param name="first">Takes the first device's share to gradients.</param>
    /// <param name="device">The first device.</param>
    /// <param name="counted">What gets gradients there.</param>
    /// <param name="others">The further devices.</param>
    public ReplicaSet(IBatchRunner first, Device device, FlatGradients counted, IReadOnlyList<Replica> others)
    {
        (_first, _device, _counted, _others) = (first, device, counted, others);
        _cpuThreads = device.type == DeviceType.CPU ? Math.Max(1, _cpuThreadsBefore / Count) : _cpuThreadsBefore;
        _threads = [.. others.Select((other, i) => new ReplicaThread($"device {i + 1} ({other.Device})", _cpuThreads))];
    }

    /// <summary>The further devices.</summary>
    public IReadOnlyList<Replica> Others => _others;

    private int Count => _others.Count + 1;

    public IReadOnlyList<SampleReading> Samples => [.. _first.Samples, .. _others.SelectMany(other => other.Step.Samples)];

    public double TryRun(Batch batch, int accumulation, Tensor? scale)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var losses = new double[Count];
        Run(batch, (place, step, device, part) => losses[place] = step.TryRun(part, accumulation, scale?.to(device)));
        return losses.Sum();
    }

    public Tensor RunWithoutReading(Batch batch, int accumulation, Tensor? scale)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using var scope = NewDisposeScope();
        var losses = new Tensor[Count];
        try
        {
            Run(batch, (place, step, device, part) =>
                losses[place] = step.RunWithoutReading(part, accumulation, scale?.to(device)).DetachFromDisposeScope());
            return stack([.. losses.Select(loss => loss.to(_device))]).sum().MoveToOuterDisposeScope();
        }
        finally
        {
            foreach (var loss in losses) loss?.Dispose();
        }
    }

    public void Sum()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        bool[] needed = _others.Select(other => other.Counted.Present()).Aggregate(_counted.Present(),
            (all, one) => [.. all.Zip(one, (here, there) => here || there)]);
        _counted.Complete(needed);
        foreach (var other in _others) other.Counted.Complete(needed);
        foreach (var places in _counted.Chunks(needed))
        {
            using var inChunk = NewDisposeScope();
            var gradients = _counted.Gradients(places);
            var sum = FlatTensors.Join(gradients);
            foreach (var other in _others) sum.add_(FlatTensors.Join(other.Counted.Gradients(places)).to(_device));
            FlatTensors.PutBack(sum, gradients);
        }
    }

    public void Spread(StepMoment moment)
    {
        // Also of a step that was left out: its gradients were not added up.
        foreach (var parameter in _others.SelectMany(other => other.Counted.Parameters)) parameter.grad = null;
        // What ends with a step ends everywhere; what it does to weights is overwritten.
        foreach (var trainable in _others.SelectMany(other => other.Trainables)) trainable.AfterStep(moment);
        CopyWeights();
    }

    /// <summary>Gives all devices the weights of the first.</summary>
    public void CopyWeights()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        bool[] all = [.. _counted.Parameters.Select(_ => true)];
        foreach (var places in _counted.Chunks(all))
        {
            using var inChunk = NewDisposeScope();
            var weights = _counted.Weights(places);
            var joined = FlatTensors.JoinAsTheyAre(weights).detach();
            foreach (var other in _others) FlatTensors.PutBack(joined.to(other.Device), other.Counted.Weights(places));
        }
    }

    public void Dispose()
    {
        foreach (var thread in _threads) thread.Dispose();
    }

    private void Run(Batch batch, Action<int, IBatchRunner, Device, Batch> run)
    {
        Batch[] parts = [.. Enumerable.Range(0, Count).Select(place => batch.Part(place, Count))];
        set_num_threads(_cpuThreads);
        try
        {
            ReplicaThread.RunAll(_threads, () => run(0, _first, _device, parts[0]),
                i => () => run(i + 1, _others[i].Step, _others[i].Device, parts[i + 1]));
        }
        finally
        {
            set_num_threads(_cpuThreadsBefore);
            foreach (var part in parts) part.Dispose();
        }
    }
}
