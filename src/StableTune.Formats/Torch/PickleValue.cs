using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;

namespace StableTune.Formats;

/// <summary>
/// A value of a Python pickle, read as data: nothing of Python exists here, and nothing is ever called. Immutable once its file is open.
/// The kinds are the derived classes. A value that a pickle mentions twice is one object here.
/// </summary>
public abstract class PickleValue
{
    private protected PickleValue()
    {
    }

    /// <summary>What Python calls the type: <c>dict</c>, <c>str</c>, <c>torch.Tensor</c> ...</summary>
    public abstract string TypeName { get; }

    /// <summary>For messages: what it is, without its contents.</summary>
    public override string ToString() => TypeName;

    /// <summary>How deeply containers are nested below this one: 0 = not counted yet, -1 = being counted.</summary>
    internal int Depth { get; set; }

    /// <summary>A text.</summary>
    public static implicit operator PickleValue(string value) => new PickleText(value);

    /// <summary>An integer.</summary>
    public static implicit operator PickleValue(long value) => PickleInteger.Of(value);

    /// <summary>A float.</summary>
    public static implicit operator PickleValue(double value) => new PickleFloat(value);

    /// <summary>True or false.</summary>
    public static implicit operator PickleValue(bool value) => PickleBoolean.Of(value);
}

/// <summary>Python's <c>None</c>.</summary>
public sealed class PickleNone : PickleValue
{
    private PickleNone()
    {
    }

    /// <summary>The only one.</summary>
    public static PickleNone Value { get; } = new();

    /// <inheritdoc/>
    public override string TypeName => "None";
}

/// <summary>True or false.</summary>
public sealed class PickleBoolean : PickleValue
{
    private static readonly PickleBoolean True = new(true), False = new(false);

    private PickleBoolean(bool value) => Value = value;

    /// <summary>The value.</summary>
    public bool Value { get; }

    /// <inheritdoc/>
    public override string TypeName => "bool";

    /// <inheritdoc/>
    public override string ToString() => Value ? "True" : "False";

    internal static PickleBoolean Of(bool value) => value ? True : False;
}

/// <summary>An integer of any size.</summary>
/// <param name="value">The value.</param>
public sealed class PickleInteger(BigInteger value) : PickleValue
{
    private static readonly PickleInteger[] Small = [.. Enumerable.Range(0, 257).Select(i => new PickleInteger(i))];

    /// <summary>The value.</summary>
    public BigInteger Value { get; } = value;

    /// <inheritdoc/>
    public override string TypeName => "int";

    /// <summary>The value, if it has at most 63 bits.</summary>
    public bool TryGetInt64(out long value)
    {
        var fits = Value >= long.MinValue && Value <= long.MaxValue;
        value = fits ? (long)Value : 0;
        return fits;
    }

    /// <inheritdoc/>
    public override string ToString() =>
        TryGetInt64(out var value) ? value.ToString(CultureInfo.InvariantCulture) : "an integer of more than 63 bits";

    internal static PickleInteger Of(long value) => value is >= 0 and <= 256 ? Small[value] : new PickleInteger(value);
}

/// <summary>A 64-bit float.</summary>
/// <param name="value">The value; may be infinite or no number.</param>
public sealed class PickleFloat(double value) : PickleValue
{
    /// <summary>The value; may be infinite or no number.</summary>
    public double Value { get; } = value;

    /// <inheritdoc/>
    public override string TypeName => "float";

    /// <inheritdoc/>
    public override string ToString() => Value.ToString("R", CultureInfo.InvariantCulture);
}

/// <summary>A text.</summary>
public sealed class PickleText : PickleValue
{
    /// <summary>Holds the text.</summary>
    /// <param name="value">The text.</param>
    public PickleText(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        Value = value;
    }

    /// <summary>The text.</summary>
    public string Value { get; }

    /// <inheritdoc/>
    public override string TypeName => "str";

    /// <inheritdoc/>
    public override string ToString() => PickleNames.Quote(Value);
}

/// <summary>Bytes: Python 3's <c>bytes</c>, and texts of Python 2 that are not valid UTF-8.</summary>
public sealed class PickleBytes : PickleValue
{
    internal PickleBytes(StoredBytes stored) => Stored = stored;

    /// <summary>The bytes.</summary>
    public ReadOnlyMemory<byte> Value => Stored.Memory;

    /// <inheritdoc/>
    public override string TypeName => "bytes";

    internal StoredBytes Stored { get; }
}

/// <summary>The name of a Python function or class, and no more than the name. Old checkpoints have such names as dictionary
/// keys.</summary>
public sealed class PickleGlobal : PickleValue
{
    internal PickleGlobal(string module, string name, GlobalRule rule) => (Module, Name, Rule) = (module, name, rule);

    /// <summary>The module: <c>collections</c>.</summary>
    public string Module { get; }

    /// <summary>The name in the module: <c>OrderedDict</c>.</summary>
    public string Name { get; }

    /// <inheritdoc/>
    public override string TypeName => "type";

    /// <inheritdoc/>
    public override string ToString() => $"{Module}.{Name}";

    /// <summary>What the reader makes of a call.</summary>
    internal GlobalRule Rule { get; }
}

/// <summary>An object of a class that the reader knows by name only: its arguments and state as data.</summary>
public sealed class PickleRecord : PickleValue
{
    internal PickleRecord(PickleGlobal type, PickleValue arguments) => (Type, Arguments) = (type, arguments);

    /// <summary>The name of the class.</summary>
    public PickleGlobal Type { get; }

    /// <summary>What the object would have been created with, mostly an empty tuple.</summary>
    public PickleValue Arguments { get; }

    /// <summary>The object's state, mostly a dictionary; null without one.</summary>
    public PickleValue? State { get; internal set; }

    /// <inheritdoc/>
    public override string TypeName => Type.ToString();
}

/// <summary>The kinds of <see cref="PickleSequence"/>.</summary>
public enum PickleSequenceKind
{
    /// <summary><c>list</c>.</summary>
    List,

    /// <summary><c>tuple</c>, also <c>torch.Size</c>.</summary>
    Tuple,

    /// <summary><c>set</c>, in the order of the file; an element that the file holds twice is there twice.</summary>
    Set,

    /// <summary><c>frozenset</c>, as <see cref="Set"/>.</summary>
    FrozenSet,
}

/// <summary>Values in a row: a list, tuple or set.</summary>
public sealed class PickleSequence : PickleValue, IReadOnlyList<PickleValue>
{
    private static readonly string[] Names = ["list", "tuple", "set", "frozenset"];

    private List<PickleValue>? _items;

    /// <summary>Holds the values.</summary>
    /// <param name="kind">List, tuple or set.</param>
    /// <param name="items">The values.</param>
    public PickleSequence(PickleSequenceKind kind, IEnumerable<PickleValue> items)
    {
        Kind = kind;
        _items = [.. items];
    }

    internal PickleSequence(PickleSequenceKind kind) => Kind = kind;

    /// <summary>List, tuple or set.</summary>
    public PickleSequenceKind Kind { get; }

    /// <inheritdoc/>
    public int Count => _items?.Count ?? 0;

    /// <inheritdoc/>
    public override string TypeName => Names[(int)Kind];

    /// <summary>The value at this place, from 0.</summary>
    public PickleValue this[int index] => _items is null ? throw new ArgumentOutOfRangeException(nameof(index)) : _items[index];

    /// <inheritdoc/>
    public IEnumerator<PickleValue> GetEnumerator() => (_items ?? Enumerable.Empty<PickleValue>()).GetEnumerator();

    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    public override string ToString() => $"{TypeName} of {Count}";

    internal void Add(PickleValue item) => (_items ??= []).Add(item);

    internal void AddRange(ReadOnlySpan<PickleValue> items)
    {
        if (items.Length > 0) (_items ??= new List<PickleValue>(items.Length)).AddRange(items);
    }
}

/// <summary>A dictionary; keeps the order of the file. A key that the file holds twice has the last value, as in Python.</summary>
public sealed class PickleDictionary : PickleValue, IReadOnlyCollection<KeyValuePair<PickleValue, PickleValue>>
{
    private OrderedDictionary<PickleValue, PickleValue>? _entries;

    /// <summary>Holds the entries.</summary>
    /// <param name="entries">Names and values, in this order; of two with the same name the last counts.</param>
    /// <param name="ordered">Whether Python shall have a <c>collections.OrderedDict</c>, as state dictionaries are, instead of a
    /// <c>dict</c>.</param>
    public PickleDictionary(IEnumerable<KeyValuePair<string, PickleValue>> entries, bool ordered = false) : this(ordered)
    {
        ArgumentNullException.ThrowIfNull(entries);
        foreach (var (key, value) in entries) Set(new PickleText(key), value);
    }

    internal PickleDictionary(bool ordered) => IsOrdered = ordered;

    /// <summary>Holds the entries, of which keys may be other than texts: whole numbers, for instance.</summary>
    /// <param name="entries">Keys and values, in this order; of two with the same key the last counts.</param>
    /// <param name="ordered">Whether Python shall have a <c>collections.OrderedDict</c> instead of a <c>dict</c>.</param>
    public static PickleDictionary WithKeys(IEnumerable<KeyValuePair<PickleValue, PickleValue>> entries, bool ordered = false)
    {
        ArgumentNullException.ThrowIfNull(entries);
        var dictionary = new PickleDictionary(ordered);
        foreach (var (key, value) in entries) dictionary.Set(key, value);
        return dictionary;
    }

    /// <summary>Whether it is a <c>collections.OrderedDict</c>. In either case the order is kept here.</summary>
    public bool IsOrdered { get; }

    /// <inheritdoc/>
    public int Count => _entries?.Count ?? 0;

    /// <inheritdoc/>
    public override string TypeName => IsOrdered ? "OrderedDict" : "dict";

    /// <summary>The value of a text key.</summary>
    public bool TryGet(string key, [MaybeNullWhen(false)] out PickleValue value)
    {
        value = null;
        return _entries is not null && _entries.TryGetValue(new PickleText(key), out value);
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<PickleValue, PickleValue>> GetEnumerator() =>
        (_entries ?? Enumerable.Empty<KeyValuePair<PickleValue, PickleValue>>()).GetEnumerator();

    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    public override string ToString() => $"{TypeName} of {Count}";

    internal void Set(PickleValue key, PickleValue value) =>
        (_entries ??= new OrderedDictionary<PickleValue, PickleValue>(PickleKeys.Instance))[key] = value;
}
