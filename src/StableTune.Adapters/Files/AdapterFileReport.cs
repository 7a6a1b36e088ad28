namespace StableTune.Adapters;

/// <summary>What was found in an adapter file: whose names it has, and what of it was not used.</summary>
/// <param name="Path">The file.</param>
public sealed record AdapterFileReport(string Path)
{
    /// <summary>How many names are listed in a sentence.</summary>
    private const int MostNames = 3;

    /// <summary>Whose names the file has, see <see cref="AdapterNaming"/>; usually one: "PEFT".</summary>
    public IReadOnlyList<string> Namings { get; init; } = [];

    /// <summary>
    /// Adapters that were left out, by the file's names, because the modules that were offered lack their part of the model: those of text
    /// encoders where only the UNet is given.
    /// </summary>
    public IReadOnlyList<string> LeftOut { get; init; } = [];

    /// <summary>The words of embeddings that the file brings along, see <see cref="AdapterFiles.ReadEmbeddings"/>.</summary>
    public IReadOnlyList<string> Embeddings { get; init; } = [];

    /// <summary>The adapters in the file.</summary>
    internal int AdapterCount { get; init; }

    /// <summary>What is worth telling the user, in sentences; empty for a file under sd-scripts' names that was used as a whole.</summary>
    public IReadOnlyList<string> Notes => [.. Sentences()];

    private IEnumerable<string> Sentences()
    {
        if (Namings.Any(name => name != AdapterNamings.SdScripts.Name))
            yield return $"{Path}: its names are those of {string.Join(" and of ", Namings)}.";
        if (LeftOut.Count > 0)
            yield return $"{Path}: {LeftOut.Count} of its {AdapterCount} adapters are left out, because they are for a part of the model " +
                $"that is not offered here: {List(LeftOut)}.";
        if (Embeddings.Count > 0)
            yield return $"{Path}: it brings {Embeddings.Count} embedding(s) along, {List(Embeddings)}, which are not used with the " +
                "adapters. AdapterFiles.ReadEmbeddings gives their tensors.";
    }

    internal static string List(IReadOnlyList<string> names) =>
        string.Join(", ", names.Take(MostNames)) + (names.Count > MostNames ? $" and {names.Count - MostNames} more" : "");
}
