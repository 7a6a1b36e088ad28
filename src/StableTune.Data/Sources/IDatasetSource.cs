namespace StableTune.Data;

/// <summary>
/// Where images come from. Cheap: names, headers and captions, never pixels. Implement <see cref="Items"/> and hand the
/// object to <see cref="DatasetBuilder.Add"/>; nothing needs to be registered.
/// </summary>
public interface IDatasetSource
{
    /// <summary>
    /// The images, always in the same order: the order is part of what a seed means. Enumerated once for each build.
    /// </summary>
    /// <exception cref="InvalidOptionsException">Something is wrong; one exception with all that was found. The builder reports
    /// it together with the problems of other sources. Other exceptions about files are reported too, one for each source.</exception>
    IEnumerable<DatasetItem> Items();

    /// <summary>What reports call this source, for instance its folder.</summary>
    string Name => GetType().Name;

    /// <summary>What the user should know though training can begin, for instance folders that were passed over. One sentence
    /// each.</summary>
    IEnumerable<string> Warnings() => [];
}
