using Tomlyn.Syntax;

namespace StableTune.Formats;

/// <summary>Turns offsets in a text into lines and columns. Tomlyn's own columns count characters, ours UTF-16 units, as editors
/// do.</summary>
internal sealed class TomlPlaces
{
    private readonly List<int> _lineStarts = [0];

    public TomlPlaces(string text, string path)
    {
        Path = path;
        for (var at = text.IndexOf('\n', StringComparison.Ordinal); at >= 0; at = text.IndexOf('\n', at + 1)) _lineStarts.Add(at + 1);
    }

    /// <summary>What messages call the file.</summary>
    public string Path { get; }

    /// <summary>The place of a UTF-16 unit.</summary>
    public TomlPosition At(int offset)
    {
        var line = _lineStarts.BinarySearch(offset);
        if (line < 0) line = ~line - 1;
        return new TomlPosition(line + 1, offset - _lineStarts[line] + 1);
    }

    /// <summary>Where a part of the tree begins.</summary>
    public TomlPosition At(SyntaxNode node) => At(node.Span.Start.Offset);

    /// <summary>The exception for a fault at a place.</summary>
    public InvalidConfigurationException Fault(TomlPosition position, string fault, string remedy) => new(Path, position, fault, remedy);

    /// <summary>The exception for a fault at a part of the tree.</summary>
    public InvalidConfigurationException Fault(SyntaxNode node, string fault, string remedy) => Fault(At(node), fault, remedy);
}
