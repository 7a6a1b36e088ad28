namespace StableTune.Hub;

/// <summary>Finds the names that somebody may have meant.</summary>
internal static class NearNames
{
    private const int MaxLength = 200;

    /// <summary>A sentence with up to four names like the wrong one, with a space before it; empty when none is like it.</summary>
    public static string Sentence(string wrong, IEnumerable<string> names, string lead = "Near it")
    {
        var near = Of(wrong, names);
        return near.Count == 0 ? "" : $" {lead}: {string.Join(", ", near)}.";
    }

    /// <summary>Up to four names, the nearest first: few letters differ, or the file's name is the same in another folder or with another ending.</summary>
    public static IReadOnlyList<string> Of(string wrong, IEnumerable<string> names) => names
        .Where(name => name.Length <= MaxLength)
        .Select(name => (Name: name, Distance: Difference(Stem(wrong), Stem(name)) + (Difference(wrong, name) / 4.0)))
        .Where(candidate => candidate.Distance <= Math.Max(3, wrong.Length * 0.5))
        .OrderBy(candidate => candidate.Distance).ThenBy(candidate => candidate.Name, StringComparer.Ordinal)
        .Take(4).Select(candidate => candidate.Name).ToArray();

    private static string Stem(string path)
    {
        var file = path[(path.LastIndexOf('/') + 1)..];
        var dot = file.LastIndexOf('.');
        return dot > 0 ? file[..dot] : file;
    }

    private static int Difference(string wrong, string name) => NearName.Distance(wrong[..Math.Min(wrong.Length, MaxLength)], name);
}
