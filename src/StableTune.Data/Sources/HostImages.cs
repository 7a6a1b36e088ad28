namespace StableTune.Data;

/// <summary>The images that a host gives by hand.</summary>
internal sealed class HostImages(IReadOnlyList<DatasetItem> items) : IDatasetSource
{
    public string Name => "images of the host";

    public IEnumerable<DatasetItem> Items()
    {
        var twice = items.GroupBy(item => item.Path, StringComparer.Ordinal).Where(same => same.Count() > 1).Select(same => same.Key)
            .ToList();
        InvalidOptionsException.ThrowIfAny(
            twice.Select(name => new OptionProblem(
            "DatasetItem.Path", name, "two images have this name, so that messages and caches could not tell them apart",
            "give each a name of its own")));
        return items;
    }
}
