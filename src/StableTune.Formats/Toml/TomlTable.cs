using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace StableTune.Formats;

/// <summary>A key of a table with its value.</summary>
/// <param name="Key">The key, without quotes and escapes.</param>
/// <param name="Value">The value.</param>
/// <param name="Position">Where the key stands; line 0 for what code built.</param>
/// <param name="Comment">What the writer puts above it as comment lines; null for none. The reader passes over comments.</param>
public sealed record TomlEntry(string Key, TomlValue Value, TomlPosition Position = default, string? Comment = null);

/// <summary>A table: keys with values, in the order of the file. Keys are compared letter by letter.</summary>
public sealed class TomlTable : TomlValue, IReadOnlyCollection<TomlEntry>
{
    /// <summary>Up to this many entries are searched one by one: most tables are small, and there may be many.</summary>
    private const int Small = 8;

    private readonly List<TomlEntry> _entries = [];
    private Dictionary<string, int>? _index;

    /// <summary>An empty table, to be filled by code.</summary>
    public TomlTable() : this(default(TomlPosition)) { }

    internal TomlTable(TomlPosition position) : base(TomlKind.Table, position) { }

    /// <summary>Whether it stands, or is to be written, on one line as <c>{ a = 1, b = 2 }</c>.</summary>
    public bool Inline { get; init; }

    /// <summary>How the file came to speak of it; decides what later lines may add.</summary>
    internal TableOrigin Origin { get; set; }

    /// <inheritdoc/>
    public int Count => _entries.Count;

    /// <summary>The keys, in order.</summary>
    public IEnumerable<string> Keys => _entries.Select(entry => entry.Key);

    /// <summary>The value of a key. Setting replaces the value in its place, or adds the key at the end.</summary>
    /// <param name="key">The key.</param>
    /// <exception cref="KeyNotFoundException">On reading: there is no such key.</exception>
    public TomlValue this[string key]
    {
        get => TryGet(key, out var entry) ? entry.Value : throw new KeyNotFoundException($"The table has no key '{key}'.");
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            var at = IndexOf(key);
            if (at < 0) Add(new TomlEntry(key, value));
            else _entries[at] = _entries[at] with { Value = value };
        }
    }

    /// <summary>The entry of a key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="entry">The entry, with its position.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryGet(string key, [MaybeNullWhen(false)] out TomlEntry entry)
    {
        var at = IndexOf(key);
        entry = at < 0 ? null : _entries[at];
        return at >= 0;
    }

    /// <summary>Whether there is such a key.</summary>
    public bool Contains(string key) => IndexOf(key) >= 0;

    /// <summary>Adds a key at the end.</summary>
    /// <param name="key">The key; any text.</param>
    /// <param name="value">The value.</param>
    /// <param name="comment">What the writer puts above it as comment lines; null for none.</param>
    /// <exception cref="ArgumentException">The key is there already.</exception>
    public void Add(string key, TomlValue value, string? comment = null)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (Contains(key)) throw new ArgumentException($"The table has a key '{key}' already.", nameof(key));
        Add(new TomlEntry(key, value, default, comment));
    }

    /// <summary>Adds an entry whose key was looked for in vain.</summary>
    internal void Add(TomlEntry entry)
    {
        _entries.Add(entry);
        if (_index is not null) _index.Add(entry.Key, _entries.Count - 1);
        else if (_entries.Count > Small)
        {
            _index = new Dictionary<string, int>(StringComparer.Ordinal);
            for (var i = 0; i < _entries.Count; i++) _index.Add(_entries[i].Key, i);
        }
    }

    /// <inheritdoc/>
    public override string Describe() => _entries.Count == 0 ? "an empty table" : "a table";

    /// <inheritdoc/>
    public IEnumerator<TomlEntry> GetEnumerator() => _entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private int IndexOf(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (_index is not null) return _index.TryGetValue(key, out var at) ? at : -1;
        for (var i = 0; i < _entries.Count; i++)
            if (string.Equals(_entries[i].Key, key, StringComparison.Ordinal)) return i;
        return -1;
    }
}

/// <summary>How a file came to speak of a table.</summary>
internal enum TableOrigin
{
    /// <summary>Only a header of a table below it named it: a header of its own may still come.</summary>
    Implied,

    /// <summary>The table has a header of its own, or is the root.</summary>
    Header,

    /// <summary>A dotted key made it: further dotted keys may add to it, a header may not.</summary>
    DottedKey,

    /// <summary>The table was given whole, in braces: nothing may be added.</summary>
    Whole,
}
