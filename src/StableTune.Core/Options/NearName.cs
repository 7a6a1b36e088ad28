namespace StableTune;

/// <summary>Finds the name that somebody may have meant.</summary>
public static class NearName
{
    /// <summary>Longer names are not compared: it takes time in proportion to the product of the lengths.</summary>
    private const int LongestOption = 100, LongestPath = 200;

    /// <summary>The known name that differs in the fewest letters, else the shortest of which it is one or more words, as "flip" of
    /// "flip_aug"; null when none is near.</summary>
    /// <param name="wrong">The name that is not known.</param>
    /// <param name="known">The names that are.</param>
    public static string? Of(string wrong, IEnumerable<string> known)
    {
        ArgumentNullException.ThrowIfNull(wrong);
        ArgumentNullException.ThrowIfNull(known);
        if (wrong.Length > LongestOption) return null;                        // nobody meant that
        var nearest = known.Select(name => new { Name = name, Distance = Distance(wrong, name) }).MinBy(candidate => candidate.Distance);
        if (nearest is not null && nearest.Distance <= Math.Max(2, wrong.Length / 3)) return nearest.Name;
        return known.Where(name => IsPart(wrong, name)).MinBy(name => name.Length);
    }

    /// <summary>
    /// Up to four names of files, the nearest first: few letters differ, or the file's name is the same in another folder or with another
    /// ending.
    /// </summary>
    /// <param name="wrong">The name that is not known; parts of a path are separated by <c>/</c>.</param>
    /// <param name="known">The names that are.</param>
    public static IReadOnlyList<string> OfFiles(string wrong, IEnumerable<string> known)
    {
        ArgumentNullException.ThrowIfNull(wrong);
        ArgumentNullException.ThrowIfNull(known);
        if (wrong.Length > LongestPath) return [];
        var near =
            from name in known
            where name.Length <= LongestPath
            let distance = Distance(Stem(wrong), Stem(name)) + (Distance(wrong, name) / 4.0)
            where distance <= Math.Max(3, wrong.Length * 0.5)
            select (Name: name, Distance: distance);
        return [.. near.OrderBy(candidate => candidate.Distance).ThenBy(candidate => candidate.Name, StringComparer.Ordinal).Take(4)
            .Select(candidate => candidate.Name)];
    }

    private static bool IsPart(string words, string name) =>
        words.Length >= 3 && $"_{name}_".Contains($"_{words}_", StringComparison.OrdinalIgnoreCase);

    private static string Stem(string path)
    {
        var file = path[(path.LastIndexOf('/') + 1)..];
        var dot = file.LastIndexOf('.');
        return dot > 0 ? file[..dot] : file;
    }

    /// <summary>Letters to insert, leave out or replace (Levenshtein), without regard to case.</summary>
    private static int Distance(string left, string right)
    {
        var row = Enumerable.Range(0, right.Length + 1).ToArray();
        for (var i = 1; i <= left.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= right.Length; j++)
            {
                var change = diagonal + (char.ToLowerInvariant(left[i - 1]) == char.ToLowerInvariant(right[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(change, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[right.Length];
    }
}
