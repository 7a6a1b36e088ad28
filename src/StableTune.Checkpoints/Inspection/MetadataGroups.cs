namespace StableTune.Checkpoints;

/// <summary>Sorts a file's texts by who writes them.</summary>
internal static class MetadataGroups
{
    private static readonly (string Prefix, string Title)[] Rows =
        [("modelspec.", "model specification, modelspec"), ("ss_", "training, ss"), ("sshs_", "hashes, sshs"), ("", "other")];

    /// <summary>The groups that have entries, with their keys without the prefix, sorted.</summary>
    public static IEnumerable<(string Title, IReadOnlyList<KeyValuePair<string, string>> Entries)> Of(
        IReadOnlyDictionary<string, string> metadata) =>
        from row in Rows
        let entries = metadata.Where(entry =>
            Array.Find(Rows, other => entry.Key.StartsWith(other.Prefix, StringComparison.Ordinal)).Prefix == row.Prefix)
            .Select(entry => KeyValuePair.Create(entry.Key[row.Prefix.Length..], entry.Value))
                .OrderBy(entry => entry.Key, StringComparer.Ordinal).ToList()
        where entries.Count > 0
        select (row.Title, (IReadOnlyList<KeyValuePair<string, string>>)entries);
}
