using System.Globalization;

namespace StableTune.Formats;

/// <summary>The text of a TOML file and the place that reading has reached.</summary>
internal sealed class TomlSource(string text, string path)
{
    private int _at, _line = 1, _lineStart;

    /// <summary>Where reading stands.</summary>
    public TomlPosition Position => new(_line, _at - _lineStart + 1);

    /// <summary>How many characters were looked at, again and again counted.</summary>
    public long Looks { get; private set; }

    /// <summary>Whether everything is read.</summary>
    public bool AtEnd => _at >= text.Length;

    /// <summary>The character that comes next, or a later one; NUL behind the end (which no valid text holds).</summary>
    public char Peek(int ahead = 0)
    {
        Looks++;
        return _at + ahead < text.Length ? text[_at + ahead] : '\0';
    }

    /// <summary>Passes over characters, none of which ends a line.</summary>
    public void Skip(int count = 1) => _at += count;

    /// <summary>Takes this character if it comes next.</summary>
    public bool TryTake(char character)
    {
        if (Peek() != character || AtEnd) return false;
        _at++;
        return true;
    }

    /// <summary>Takes these characters if they come next; none ends a line.</summary>
    public bool TryTake(string characters)
    {
        Looks += characters.Length;
        if (string.CompareOrdinal(text, _at, characters, 0, characters.Length) != 0) return false;
        _at += characters.Length;
        return true;
    }

    /// <summary>Takes the end of a line (LF or CR LF) if it comes next.</summary>
    public bool TryTakeLineEnd()
    {
        var length = Peek() == '\n' ? 1 : Peek() == '\r' && Peek(1) == '\n' ? 2 : 0;
        if (length == 0) return false;
        _at += length;
        (_line, _lineStart) = (_line + 1, _at);
        return true;
    }

    /// <summary>Takes the longest piece of these characters, perhaps none.</summary>
    public ReadOnlySpan<char> TakeWhile(Func<char, bool> belongs)
    {
        var start = _at;
        while (_at < text.Length && belongs(text[_at])) _at++;
        Looks += _at - start + 1;
        return text.AsSpan(start, _at - start);
    }

    /// <summary>Passes over blanks and tabs.</summary>
    public void SkipBlanks()
    {
        while (Peek() is ' ' or '\t') _at++;
    }

    /// <summary>Passes over blanks and a comment up to the end of the line, which stays.</summary>
    public void SkipBlanksAndComment()
    {
        SkipBlanks();
        if (!TryTake('#')) return;
        while (!AtEnd && Peek() is not ('\n' or '\r'))
        {
            CheckCharacter("a comment");
            _at++;
        }

        if (Peek() == '\r' && Peek(1) != '\n') CheckCharacter("a comment");
    }

    /// <summary>Passes over blanks, comments and the ends of lines.</summary>
    public void SkipLines()
    {
        do SkipBlanksAndComment();
        while (TryTakeLineEnd());
    }

    /// <summary>Refuses the next character where it may not stand in texts and comments: control characters, broken UTF-16.</summary>
    public void CheckCharacter(string where)
    {
        var c = Peek();
        if (c is < ' ' and not '\t' or '\x7F')
            throw Fault(Position, $"{where} may not hold the control character {Code(c)}.",
                where == "a comment" ? "Remove it." : $"Write it as an escape, \\u{(int)c:X4}, in a text in double quotes.");
        if (!char.IsSurrogate(c)) return;
        if (char.IsLowSurrogate(c) ? _at == 0 || !char.IsHighSurrogate(text[_at - 1]) : !char.IsLowSurrogate(Peek(1)))
            throw Fault(Position, $"{where} may not hold half of a surrogate pair, {Code(c)}.", "Remove it.");
    }

    /// <summary>What comes next, in words for messages.</summary>
    public string Found()
    {
        if (AtEnd) return "the end of the file";
        var c = Peek();
        if (c == '\n' || (c == '\r' && Peek(1) == '\n')) return "the end of the line";
        if (c is < ' ' or '\x7F') return $"the control character {Code(c)}";
        if (char.IsHighSurrogate(c) && char.IsLowSurrogate(Peek(1))) return $"'{c}{Peek(1)}'";
        return c == '\'' ? "a single quote" : $"'{c}'";
    }

    public InvalidConfigurationException Fault(TomlPosition position, string fault, string remedy) => new(path, position, fault, remedy);

    /// <summary>"found X where Y was expected", at the place reached.</summary>
    public InvalidConfigurationException Unexpected(string expected, string remedy) =>
        Fault(Position, $"found {Found()} where {expected} was expected.", remedy);

    private static string Code(char c) => string.Create(CultureInfo.InvariantCulture, $"U+{(int)c:X4}");
}
