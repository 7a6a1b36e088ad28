namespace StableTune.Formats;

/// <summary>A configuration file is wrong at one place: its notation, or what it says.</summary>
public sealed class InvalidConfigurationException : InvalidFileException
{
    /// <summary>Creates the exception; its message reads "file: line 7, column 3: fault remedy".</summary>
    /// <param name="path">The file, as the user named it.</param>
    /// <param name="position">The place in it.</param>
    /// <param name="fault">What is wrong, with what was found and what was expected.</param>
    /// <param name="remedy">What the user can do about it.</param>
    /// <param name="inner">What led to this, if anything.</param>
    public InvalidConfigurationException(string path, TomlPosition position, string fault, string remedy, Exception? inner = null)
        : base(path, $"{position}: {fault}", remedy, inner) => Position = position;

    /// <summary>Where in the file.</summary>
    public TomlPosition Position { get; }
}
