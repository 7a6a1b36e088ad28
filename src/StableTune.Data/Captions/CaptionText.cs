namespace StableTune.Data;

/// <summary>Brings what an author wrote into the form that the caption pipeline expects.</summary>
internal static class CaptionText
{
    /// <summary>The first line that is not empty, without blanks around it; with wildcards all of them, joined by line feeds.</summary>
    internal static string Clean(string written, CaptionOptions options)
    {
        if (options.TakeEmptyFirstLine && !options.Wildcard) return Split(written)[0];
        var lines = Lines(written);
        return options.Wildcard ? string.Join('\n', lines) : lines.FirstOrDefault() ?? "";
    }

    /// <summary>The lines that are not empty, without blanks around them.</summary>
    internal static string[] Lines(string written) => [.. Split(written).Where(line => line.Length > 0)];

    private static string[] Split(string written) => written.Split(["\r\n", "\n", "\r"], StringSplitOptions.TrimEntries);
}
