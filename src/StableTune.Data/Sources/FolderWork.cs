namespace StableTune.Data;

/// <summary>
/// Does one kind of work on many files: with all cores, going on after a bad one, and told at the end in the order of the files.
/// </summary>
internal static class FolderWork
{
    /// <summary>Does the work.</summary>
    /// <param name="files">The files.</param>
    /// <param name="stage">What progress calls it.</param>
    /// <param name="work">Done for each file, on any thread; answers what it left out.</param>
    /// <param name="progress">Counts files.</param>
    /// <param name="cancellationToken">Ends the work between files.</param>
    internal static PreparationReport Run(
        IReadOnlyList<string> files, string stage, Func<string, IEnumerable<SkippedFile>> work, IProgress<WorkProgress>? progress,
            CancellationToken cancellationToken)
    {
        var skipped = OrderedWork.Run(files.Count, Environment.ProcessorCount, stage, i =>
            Attempt(files[i], work), progress, cancellationToken);
        return new PreparationReport(skipped.Count(list => list.Count == 0), [.. skipped.SelectMany(list => list)]);
    }

    private static List<SkippedFile> Attempt(string file, Func<string, IEnumerable<SkippedFile>> work)
    {
        try
        {
            return [.. work(file)];
        }
        catch (Exception e) when (FileProblems.IsAboutFiles(e))
        {
            return [new(file, FileProblems.Reason(e))];
        }
    }
}
