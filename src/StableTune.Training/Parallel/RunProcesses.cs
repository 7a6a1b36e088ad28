using System.Text.Json;
using StableTune.Data;

namespace StableTune.Training;

/// <summary>The processes of a run: this one alone, or several that take each step together.</summary>
internal sealed class RunProcesses : ICacheSharing, IDisposable
{
    private readonly IProcessGroup? _group;

    private RunProcesses(IProcessGroup? group) => _group = group;

    /// <summary>Joins the other processes, where the plan says so.</summary>
    /// <exception cref="ProcessGroupException">They cannot be reached, or do not come.</exception>
    public static RunProcesses Join(TrainingPlan plan) =>
        new(plan.Distributed.Processes is { } options ? options.Open(plan.Distributed.Timeout) : null);

    public bool AreSeveral => _group is { Count: > 1 };

    public int Place => _group?.Rank ?? 0;

    public int Count => _group?.Count ?? 1;

    /// <summary>Whether this is the process that saves and logs.</summary>
    public bool IsFirst => Place == 0;

    /// <summary>The group; null for one process.</summary>
    public IProcessGroup? Group => AreSeveral ? _group : null;

    /// <summary>The plan of this process: others than the first write and tell nothing, but draw their part of the samples.</summary>
    public TrainingPlan Of(TrainingPlan plan)
    {
        if (AreSeveral && plan.Device is null && plan.Distributed is { Devices.IsEmpty: true, Processes.LocalRank: { } local }
            && cuda.is_available())
            plan = plan with { Device = new Device(DeviceType.CUDA, local % cuda.device_count()) };
        return IsFirst ? plan : plan with { Savers = [], Observers = [], Logger = null };
    }

    /// <summary>A number that the first process alone finds out.</summary>
    public double FromFirst(Func<double> find)
    {
        if (Group is not { } group) return find();
        var all = group.Gather(IsFirst ? BitConverter.GetBytes(find()) : []);
        return BitConverter.ToDouble(all[0]);
    }

    /// <summary>Gives all processes the weights of the first, from which they step alike.</summary>
    public void Share(IEnumerable<Tensor> weights)
    {
        if (Group is { } group) ProcessExchange.Share(group, weights);
    }

    /// <summary>What each process has, in their order; waits for all.</summary>
    public IReadOnlyList<byte[]> Exchange(byte[] mine) => Group?.Gather(mine) ?? [mine];

    /// <summary>Refuses processes that were started with other options, which would learn something else, or wait for what never
    /// comes.</summary>
    /// <param name="facts">What must be the same, by name.</param>
    /// <exception cref="ProcessGroupException">Something differs: the message says what, in which process.</exception>
    public void Compare(IReadOnlyDictionary<string, string> facts)
    {
        if (Group is not { } group) return;
        var all = group.Gather(JsonSerializer.SerializeToUtf8Bytes(facts));
        var first = Read(all[0]);
        for (var rank = 1; rank < all.Count; rank++)
        {
            string[] differences = [.. PlanFacts.Differences(Read(all[rank]), first)];
            if (differences.Length == 0) continue;
            var list = string.Concat(differences.Select(line => $"{Environment.NewLine}    {line.Replace(", and was ", " there, and ",
                StringComparison.Ordinal)} in process 0"));
            throw new ProcessGroupException($"{group.NameOf(rank)} was started with other options:{list}{Environment.NewLine}Start all "
                + "processes with the same options.", rank);
        }

        static Dictionary<string, string> Read(byte[] json) => JsonSerializer.Deserialize<Dictionary<string, string>>(json)!;
    }

    /// <summary>Tells the others that this process ends because of a fault, so that they do not wait for it.</summary>
    public void Fail(Exception fault)
    {
        if (fault is ProcessGroupException) return;                          // it comes from there, or all have found it out
        Group?.Fail($"{fault.GetType().Name}: {fault.Message}");
    }

    public void Dispose() => _group?.Dispose();
}
