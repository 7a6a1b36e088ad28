namespace StableTune.Models;

/// <summary>What a model folder's configurations say that the rules of other options depend on.</summary>
/// <param name="TextEncoder">The text encoder.</param>
/// <param name="Scheduler">Noise schedule and prediction type.</param>
public sealed record ModelConfiguration(ClipTextOptions TextEncoder, SchedulerOptions Scheduler)
{
    /// <summary>Reads two small files, no weights.</summary>
    /// <param name="path">The folder that holds <c>model_index.json</c>.</param>
    /// <returns>Null when they cannot be read: <see cref="ModelLoader.Check"/> says why.</returns>
    public static ModelConfiguration? Find(string path)
    {
        try
        {
            var folder = ModelFolder.Open(path);
            return new ModelConfiguration(
                ArchitectureReader.ClipText(folder.Config("text_encoder")), ArchitectureReader.Scheduler(folder.Config("scheduler", "scheduler_config.json")));
        }
        catch (InvalidFileException)
        {
            return null;
        }
    }
}
