using System.Collections.Immutable;
using StableTune.Training;

namespace StableTune;

/// <summary>
/// The devices and processes that share the batch of each step. With d devices in each of p processes and batches of b images a step sees
/// d · p · b of them, and learns what a single device learns from batches of that size.
/// </summary>
public sealed record DistributedOptions : OptionsBase
{
    /// <summary>The devices of this process; a copy of the model on each. Empty, the default, for the one of
    /// <see cref="TrainingPlan.Device"/>.</summary>
    public ImmutableList<Device> Devices { get; init; } = [];

    /// <summary>The processes that train together, of which this is one; null, the default, for this one alone.</summary>
    public ProcessOptions? Processes { get; init; }

    /// <summary>How long a process waits for the others in one exchange before it gives them up (sd-scripts: <c>ddp_timeout</c>). A process
    /// that ends is noticed at once. Filling caches, drawing samples and pauses count. Default 30 minutes.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How many parts a step's batch is cut into.</summary>
    internal int Shares => Math.Max(1, Devices.Count) * (Processes?.Count ?? 1);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Timeout <= TimeSpan.Zero) yield return Problem(Timeout, "processes must wait for each other", "30 minutes is the default");
        foreach (var device in Devices)
            if (!NativeBackend.HasDevice(device, out var missing))
                yield return Problem(device.ToString(), missing.TrimEnd('.'), "name devices that are there", nameof(Devices));
        if (Devices.Select(device => device.type).Distinct().Count() > 1)
            yield return Problem(string.Join(", ", Devices), "the devices are of different kinds: the slowest would set the pace",
                "name devices of one kind", nameof(Devices));
        foreach (var problem in Processes?.Validate() ?? []) yield return problem;
    }
}
