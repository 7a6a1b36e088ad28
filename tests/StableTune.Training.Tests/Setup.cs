using StableTune.Models;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Training.Tests;

/// <summary>What trainables are attached with where there is no run.</summary>
internal static class Setup
{
    public static TrainingSetup Of(StableDiffusionModel model, TrainingRandom random, TrainingPlan? plan = null) => new()
    {
        Model = model, Random = random, Plan = plan ?? new(), Precision = plan?.Precision ?? PrecisionPolicy.Float32,
        Stages = new StageList(),
    };

    /// <summary>Writes the state of one part to a folder, and reads it into another.</summary>
    public static void Copy(IResumable from, IResumable to)
    {
        using var folder = new TemporaryFolder();
        Write(folder.File("state"), from);
        using var state = SavedState.Open(folder.File("state"));
        to.Load(state.Of(to.Name));
    }

    public static void Write(string path, params IResumable[] parts) => StateFolder.Write(path, new StateContent
    {
        Position = new(1, 2, 3), Product = "test", WrittenAt = DateTimeOffset.UnixEpoch, Plan = new Dictionary<string, string>(),
        Dataset = [], Parts = parts,
    });
}
