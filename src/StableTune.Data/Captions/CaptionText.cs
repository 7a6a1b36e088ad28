namespace StableTune.Data;

/// <summary>Brings what an author wrote into the form that the caption pipeline expects.</summary>
internal static class CaptionText
{
    /// <summary>The first line without blanks around it; with wildcards all lines that are not empty, joined by line feeds.</summary>
    internal static string Clean(string written, bool allLines)
    {
        var lines = written.Split(["\r\n", "\n", "\r"], StringSplitOptions.TrimEntries);
        return allLines ? string.Join('\n', lines.Where(line => line.Length > 0)) : lines[0];
    }
}
