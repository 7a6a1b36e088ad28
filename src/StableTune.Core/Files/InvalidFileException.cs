namespace StableTune;

/// <summary>A file is not what it should be: truncated, corrupt, of another kind, or with contents that do not fit.</summary>
public class InvalidFileException : IOException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="path">The file, as the user named it.</param>
    /// <param name="fault">What is wrong, with the value found and the one expected.</param>
    /// <param name="remedy">What the user can do about it.</param>
    /// <param name="inner">What led to this, if anything.</param>
    public InvalidFileException(string path, string fault, string remedy, Exception? inner = null)
        : base($"{path}: {fault} {remedy}", inner)
    {
        (Path, Fault, Remedy) = (path, fault, remedy);
    }

    /// <summary>The file, as the user named it.</summary>
    public string Path { get; }

    /// <summary>What is wrong with it.</summary>
    public string Fault { get; }

    /// <summary>What the user can do about it.</summary>
    public string Remedy { get; }

    /// <summary>This fault as one of several problems.</summary>
    /// <param name="option">The option that names the file.</param>
    public OptionProblem AsProblem(string option) => new(option, Path, Fault.TrimEnd('.', '\n'), Remedy);
}
