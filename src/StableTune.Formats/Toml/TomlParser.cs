namespace StableTune.Formats;

/// <summary>
/// Reads TOML 1.0 (https://toml.io/en/v1.0.0): lines, headers, keys, lists and tables in braces. Texts are read by
/// <see cref="TomlTexts"/>, numbers and dates by <see cref="TomlBareValues"/>.
/// </summary>
internal sealed class TomlParser(TomlSource source)
{
    private readonly TomlTable _root = new(new TomlPosition(1, 1)) { Origin = TableOrigin.Header };
    private readonly List<(string Name, TomlPosition Position)> _key = [];

    /// <summary>Where keys go, and how deep that is.</summary>
    private TomlTable? _current;
    private int _depth;

    public TomlTable Parse()
    {
        _current = _root;
        for (source.SkipLines(); !source.AtEnd; source.SkipLines())
        {
            if (source.Peek() == '[') ReadHeader();
            else ReadKeyAndValue(_current, _depth);
            source.SkipBlanksAndComment();
            if (!source.AtEnd && !source.TryTakeLineEnd())
                throw source.Unexpected("the end of the line", "Every key and every header stands on a line of its own.");
        }

        return _root;
    }

    /// <summary>Reads <c>[a.b]</c> or <c>[[a.b]]</c> and makes it the table to which the next keys belong.</summary>
    private void ReadHeader()
    {
        source.Skip();
        var array = source.TryTake('[');
        ReadKey();
        var closed = source.TryTake(']') && (!array || source.TryTake(']'));
        if (!closed)
            throw source.Unexpected(array ? "']]'" : "']'", array ? "Headers of tables in a list are written as [[name]]." : "Headers are written as [name].");

        var table = _root;
        for (var i = 0; i < _key.Count - 1; i++) table = StepIntoForHeader(table, i);
        var (name, position) = _key[^1];
        _depth = _key.Count;
        _current = array ? AddToList(table, name, position) : Define(table, name, position);
    }

    /// <summary>Goes from a table to one below it, making it where it is missing; in a list of tables, to the last one.</summary>
    private TomlTable StepIntoForHeader(TomlTable table, int part)
    {
        var (name, position) = _key[part];
        if (!table.TryGet(name, out var entry))
        {
            var made = new TomlTable(position) { Origin = TableOrigin.Implied };
            table.Add(new TomlEntry(name, made, position));
            return made;
        }

        return entry.Value switch
        {
            TomlTable { Origin: not TableOrigin.Whole } below => below,
            TomlArray { FromHeaders: true } list => (TomlTable)list[^1],
            _ => throw Closed(entry, position),
        };
    }

    private TomlTable Define(TomlTable parent, string name, TomlPosition position)
    {
        if (!parent.TryGet(name, out var entry))
        {
            var made = new TomlTable(position) { Origin = TableOrigin.Header };
            parent.Add(new TomlEntry(name, made, position));
            return made;
        }

        if (entry.Value is not TomlTable { Origin: TableOrigin.Implied } implied) throw Twice(entry, position);
        implied.Origin = TableOrigin.Header;
        return implied;
    }

    private TomlTable AddToList(TomlTable parent, string name, TomlPosition position)
    {
        var made = new TomlTable(position) { Origin = TableOrigin.Header };
        if (!parent.TryGet(name, out var entry))
            parent.Add(new TomlEntry(name, new TomlArray(position) { FromHeaders = true }, position));
        else if (entry.Value is not TomlArray { FromHeaders: true })
            throw Twice(entry, position);
        ((TomlArray)parent[name]).Add(made);
        return made;
    }

    /// <summary>Reads <c>a.b = value</c> into the table.</summary>
    private void ReadKeyAndValue(TomlTable table, int depth)
    {
        ReadKey();
        for (var i = 0; i < _key.Count - 1; i++) table = StepIntoForKey(table, i);
        depth += _key.Count;
        var (name, position) = _key[^1];
        if (table.TryGet(name, out var there)) throw Twice(there, position);
        if (!source.TryTake('='))
            throw source.Unexpected("'=' or '.'", "A line reads: key = value. A key with other characters than A-Z a-z 0-9 _ - stands in quotes.");
        source.SkipBlanks();
        var value = ReadValue(depth);
        table.Add(new TomlEntry(name, value, position));
    }

    private TomlTable StepIntoForKey(TomlTable table, int part)
    {
        var (name, position) = _key[part];
        if (!table.TryGet(name, out var entry))
        {
            var made = new TomlTable(position) { Origin = TableOrigin.DottedKey };
            table.Add(new TomlEntry(name, made, position));
            return made;
        }

        if (entry.Value is not TomlTable { Origin: TableOrigin.Implied or TableOrigin.DottedKey } below) throw Closed(entry, position);
        below.Origin = TableOrigin.DottedKey;
        return below;
    }

    /// <summary>Reads a key, perhaps dotted, and the blanks behind it.</summary>
    private void ReadKey()
    {
        _key.Clear();
        do
        {
            source.SkipBlanks();
            var position = source.Position;
            _key.Add((ReadSimpleKey(), position));
            CheckDepth(_key.Count, position);
            source.SkipBlanks();
        }
        while (source.TryTake('.'));
    }

    private string ReadSimpleKey()
    {
        if (source.Peek() is '"' or '\'')
        {
            if (source.Peek(1) == source.Peek() && source.Peek(2) == source.Peek())
                throw source.Fault(source.Position, "a key may not be a text of several lines.", "Write it in single quotes or one double quote.");
            return TomlTexts.Read(source);
        }

        var name = source.TakeWhile(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-');
        if (name.Length == 0) throw source.Unexpected("a key", "Keys consist of A-Z a-z 0-9 _ -, or stand in quotes.");
        return name.ToString();
    }

    private TomlValue ReadValue(int depth)
    {
        CheckDepth(depth, source.Position);
        return source.Peek() switch
        {
            '[' => ReadList(depth),
            '{' => ReadTable(depth),
            '"' or '\'' => ReadText(),
            _ => TomlBareValues.Read(source),
        };
    }

    private TomlScalar ReadText()
    {
        var position = source.Position;
        return new TomlScalar(TomlKind.Text, TomlTexts.Read(source), position);
    }

    private TomlArray ReadList(int depth)
    {
        var position = source.Position;
        source.Skip();
        var list = new TomlArray(position);
        while (true)
        {
            source.SkipLines();
            if (source.TryTake(']')) return list;
            if (source.AtEnd) throw Unclosed("list", ']', position);
            list.Add(ReadValue(depth + 1));
            source.SkipLines();
            if (source.TryTake(',')) continue;
            if (source.TryTake(']')) return list;
            throw source.AtEnd ? Unclosed("list", ']', position)
                : source.Unexpected("',' or ']'", "The values of a list are separated by commas: [1, 2, 3].");
        }
    }

    /// <summary>Reads <c>{ a = 1, b.c = 2 }</c>: on one line, without a comma at the end.</summary>
    private TomlTable ReadTable(int depth)
    {
        var position = source.Position;
        source.Skip();
        var table = new TomlTable(position) { Origin = TableOrigin.Header, Inline = true };
        source.SkipBlanks();
        var closed = source.TryTake('}');
        while (!closed)
        {
            ReadKeyAndValue(table, depth);
            source.SkipBlanks();
            closed = source.TryTake('}');
            if (!closed && !source.TryTake(','))
                throw source.AtEnd ? Unclosed("table", '}', position)
                    : source.Unexpected("',' or '}'", "A table in braces stands on one line, its keys separated by commas: { a = 1, b = 2 }.");
            source.SkipBlanks();
            if (!closed && source.Peek() == '}')
                throw source.Fault(source.Position, "a table in braces has no comma behind its last value.", "Remove the comma.");
        }

        table.Origin = TableOrigin.Whole;
        return table;
    }

    private void CheckDepth(int depth, TomlPosition position)
    {
        if (depth > TomlDocument.MaximumDepth)
            throw source.Fault(position, $"tables and lists are nested more than {TomlDocument.MaximumDepth} deep.", "Write it flatter.");
    }

    private InvalidConfigurationException Unclosed(string what, char end, TomlPosition position) =>
        source.Fault(position, $"the {what} that begins here does not end: found the end of the file where '{end}' was expected.", $"Close it with '{end}'.");

    private InvalidConfigurationException Twice(TomlEntry first, TomlPosition position) => source.Fault(position,
        $"'{first.Key}' is given a second time; first it was {first.Value.Describe()} at {first.Position}.", "Keep one of the two.");

    private InvalidConfigurationException Closed(TomlEntry first, TomlPosition position) => source.Fault(position,
        $"'{first.Key}' cannot be added to: it is {first.Value.Describe()}, given whole at {first.Position}.", "Write all of it there, or choose another key.");
}
