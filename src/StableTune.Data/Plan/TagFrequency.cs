namespace StableTune.Data;

/// <summary>Counts the tags of captions, folder by folder.</summary>
internal static class TagFrequency
{
    /// <summary>Each image counts once, whatever its repeats. Tags are divided by commas, trimmed and in lower case; empty ones do not
    /// count.</summary>
    internal static IReadOnlyDictionary<string, IReadOnlyDictionary<string,
        int>> Count(IEnumerable<(string Folder, string Caption)> captions)
    {
        var folders = new OrderedDictionary<string, IReadOnlyDictionary<string, int>>(StringComparer.Ordinal);
        foreach (var (folder, caption) in captions)
        {
            if (!folders.TryGetValue(folder, out var known))
                folders.Add(folder, known = new OrderedDictionary<string, int>(StringComparer.Ordinal));
            var tags = (OrderedDictionary<string, int>)known;
            foreach (var part in caption.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                var tag = part.ToLowerInvariant();
                tags[tag] = tags.GetValueOrDefault(tag) + 1;
            }
        }

        return folders;
    }
}
