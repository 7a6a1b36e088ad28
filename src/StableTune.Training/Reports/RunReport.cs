using StableTune.Training;

namespace StableTune;

/// <summary>
/// Writes a page about the run when it ends, well or not: loss, rates, loss by timestep, validation, samples, files with their checksums,
/// images, time, memory, and all options that change what is learnt. One HTML file that needs nothing else, and has no script. It names
/// no token and no key. A file of that name that no run has written is refused before the run begins.
/// </summary>
/// <param name="path">The page.</param>
public sealed class RunReport(string path) : RunPage(path)
{
    private protected override string Mark => ReportPage.Mark;

    private protected override bool LeavesFilesOfOthers => false;

    private protected override string Text(RunRecord record, string folder) => ReportPage.Write(record, folder);
}
