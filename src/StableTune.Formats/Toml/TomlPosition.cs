namespace StableTune.Formats;

/// <summary>A place in a configuration file.</summary>
/// <param name="Line">The line, from 1; 0 for what code built.</param>
/// <param name="Column">The column, from 1, in UTF-16 units as editors count; 0 for what code built.</param>
public readonly record struct TomlPosition(int Line, int Column)
{
    /// <summary>For messages: <c>line 7, column 3</c>.</summary>
    public override string ToString() => $"line {Line}, column {Column}";
}
