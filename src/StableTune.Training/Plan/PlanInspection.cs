using StableTune.Checkpoints;
using StableTune.Data;

namespace StableTune.Training;

/// <summary>What one look at all files of a plan has found.</summary>
/// <param name="Dataset">The images; null for a run without, or where they cannot be read.</param>
/// <param name="Model">What the model's configurations say; null for a given model, and where they cannot be read or have yet to be
/// downloaded.</param>
/// <param name="Problems">Everything that is wrong.</param>
internal sealed record PlanInspection(TrainingDataset? Dataset, ModelConfiguration? Model, IReadOnlyList<OptionProblem> Problems);
