namespace StableTune.Data;

/// <summary>What is wrong with an option that names a folder, in the same words wherever one is asked for.</summary>
internal static class FolderRules
{
    /// <summary>Of a folder that must be there.</summary>
    /// <param name="option">The option as code names it.</param>
    /// <param name="folder">Its value.</param>
    internal static OptionProblem? Existing(string option, string folder) =>
        File.Exists(folder) ? new(option, folder, "this is a file, not a folder", "name the folder that holds the images")
        : Directory.Exists(folder) ? null
            : new(option, folder, "the folder does not exist", "fix the path; relative ones start from the current folder");

    /// <summary>The bare name of a folder; what can be no path is its own name.</summary>
    internal static string NameOf(string folder) =>
        folder.Contains('\0', StringComparison.Ordinal) || folder.Length == 0 ? folder
            : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));

    /// <summary>Of a folder of images that cannot be left out.</summary>
    /// <param name="option">The option as code names it.</param>
    /// <param name="folder">Its value.</param>
    internal static IEnumerable<OptionProblem> OfImages(string option, string? folder)
    {
        if (string.IsNullOrWhiteSpace(folder)) yield return new(option, null, "a folder of images is required", "name one");
        else if (Existing(option, folder) is { } problem) yield return problem;
    }

    /// <summary>Of the extensions of caption files.</summary>
    /// <param name="option">The option as code names it.</param>
    /// <param name="extensions">Its value.</param>
    internal static IEnumerable<OptionProblem> OfCaptions(string option, IReadOnlyList<string>? extensions)
    {
        if (extensions is not null
            && (extensions.Count == 0 || extensions.Any(extension => string.IsNullOrEmpty(extension?.Trim('.', ' ')))))
            yield return new(option, string.Join(", ", extensions), "the extension of caption files must not be empty",
                "use CaptionFiles.Default, or give for instance .txt");
    }

    /// <summary>Of a folder to write images into.</summary>
    /// <param name="option">The option as code names it.</param>
    /// <param name="folder">Its value.</param>
    /// <param name="source">The folder of the originals where the results have their names and would replace them; null where they have
    /// others.</param>
    internal static IEnumerable<OptionProblem> OfResults(string option, string? folder, string? source = null)
    {
        if (string.IsNullOrWhiteSpace(folder)) yield return new(option, null, "a folder to write into is required", "name one");
        else if (!AtomicFile.CanWriteInto(folder, out var reason))
            yield return new(option, folder, reason.TrimEnd('.'), "name another folder");
        else if (Directory.Exists(source) && Path.GetFullPath(source) == Path.GetFullPath(folder))
            yield return new(option, folder, "the results would replace the originals", "name another folder");
    }
}
