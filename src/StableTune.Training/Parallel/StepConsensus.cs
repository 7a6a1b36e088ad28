namespace StableTune.Training;

/// <summary>What all processes of a run do together after a step, whoever asked for it: stop, or give up. And the first one's factors of
/// the learning rates, which a host can change while the run goes on.</summary>
internal sealed class StepConsensus(IProcessGroup group)
{
    private double[] _factors = [];

    /// <summary>Whether the run was asked to end after this step, in any process.</summary>
    public bool Stops { get; private set; }

    /// <summary>Whether the run was cancelled, in any process.</summary>
    public bool IsCancelled { get; private set; }

    /// <summary>The factor of a group's learning rate.</summary>
    public double FactorOf(int group) => _factors[group];

    /// <summary>Meets the others.</summary>
    /// <param name="stops">Whether this process was asked to stop.</param>
    /// <param name="isCancelled">Whether it was cancelled.</param>
    /// <param name="factors">Its factors of the groups' learning rates.</param>
    public void Meet(bool stops, bool isCancelled, double[] factors)
    {
        using var scope = NewDisposeScope();
        var isFirst = group.Rank == 0;
        double[] mine = [stops ? 1 : 0, isCancelled ? 1 : 0, .. factors.Select(factor => isFirst ? factor : 0)];
        var all = tensor(mine, ScalarType.Float64);
        group.Sum(all);
        var agreed = all.data<double>().ToArray();
        (Stops, IsCancelled, _factors) = (agreed[0] > 0, agreed[1] > 0, agreed[2..]);
    }
}
