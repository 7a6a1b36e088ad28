namespace StableTune.Data;

/// <summary>What a source needs to know of the data set that it is read for.</summary>
/// <param name="Extensions">The extensions of images that are taken, in lower case: those that the data set's codec reads.</param>
/// <param name="Options">The options of the subset.</param>
internal sealed record SourceContext(IReadOnlyList<string> Extensions, SubsetOptions Options)
{
    /// <summary>For a source that is read by itself.</summary>
    internal static SourceContext Alone { get; } = new(ImageFiles.Extensions, new());
}

/// <summary>A source that looks for files by their extensions, which depend on what the data set's codec reads.</summary>
internal interface IKindsSource
{
    /// <summary>As <see cref="IDatasetSource.Items"/>.</summary>
    IEnumerable<DatasetItem> Items(SourceContext context);

    /// <summary>As <see cref="IDatasetSource.Warnings"/>.</summary>
    IEnumerable<string> Warnings(SourceContext context);
}
