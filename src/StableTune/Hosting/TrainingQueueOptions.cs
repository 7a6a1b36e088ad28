namespace StableTune;

/// <summary>How a <see cref="TrainingQueue"/> works; can be bound to a section of a host's configuration.</summary>
public sealed class TrainingQueueOptions
{
    /// <summary>Trainings that run at once. Default 1: they share the memory and the processors of one machine.</summary>
    public int Parallel { get; set; } = 1;

    /// <summary>Trainings that may wait; a further one is refused. Default 100.</summary>
    public int Capacity { get; set; } = 100;

    /// <summary>Trainings that are remembered after their end, the latest ones. Default 100.</summary>
    public int KeepEnded { get; set; } = 100;

    /// <summary>What is wrong with these options; empty when they can work.</summary>
    public IEnumerable<OptionProblem> Validate()
    {
        if (Parallel < 1) yield return Problem(nameof(Parallel), Parallel, "at least one training must run at a time", "1 is the default");
        if (Capacity < 1)
            yield return Problem(nameof(Capacity), Capacity, "at least one training must be able to wait", "100 is the default");
        if (KeepEnded < 0) yield return Problem(nameof(KeepEnded), KeepEnded, "the number must not be negative", "0 remembers none");
    }

    private static OptionProblem Problem(string name, object? value, string rule, string remedy) =>
        new($"{nameof(TrainingQueueOptions)}.{name}", value, rule, remedy);
}
