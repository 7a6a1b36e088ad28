using System.Globalization;

namespace StableTune.Formats;

/// <summary>Reads the header's text, a dictionary in Python's notation with exactly the keys descr, fortran_order and shape.</summary>
internal sealed class NpyDictionary(string text, NpyFaults faults)
{
    /// <summary>The most dimensions an array may have.</summary>
    public const int MaximumDimensions = 64;

    private int _at;

    public (string Descr, bool Columnwise, List<long> Shape) Read()
    {
        (string? descr, bool? columnwise, List<long>? shape) = (null, null, null);
        Expect('{');
        while (!TryTake('}'))
        {
            var key = ReadText();
            Expect(':');
            switch (key)
            {
                case "descr" when descr is null: descr = ReadType(); break;
                case "fortran_order" when columnwise is null: columnwise = ReadBoolean(); break;
                case "shape" when shape is null: shape = ReadShape(); break;
                default: throw faults.Fault($"its header has an unknown or repeated entry '{key}'.");
            }

            if (TryTake(',')) continue;
            Expect('}');
            break;
        }

        SkipBlanks();
        if (_at < text.Length) throw Unexpected("the end");
        return (descr ?? throw Missing("descr"), columnwise ?? throw Missing("fortran_order"), shape ?? throw Missing("shape"));
    }

    private string ReadType()
    {
        SkipBlanks();
        return _at < text.Length && text[_at] == '[' ? throw faults.Type(text.Contains("O'", StringComparison.Ordinal) ? "|O" : "[")
            : ReadText();
    }

    private bool ReadBoolean()
    {
        SkipBlanks();
        foreach (var (word, value) in new[] { ("True", true), ("False", false) })
        {
            if (string.CompareOrdinal(text, _at, word, 0, word.Length) != 0) continue;
            _at += word.Length;
            return value;
        }

        throw Unexpected("True or False");
    }

    private List<long> ReadShape()
    {
        var shape = new List<long>();
        Expect('(');
        while (!TryTake(')'))
        {
            SkipBlanks();
            var start = _at;
            while (_at < text.Length && char.IsAsciiDigit(text[_at])) _at++;
            if (!long.TryParse(text.AsSpan(start, _at - start), NumberStyles.None, CultureInfo.InvariantCulture, out var size))
                throw Unexpected("a size of at most 63 bits");
            TryTake('L');                                   // Python 2 wrote its long numbers so
            if (shape.Count == MaximumDimensions) throw faults.Fault($"it has more than {MaximumDimensions} dimensions.");
            shape.Add(size);
            if (TryTake(',')) continue;
            if (shape.Count == 1) throw Unexpected("','");  // (4) is a number in Python, (4,) a shape
            Expect(')');
            break;
        }

        return shape;
    }

    private string ReadText()
    {
        SkipBlanks();
        if (_at >= text.Length || text[_at] is not ('\'' or '"')) throw Unexpected("a text in quotes");
        var end = text.IndexOf(text[_at], _at + 1);
        if (end < 0 || end - _at > 1000) throw Unexpected("a text in quotes");
        var read = text[(_at + 1)..end];
        _at = end + 1;
        return read;
    }

    private bool TryTake(char character)
    {
        SkipBlanks();
        if (_at >= text.Length || text[_at] != character) return false;
        _at++;
        return true;
    }

    private void Expect(char character)
    {
        if (!TryTake(character)) throw Unexpected($"'{character}'");
    }

    private void SkipBlanks()
    {
        while (_at < text.Length && text[_at] is ' ' or '\t' or '\n' or '\r') _at++;
    }

    private InvalidFileException Missing(string key) => faults.Fault($"its header has no entry '{key}'.");

    private InvalidFileException Unexpected(string expected) =>
        faults.Fault($"its header has {(_at < text.Length ? $"'{text[_at]}'" : "its end")} at {_at}, where {expected} was expected.");
}
