using System.Globalization;

namespace StableTune.Data;

/// <summary>What a cache found when it was opened.</summary>
/// <param name="Found">Images, or captions, that need not be encoded.</param>
/// <param name="Missing">Those that must be.</param>
public sealed record CacheReport(int Found, int Missing)
{
    /// <summary>How many of the missing have files that no longer fit: another image, model or size.</summary>
    public int Stale { get; init; }

    /// <summary>How many of the missing have files that cannot be read.</summary>
    public int Damaged { get; init; }

    /// <summary>What the user should know: which files are made again, and why. One sentence or two each.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>The report in a few lines for people.</summary>
    public override string ToString() => string.Join('\n', Notes.Prepend(string.Create(CultureInfo.InvariantCulture,
        $"{Found} found, {Missing} to be encoded ({Stale} of them stale, {Damaged} damaged)")));

    /// <summary>Counts findings.</summary>
    /// <param name="findings">What was found for each.</param>
    /// <param name="what">Their name in notes.</param>
    internal static CacheReport Of(IReadOnlyCollection<CacheFinding> findings, string what)
    {
        int Count(CacheState state) => findings.Count(finding => finding.State == state);
        var found = Count(CacheState.Present);
        return new(found, findings.Count - found)
        {
            Stale = Count(CacheState.Stale),
            Damaged = Count(CacheState.Damaged),
            Notes = [.. Note(CacheState.Stale, "no longer fit"), .. Note(CacheState.Damaged, "cannot be read"),
                .. findings.Where(finding => finding.Note is not null).GroupBy(finding => finding.Note!)
                    .Select(group => $"{group.Count()} file(s) with {what}: {group.Key}")],
        };

        IEnumerable<string> Note(CacheState state, string fault)
        {
            const int shown = 3;
            var some = findings.Where(finding => finding.State == state).Take(shown + 1)
                .Select(finding => $"{finding.Path}: {finding.Reason}").ToList();
            if (some.Count > 0)
                yield return $"{Count(state)} file(s) with {what} {fault} and are made again: "
                    + $"{string.Join("; ", some.Take(shown))}{(some.Count > shown ? " ..." : "")}.";
        }
    }
}

/// <summary>What became of a look for something in a cache.</summary>
internal enum CacheState
{
    /// <summary>The cached entry is there and fits.</summary>
    Present,

    /// <summary>Nothing is there.</summary>
    Missing,

    /// <summary>Something is there that does not fit.</summary>
    Stale,

    /// <summary>A file is there that cannot be read.</summary>
    Damaged,
}

/// <summary>The outcome of a look for something in a cache.</summary>
/// <param name="State">What was found.</param>
/// <param name="Path">The file; where nothing was found, the one that will be written.</param>
/// <param name="Reason">Why it does not count, without full stop; null where it does.</param>
/// <param name="Note">What the user should know of a file that counts.</param>
internal sealed record CacheFinding(CacheState State, string Path, string? Reason = null, string? Note = null)
{
    /// <summary>What a look finds; a file that cannot be read is damaged.</summary>
    internal static CacheFinding At(string path, Func<CacheFinding> look)
    {
        try
        {
            return look();
        }
        catch (Exception e) when (FileProblems.IsAboutFiles(e))
        {
            return e is InvalidFileException file ? new(CacheState.Damaged, file.Path, file.Fault.TrimEnd('.'))
                : new(CacheState.Damaged, path, e.Message.TrimEnd('.'));
        }
    }

    /// <summary>A file that serves, or one that does not for this reason.</summary>
    internal static CacheFinding Of(string path, string? fault) =>
        fault is null ? new(CacheState.Present, path) : new(CacheState.Stale, path, fault);
}
