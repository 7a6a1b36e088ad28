namespace StableTune.Data;

/// <summary>Turns exceptions about files into problems, so that all of them can be told at once.</summary>
internal static class FileProblems
{
    /// <summary>What the exception means for the file; an exception without a file of its own is laid at <paramref name="path"/>'s
    /// door.</summary>
    internal static OptionProblem Describe(string option, string path, Exception e) => e is InvalidFileException file
        ? file.AsProblem(option)
        : new(option, path, "the file cannot be read: " + e.Message.TrimEnd('.'), "check that it exists and may be read");

    /// <summary>What is wrong with the file, as lists of files that were left out say it: without the file's name and without a full
    /// stop.</summary>
    internal static string Reason(Exception e) => (e is InvalidFileException file ? file.Fault : e.Message).TrimEnd('.');

    /// <summary>Exceptions that say something about the user's files rather than about a fault in the program.</summary>
    internal static bool IsAboutFiles(Exception e) => e is IOException or UnauthorizedAccessException;
}
