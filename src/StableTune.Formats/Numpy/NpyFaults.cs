namespace StableTune.Formats;

/// <summary>The messages about one array: in a file of its own, or one of an archive.</summary>
/// <param name="path">The file.</param>
/// <param name="name">The array's name in the archive; null when the file is the array.</param>
internal sealed class NpyFaults(string path, string? name)
{
    public const string Damaged = "The file is damaged or was not fully written: make it again, or restore it.";

    private readonly string _subject = name is null ? "the NumPy array" : $"array '{name}'";

    public InvalidFileException Fault(string fault, string remedy = Damaged) => new(path, $"{_subject} is not valid: {fault}", remedy);

    public InvalidFileException Truncated(long available) => Fault($"it ends within its header, after {available} byte(s).");

    /// <summary>The message for an element type that is not read; it says why where that is known.</summary>
    public InvalidFileException Type(string descr)
    {
        var (what, remedy) = descr switch
        {
            _ when descr.Contains('O', StringComparison.Ordinal) =>
                ("it holds Python objects, which only Python can read, by running what is in them",
                "Save plain numbers instead; do not trust files with objects."),
            _ when descr.StartsWith('>') =>
                ("its numbers are big-endian", "Save it with little-endian numbers: array.astype(array.dtype.newbyteorder('<'))."),
            _ when descr.StartsWith('[') => ("its elements are records of several fields", "Save each field as an array of its own."),
            _ => ($"its element type '{ShortText.Of(descr, 40)}' is not known", $"Known are {NpyTypes.Known}: convert it with astype."),
        };
        return Fault($"{what}.", remedy);
    }
}
