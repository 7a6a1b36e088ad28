using StableTune.Training;

namespace StableTune;

/// <summary>
/// Writes a model card (<c>README.md</c>) when the run ends, well or not: what was trained on what, how long, with which options, and
/// which files; with the front matter by which hubs find it. Sample pictures are shown that lie below its folder. A file that a person
/// has written, or that lacks the line by which a card of a run is known, is left as it is, with a warning.
/// </summary>
/// <param name="path">The file.</param>
public sealed class ModelCard(string path) : RunPage(path)
{
    private protected override string Mark => ModelCardText.Mark;

    private protected override bool LeavesFilesOfOthers => true;

    private protected override string Text(RunRecord record, string folder) => ModelCardText.Write(record,
        [.. from file in record.Samples.LastOrDefault()?.Files ?? []
            where File.Exists(file)
            let inside = Path.GetRelativePath(folder, file).Replace(Path.DirectorySeparatorChar, '/')
            where !inside.StartsWith("..", StringComparison.Ordinal) && !Path.IsPathRooted(inside)
            select new CardPicture(inside, ReportSamples.PromptOf(file) ?? "")],
        record.Files.Where(file => File.Exists(file.Path) || (Directory.Exists(file.Path) && !StateFolder.IsState(file.Path))));
}
