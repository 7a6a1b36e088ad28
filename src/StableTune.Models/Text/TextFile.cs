namespace StableTune.Models;

/// <summary>Reads the small text files of a model folder, with limits and messages that name the file.</summary>
internal static class TextFile
{
    // Configurations have kilobytes and vocabularies a few megabytes; whatever is larger is something else.
    private const long LargestFile = 256L << 20;

    /// <summary>The whole file.</summary>
    /// <exception cref="InvalidFileException">The file is missing, unreadable or far too large.</exception>
    public static byte[] ReadAllBytes(string path)
    {
        try
        {
            var length = new FileInfo(path).Length;
            if (length > LargestFile)
                throw new InvalidFileException(
                    path, $"the file has {length} bytes, far too many for what it should hold.",
                    "Take the file from the model's repository again.");
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidFileException(path, "the file is missing.", "Complete the model folder, or fix the path.", e);
        }
        catch (Exception e) when (e is UnauthorizedAccessException || (e is IOException and not InvalidFileException))
        {
            throw new InvalidFileException(path, "the file cannot be read: " + e.Message, "Check its permissions.", e);
        }
    }
}
