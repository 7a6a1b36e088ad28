namespace StableTune.Data;

/// <summary>A source that looks for files by their extensions, which depend on what the data set's codec reads.</summary>
internal interface IKindsSource
{
    /// <summary>As <see cref="IDatasetSource.Items"/>.</summary>
    /// <param name="extensions">The extensions that are taken, in lower case.</param>
    IEnumerable<DatasetItem> Items(IReadOnlyList<string> extensions);

    /// <summary>As <see cref="IDatasetSource.Warnings"/>.</summary>
    /// <param name="extensions">The extensions that are taken, in lower case.</param>
    IEnumerable<string> Warnings(IReadOnlyList<string> extensions);
}
