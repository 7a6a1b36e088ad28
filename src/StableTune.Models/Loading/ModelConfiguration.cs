namespace StableTune.Models;

/// <summary>What a model folder's configurations say that the rules of other options depend on.</summary>
/// <param name="LargestClipSkip">Layers of the text encoder; null where clip skip is not looked at (SDXL).</param>
/// <param name="Scheduler">Noise schedule and prediction type.</param>
public sealed record ModelConfiguration(int? LargestClipSkip, SchedulerOptions Scheduler)
{
    /// <summary>Reads three small files, no weights.</summary>
    /// <param name="path">The folder that holds <c>model_index.json</c>.</param>
    /// <returns>Null when they cannot be read: <see cref="ModelLoader.Check"/> says why.</returns>
    public static ModelConfiguration? Find(string path)
    {
        try
        {
            var folder = ModelFolder.Open(path);
            var isXl = ArchitectureReader.UNet(folder.Config("unet")).TakesAddedConditions;
            return new ModelConfiguration(
                isXl ? null : ArchitectureReader.ClipText(folder.Config("text_encoder")).Layers,
                ArchitectureReader.Scheduler(folder.Config("scheduler", "scheduler_config.json")));
        }
        catch (InvalidFileException)
        {
            return null;
        }
    }
}
