namespace StableTune.Data;

/// <summary>A file that a preparation tool had to leave out.</summary>
/// <param name="Path">The file.</param>
/// <param name="Reason">Why, as a sentence without its full stop.</param>
public sealed record SkippedFile(string Path, string Reason)
{
    /// <summary>A result that is there already and is not to be overwritten.</summary>
    internal static SkippedFile There(string path) => new(path, "it is there already; set Overwrite to write it again");
}

/// <summary>What a preparation tool did: it goes on after a bad file, and tells all of them here.</summary>
/// <param name="Done">Files that were dealt with.</param>
/// <param name="Skipped">Files that were left out, and why.</param>
public sealed record PreparationReport(int Done, IReadOnlyList<SkippedFile> Skipped)
{
    /// <summary>The report with files that were left out before.</summary>
    internal PreparationReport And(IEnumerable<SkippedFile> before) => this with { Skipped = [.. before, .. Skipped] };

    /// <summary>The report in a few lines for people.</summary>
    public override string ToString() => Skipped.Count == 0 ? $"{Done} done." : $"{Done} done, {Skipped.Count} left out:\n"
        + string.Join('\n', Skipped.Select(file => $"  {file.Path}: {file.Reason}"));
}
