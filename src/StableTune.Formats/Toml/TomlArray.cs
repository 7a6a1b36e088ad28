using System.Collections;

namespace StableTune.Formats;

/// <summary>A list of values, which may be of different kinds.</summary>
public sealed class TomlArray : TomlValue, IReadOnlyList<TomlValue>
{
    private readonly List<TomlValue> _items = [];

    /// <summary>An empty list, to be filled by code.</summary>
    public TomlArray() : this(default(TomlPosition)) { }

    /// <summary>A list of these values.</summary>
    /// <param name="values">The values.</param>
    public TomlArray(IEnumerable<TomlValue> values) : this(default(TomlPosition))
    {
        ArgumentNullException.ThrowIfNull(values);
        foreach (var value in values) Add(value);
    }

    internal TomlArray(TomlPosition position) : base(TomlKind.Array, position) { }

    /// <summary>Whether the file gives it as <c>[[name]]</c> headers, each of which adds a table.</summary>
    internal bool FromHeaders { get; init; }

    /// <inheritdoc/>
    public int Count => _items.Count;

    /// <inheritdoc/>
    public TomlValue this[int index] => _items[index];

    /// <summary>Adds a value at the end.</summary>
    public void Add(TomlValue value)
    {
        ArgumentNullException.ThrowIfNull(value);
        _items.Add(value);
    }

    /// <inheritdoc/>
    public override string Describe() => _items.Count switch
    {
        0 => "an empty list",
        1 => "a list of 1 value",
        var count => $"a list of {count} values",
    };

    /// <inheritdoc/>
    public IEnumerator<TomlValue> GetEnumerator() => _items.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
