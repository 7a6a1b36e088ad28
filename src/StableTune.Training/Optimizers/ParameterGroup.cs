using StableTune.Schedules;

namespace StableTune.Optimizers;

/// <summary>A trained tensor with the name under which its optimizer state is saved.</summary>
/// <param name="Name">Unique in the run, for instance the key in the saved file.</param>
/// <param name="Value">The tensor: a leaf that requires gradients.</param>
public readonly record struct NamedParameter(string Name, Tensor Value);

/// <summary>Parameters that share a learning rate.</summary>
/// <param name="Name">What the group is called in logs: "unet", "textencoder" ...</param>
/// <param name="Parameters">The tensors.</param>
/// <param name="LearningRate">The initial rate, which the schedule multiplies.</param>
public sealed record ParameterGroup(string Name, IReadOnlyList<NamedParameter> Parameters, double LearningRate)
{
    /// <summary>The group's weight decay; null, the default, for that of the optimizer's options.</summary>
    public double? WeightDecay { get; init; }

    /// <summary>The group's own schedule of the learning rate; null, the default, for the run's.</summary>
    public LrScheduleOptions? Schedule { get; init; }
}
