namespace StableTune;

/// <summary>Finds the name that somebody may have meant.</summary>
public static class NearName
{
    /// <summary>The known name that differs in the fewest letters, else the shortest of which it is one or more words, as "flip" of "flip_aug"; null when none is near.</summary>
    /// <param name="wrong">The name that is not known.</param>
    /// <param name="known">The names that are.</param>
    public static string? Of(string wrong, IEnumerable<string> known)
    {
        ArgumentNullException.ThrowIfNull(wrong);
        ArgumentNullException.ThrowIfNull(known);
        if (wrong.Length > 100) return null;                                  // nobody meant that
        var nearest = known.Select(name => new { Name = name, Distance = Distance(wrong, name) }).MinBy(candidate => candidate.Distance);
        if (nearest is not null && nearest.Distance <= Math.Max(2, wrong.Length / 3)) return nearest.Name;
        return known.Where(name => IsPart(wrong, name)).MinBy(name => name.Length);
    }

    private static bool IsPart(string words, string name) => words.Length >= 3 && $"_{name}_".Contains($"_{words}_", StringComparison.OrdinalIgnoreCase);

    /// <summary>Letters to insert, leave out or replace (Levenshtein), without regard to case. Takes time in proportion to the product of the lengths.</summary>
    /// <param name="left">A name.</param>
    /// <param name="right">Another.</param>
    /// <returns>0 for names that differ in case only, up to the longer one's length.</returns>
    public static int Distance(string left, string right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
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
