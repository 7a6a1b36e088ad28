using Tomlyn.Syntax;

namespace StableTune.Formats;

/// <summary>
/// Makes tables of the syntax tree: follows headers and dotted keys, and refuses keys that are given twice and tables that are added to
/// after they were given whole. Single values are read by <see cref="TomlScalarReader"/>.
/// </summary>
internal sealed class TomlTableReader(TomlPlaces places)
{
    private readonly TomlTable _root = new(new TomlPosition(1, 1)) { Origin = TableOrigin.Header };

    /// <summary>Reads a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="path">What messages call it.</param>
    public static TomlTable Read(string text, string path)
    {
        // Texts of several lines have line feeds alone. What begins with two carriage returns is left to be refused.
        if (!text.Contains("\r\r\n", StringComparison.Ordinal)) text = text.Replace("\r\n", "\n", StringComparison.Ordinal);
        var places = new TomlPlaces(text, path);
        return new TomlTableReader(places).Read(TomlSyntax.Parse(text, places));
    }

    private TomlTable Read(DocumentSyntax document)
    {
        foreach (var pair in document.KeyValues) Add(_root, pair, depth: 0);
        foreach (var header in document.Tables)
        {
            var keys = Keys(header.Name!);
            var table = Enter(keys, list: header is TableArraySyntax);
            foreach (var pair in header.Items) Add(table, pair, keys.Count);
        }

        return _root;
    }

    /// <summary>The table that a header <c>[a.b]</c> or <c>[[a.b]]</c> opens.</summary>
    private TomlTable Enter(List<Key> keys, bool list)
    {
        var table = _root;
        foreach (var key in keys[..^1]) table = StepIntoForHeader(table, key);
        return list ? AddToList(table, keys[^1]) : Define(table, keys[^1]);
    }

    /// <summary>Goes from a table to one below it, making it where it is missing; in a list of tables, to the last one.</summary>
    private TomlTable StepIntoForHeader(TomlTable table, Key key)
    {
        if (!table.TryGet(key.Name, out var entry)) return Make(table, key, TableOrigin.Implied);
        return entry.Value switch
        {
            TomlTable { Origin: not TableOrigin.Whole } below => below,
            TomlArray { FromHeaders: true } list => (TomlTable)list[^1],
            _ => throw Closed(entry, key.Position),
        };
    }

    private TomlTable Define(TomlTable parent, Key key)
    {
        if (!parent.TryGet(key.Name, out var entry)) return Make(parent, key, TableOrigin.Header);
        if (entry.Value is not TomlTable { Origin: TableOrigin.Implied } implied) throw Twice(entry, key.Position);
        implied.Origin = TableOrigin.Header;
        return implied;
    }

    private TomlTable AddToList(TomlTable parent, Key key)
    {
        if (!parent.TryGet(key.Name, out var entry))
            parent.Add(entry = new TomlEntry(key.Name, new TomlArray(key.Position) { FromHeaders = true }, key.Position));
        if (entry.Value is not TomlArray { FromHeaders: true } list) throw Twice(entry, key.Position);
        var made = new TomlTable(key.Position) { Origin = TableOrigin.Header };
        list.Add(made);
        return made;
    }

    /// <summary>Adds <c>a.b = value</c> to a table.</summary>
    private void Add(TomlTable table, KeyValueSyntax pair, int depth)
    {
        var keys = Keys(pair.Key!);
        foreach (var key in keys[..^1]) table = StepIntoForKey(table, key);
        var (name, position) = keys[^1];
        if (table.TryGet(name, out var there)) throw Twice(there, position);
        table.Add(new TomlEntry(name, Value(pair.Value!, depth + keys.Count), position));
    }

    private TomlTable StepIntoForKey(TomlTable table, Key key)
    {
        if (!table.TryGet(key.Name, out var entry)) return Make(table, key, TableOrigin.DottedKey);
        if (entry.Value is not TomlTable { Origin: TableOrigin.Implied or TableOrigin.DottedKey } below) throw Closed(entry, key.Position);
        below.Origin = TableOrigin.DottedKey;
        return below;
    }

    private static TomlTable Make(TomlTable parent, Key key, TableOrigin origin)
    {
        var made = new TomlTable(key.Position) { Origin = origin };
        parent.Add(new TomlEntry(key.Name, made, key.Position));
        return made;
    }

    private TomlValue Value(ValueSyntax value, int depth)
    {
        CheckDepth(value, depth);
        return value switch
        {
            ArraySyntax list => List(list, depth),
            InlineTableSyntax table => Table(table, depth),
            _ => TomlScalarReader.Read(value, places),
        };
    }

    private TomlArray List(ArraySyntax list, int depth)
    {
        var read = new TomlArray(places.At(list));
        foreach (var item in list.Items) read.Add(Value(item.Value!, depth + 1));
        return read;
    }

    private TomlTable Table(InlineTableSyntax table, int depth)
    {
        var read = new TomlTable(places.At(table)) { Origin = TableOrigin.Header, Inline = true };
        TomlNovelties.Refuse(table, places);
        foreach (var item in table.Items) Add(read, item.KeyValue!, depth);
        read.Origin = TableOrigin.Whole;
        return read;
    }

    /// <summary>The parts of a key, dotted or not.</summary>
    private List<Key> Keys(KeySyntax key)
    {
        var keys = new List<Key> { Part(key.Key!) };
        foreach (var further in key.DotKeys)
        {
            CheckDepth(further, keys.Count + 1);
            keys.Add(Part(further.Key!));
        }

        return keys;
    }

    private Key Part(BareKeyOrStringValueSyntax part) => new(part is StringValueSyntax quoted
        ? TomlScalarReader.Text(quoted, places) : ((BareKeySyntax)part).Key!.Text!, places.At(part));

    private void CheckDepth(SyntaxNode node, int depth)
    {
        if (depth > TomlDocument.MaximumDepth)
            throw places.Fault(node, $"tables and lists are nested more than {TomlDocument.MaximumDepth} deep.", "Write it flatter.");
    }

    private InvalidConfigurationException Twice(TomlEntry first, TomlPosition position) => places.Fault(position,
        $"'{first.Key}' is given a second time; first it was {first.Value.Describe()} at {first.Position}.", "Keep one of the two.");

    private InvalidConfigurationException Closed(TomlEntry first, TomlPosition position) => places.Fault(position,
        $"'{first.Key}' cannot be added to: it is {first.Value.Describe()}, given whole at {first.Position}.",
            "Write all of it there, or choose another key.");

    private readonly record struct Key(string Name, TomlPosition Position);
}
